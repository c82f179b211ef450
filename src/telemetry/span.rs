use tokio::time::Instant;

/// One stretch of a request's time.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) stage: Stage,
    pub(super) from: Instant,
    /// None while it lasts.
    pub(super) to: Option<Instant>,
}

/// Where the request is in that time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// In the queue.
    Queued,
    /// With the upstream, which answered with this status, if it did.
    Upstream(Option<u16>),
}
