//! Other limits while requests wait: what was sent counts on, and each request keeps its place and its deadline.

use std::time::Instant;

use super::rules::PoolRules;
use super::state::Scheduler;
use crate::limit::Limits;

impl<W> Scheduler<W> {
    /// The same pools have these limits and bounds from now on. The same ones again change nothing.
    ///
    /// # Panics
    /// If there are not as many pools.
    pub fn reload(&mut self, now: Instant, pools: Vec<(Limits, PoolRules)>, max_waiting: usize) {
        self.rules.max_waiting = max_waiting;
        if pools == self.rules.pools {
            return;
        }
        self.ledger.reload(now, pools.iter().map(|(limits, _)| limits.clone()).collect());
        self.rules.pools = pools;
        // Those who wait go now if there is room by now, and else are looked at when there will be.
        let all = self.ledger.ids();
        self.pump(now, all);
    }
}
