use sha2::{Digest, Sha256};

/// The first 16 digits of what `sha256sum` says of the file, so that it is seen which one is in force.
pub(super) fn hash(text: &str) -> String {
    let digest = Sha256::digest(text);
    format!("{:016x}", digest.iter().take(8).fold(0_u64, |hash, &byte| hash << 8 | u64::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_sha256sum_says() {
        assert_eq!(hash("abc"), "ba7816bf8f01cfea");
    }
}
