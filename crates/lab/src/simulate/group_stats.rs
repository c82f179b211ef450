use indexmap::IndexMap;

use super::waits::WaitSamples;

/// The outcomes of a group of requests.
#[derive(Debug, Default)]
pub(super) struct GroupStats {
    /// Arrivals, retries included.
    pub(super) requests: u64,
    /// Got a response of their own call.
    pub(super) served: u64,
    /// Got the response of another call.
    pub(super) shared: u64,
    /// Refused by the gate, by reason.
    pub(super) refused: IndexMap<String, u64>,
    /// Refusals by the upstream.
    pub(super) upstream_refused: u64,
    /// Got the upstream's refusal, as the gate could not send them again in time.
    pub(super) failed: u64,
    /// The waits of requests that got a response.
    pub(super) waits: WaitSamples,
}
