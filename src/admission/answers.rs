//! What the upstream's answers teach.

use std::time::Instant;

use super::scheduler::Scheduler;
use crate::feedback::{Allowance, Pushback};
use crate::limit::Charge;

impl<W> Scheduler<W> {
    /// The upstream took a request that was sent at `sent_at`, and its answer says what is left.
    pub fn accepted(&mut self, now: Instant, charges: &[Charge], _sent_at: Instant, _allowances: &[Allowance]) {
        self.pump_charged(now, charges);
    }

    /// The upstream refused a request that was sent at `sent_at`.
    pub fn refused(&mut self, now: Instant, charges: &[Charge], _sent_at: Instant, _pushback: &Pushback) {
        self.pump_charged(now, charges);
    }

    /// An answer that has ended says what it has cost in tokens.
    pub fn settle(&mut self, now: Instant, charges: &[Charge], _tokens: u64) {
        self.pump_charged(now, charges);
    }
}
