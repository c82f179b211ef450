//! What has been learned, kept over a restart.

use std::time::Instant;

use super::state::Scheduler;
use crate::limit::{Outdated, SavedInstance};

impl<W> Scheduler<W> {
    /// All that has been learned and is worth keeping.
    #[must_use]
    pub fn saved_estimates(&self) -> Vec<SavedInstance> {
        self.ledger.saved_estimates()
    }

    /// What was learned before holds again.
    ///
    /// # Errors
    /// [`Outdated`]: it changes nothing.
    pub fn recall(&mut self, now: Instant, estimate: &SavedInstance) -> Result<(), Outdated> {
        let recalled = self.ledger.recall(now, estimate);
        self.timers.start_sweeps(now);
        recalled
    }
}
