use super::account::account_fingerprint;
use super::body::Body;
use crate::fingerprint::Fingerprint;

/// What of a request decides its keys and costs.
pub trait Facts {
    /// The value of a header.
    fn header(&self, name: &str) -> Option<&[u8]>;
    /// What its body says; nothing where it was not read or could not be understood.
    fn body(&self) -> Option<&Body<'_>>;

    /// The query of its target, if it has one.
    fn query(&self) -> Option<&str> {
        None
    }

    /// The fingerprint of what tells who pays. A connection that asks again and again may remember it.
    fn fingerprint(&self, account: &[u8]) -> Fingerprint {
        account_fingerprint(account)
    }

    /// About how many tokens it costs; nothing where its body says nothing.
    fn tokens(&self) -> Option<u32> {
        self.body().map(Body::tokens)
    }
}
