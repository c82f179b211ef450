use super::failed::Failed;
use super::prefetched::Prefetched;

/// A request without an answer.
#[derive(Debug)]
pub struct Unanswered {
    /// Why.
    pub failed: Failed,
    /// What the upstream did not take of the body. Its client is still sending.
    pub unread: Option<Prefetched>,
    /// An idle connection was closed before a byte of it was written.
    pub is_unsent: bool,
}

impl From<Failed> for Unanswered {
    fn from(failed: Failed) -> Self {
        Self { failed, unread: None, is_unsent: false }
    }
}
