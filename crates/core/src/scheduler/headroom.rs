//! What is left for the next request, for headers that say so.

use std::time::Instant;

use super::state::Scheduler;
use crate::limit::{Charge, PoolId, Unit};

impl<W> Scheduler<W> {
    /// Of the pools of these charges that have a limit of requests written: the one with the least left, and how much that is.
    #[must_use]
    pub fn tightest(&self, now: Instant, charges: &[Charge]) -> Option<(PoolId, u64)> {
        let left = charges.iter().filter_map(|charge| {
            let pool = self.ledger.pool_of(charge.instance);
            let limits = self.ledger.limits(pool);
            let is_written = limits.unit == Unit::Requests && !limits.requests.is_empty();
            is_written.then(|| (pool, self.ledger.room_by(charge.instance, now, now)))
        });
        left.min_by_key(|&(_, left)| left)
    }
}
