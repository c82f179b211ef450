use crate::limit::NamedCharges;

/// Hears of every request that is sent, at the moment at which it counts.
pub trait CommitLog: Send + Sync {
    /// This one is. What comes of it upstream waits for this call.
    fn committed(&self, commit: &Commit);
}

/// A request that is being sent.
#[derive(Clone, Debug)]
pub struct Commit {
    /// How many have been sent in all, this one included.
    pub number: u64,
    /// What it takes: of which pools, by which keys, and how much.
    pub charges: NamedCharges,
}
