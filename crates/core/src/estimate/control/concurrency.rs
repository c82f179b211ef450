use super::probe::{PER_PROBE, PER_PROBE_AT_MOST};

/// A limit of what is in flight: it is kept to exactly, and one more is tried now and then (additive increase, as TCP and
/// Netflix's concurrency-limits do; a refusal is exact here, so there is no need to guess from latencies).
#[derive(Clone, Debug)]
pub(in crate::estimate) struct Concurrency {
    limit: u32,
    /// Accepted since a probe was refused.
    accepted: u32,
    per_probe: u32,
    /// How many more are tried.
    probing: u32,
    refused_at: u64,
}

impl Concurrency {
    pub(in crate::estimate) fn new(at: u64, limit: u32) -> Self {
        Self { limit: limit.max(1), accepted: 0, per_probe: PER_PROBE, probing: 0, refused_at: at }
    }

    pub(in crate::estimate) fn limit(&self) -> u32 {
        self.limit
    }

    /// More had been in flight than it seemed at first.
    pub(in crate::estimate) fn raise(&mut self, limit: u32) {
        if self.accepted == 0 {
            self.limit = self.limit.max(limit);
        }
    }

    pub(in crate::estimate) fn allows(&self, in_flight: u32) -> bool {
        in_flight < self.limit + self.probing
    }

    /// One was accepted that was sent at `sent_at` beside so many others.
    pub(in crate::estimate) fn accepted(&mut self, sent_at: u64, beside: u32) {
        if sent_at < self.refused_at {
            return;
        }
        self.accepted += 1;
        if beside >= self.limit && self.probing > 0 {
            self.limit = beside + 1;
            self.probing = (self.probing * 2).min(self.limit);
            self.per_probe = PER_PROBE;
        } else if self.probing == 0 && self.accepted >= self.per_probe && beside + 1 >= self.limit {
            self.probing = 1;
        }
    }

    /// One was refused.
    pub(in crate::estimate) fn refused(&mut self, at: u64, sent_at: u64, beside: u32, may_be_challenge: bool) {
        if self.probing > 0 {
            // Whichever it is: one too many was under way, and jitter may have let it overtake another.
            (self.probing, self.accepted) = (0, 0);
            self.per_probe = (self.per_probe * 2).min(PER_PROBE_AT_MOST);
        } else if !may_be_challenge && sent_at >= self.refused_at {
            self.limit = self.limit.min(beside.max(self.limit / 2)).max(1);
            (self.probing, self.accepted) = (0, 0);
        }
        self.refused_at = at;
    }
}
