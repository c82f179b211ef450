use super::body::Body;
use crate::fingerprint::Fingerprint;

/// What of a request decides its keys and costs.
pub trait Facts {
    /// The value of a header.
    fn header(&self, name: &str) -> Option<&[u8]>;
    /// What its body says; nothing where it was not read or could not be understood.
    fn body(&self) -> Option<&Body<'_>>;

    /// The fingerprint of what tells who pays. A connection that asks again and again may remember it.
    fn fingerprint(&self, value: &[u8]) -> Fingerprint {
        Fingerprint::of(value)
    }

    /// About how many tokens it costs; nothing where its body says nothing.
    fn tokens(&self) -> Option<u32> {
        self.body().map(Body::tokens)
    }
}
