/// What a limiter says to a request that wants to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::estimate) enum Gate {
    Open,
    /// Not before this instant.
    Until(u64),
    /// Not before one is over.
    Freed,
}
