//! Other limits while requests wait: what was sent counts on, and each request keeps its place and its deadline.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Instant;

use super::rules::PoolRules;
use super::state::Scheduler;
use crate::limit::Limits;
use crate::queue::ClientId;

impl<W> Scheduler<W> {
    /// From now on clients have these shares; who waits keeps its place.
    pub fn reweigh(&mut self, weights: HashMap<ClientId, NonZeroU32>) {
        if weights != self.rules.weights {
            self.queue.reweigh(weights.clone());
            self.rules.weights = weights;
        }
    }

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
