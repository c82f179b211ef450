//! A short name for a value that may be secret or long.

use std::fmt;

use sha2::{Digest, Sha256};

/// The first 64 bits of a value's SHA-256.
///
/// It depends on the value alone, so it is the same in every process, on every machine and in every release: users write
/// the labels and pool keys that are made of it into their configuration.
///
/// ```
/// use tidegate_core::fingerprint::Fingerprint;
///
/// // printf 'Bearer sk-test' | sha256sum | cut -c1-16
/// assert_eq!(Fingerprint::of(b"Bearer sk-test").to_string(), "96018835490a18a6");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub u64);

impl Fingerprint {
    /// The fingerprint of these bytes.
    #[must_use]
    pub fn of(value: &[u8]) -> Self {
        let digest = Sha256::digest(value);
        Self(digest.iter().take(size_of::<u64>()).fold(0, |bits, &byte| bits << u8::BITS | u64::from(byte)))
    }
}

/// In 16 hexadecimal digits, as `sha256sum` prints them first.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
