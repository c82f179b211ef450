use crate::fingerprint::Fingerprint;

/// The first 16 digits of what `sha256sum` says of the file, so that it is seen which one is in force.
pub(super) fn hash(text: &str) -> String {
    Fingerprint::of(text.as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_sha256sum_says() {
        assert_eq!(hash("abc"), "ba7816bf8f01cfea");
    }
}
