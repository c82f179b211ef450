/// A request's place in the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub(super) u64);

impl Seq {
    /// Before all others.
    pub const FIRST: Self = Self(0);
    /// After all others.
    pub const LAST: Self = Self(u64::MAX);
}

/// Where a waiting request is found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket {
    pub(super) node: usize,
    pub(super) seq: Seq,
    /// Never used again; a place in the order may be.
    pub(super) number: u64,
}

impl Ticket {
    /// Its place in the order of arrival.
    #[must_use]
    pub fn seq(self) -> Seq {
        self.seq
    }
}
