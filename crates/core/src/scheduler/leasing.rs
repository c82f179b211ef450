//! Limits that several gates share: the scheduler's part of a turn.

use std::time::{Duration, Instant};

use super::state::Scheduler;
use crate::limit::{Called, Source, TurnTime};
use crate::replica::{Lease, MeterCall};

impl<W> Scheduler<W> {
    /// From now on all written limits are shared with other gates, and nothing is leased yet.
    pub fn lease(&mut self) {
        self.ledger.lease();
    }

    /// What is said in a turn; `declared`: in the first of an epoch, of what was sent since then.
    pub fn turn_call(&mut self, time: TurnTime, declared: Option<Instant>) -> (Called, Vec<MeterCall>) {
        let Self { ledger, queue, .. } = self;
        ledger.turn_call(time, |instance| queue.demand(instance), declared)
    }

    /// What came of it: those who wait go if they can. `until`: the leases end then.
    pub fn leased(&mut self, now: Instant, until: Instant, called: &Called, leases: Vec<Lease>) {
        self.ledger.leased(now, until, called, leases);
        let all = self.ledger.ids();
        self.pump(now, all);
    }

    /// Where places come from, by the span of their limit.
    pub fn set_source(&mut self, now: Instant, source: impl Fn(Duration) -> Source) {
        self.ledger.set_source(source);
        let all = self.ledger.ids();
        self.pump(now, all);
    }

    /// How many requests wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }
}
