//! What the scheduler holds goes over a restart: all of it from time to time, and each request as it is sent.

use std::sync::Arc;
use std::time::Duration;

use super::commit::CommitLog;
use super::driver::{AT_ONCE, Admission};
use super::{RequestTotals, SavedInstanceUse, SavedRetry, Scheduler};
use crate::limit::PoolId;

/// What is used of the limits, and who comes back.
#[derive(Clone, Debug, Default)]
pub struct SavedState {
    /// What had happened when it began to be gathered.
    pub totals: RequestTotals,
    /// What is used of each pool instance.
    pub instances: Vec<SavedInstanceUse>,
    /// The clients that come back, the first of them first.
    pub retries: Vec<SavedRetry>,
}

impl Admission {
    /// From now on this hears of every request that is sent. There is one for good.
    pub fn log_commits(&self, log: Arc<dyn CommitLog>) {
        self.scheduler.0.log_commits(log);
    }

    /// What has happened so far.
    #[must_use]
    pub fn totals(&self) -> RequestTotals {
        self.scheduler.with(|scheduler, _| scheduler.totals())
    }

    /// All that is used, some instances at a time: those who ask for a place go between.
    #[must_use]
    pub fn saved_state(&self) -> SavedState {
        let (totals, retries, mut ids) =
            self.scheduler.with(|scheduler, _| (scheduler.totals(), scheduler.saved_retries(), scheduler.in_use()));
        let mut instances = Vec::with_capacity(ids.len());
        while !ids.is_empty() {
            let some = ids.split_off(ids.len().saturating_sub(AT_ONCE));
            instances.extend(self.scheduler.with(|scheduler, now| scheduler.saved_use(now, some)));
        }
        SavedState { totals, instances, retries }
    }

    /// What was used of one instance before the start counts on.
    pub fn restore_use(&self, saved: &SavedInstanceUse) {
        self.scheduler.with(|scheduler, now| scheduler.restore_use(now, saved));
    }

    /// A request was sent so long before now that [`Admission::restore_use`] does not know of.
    pub fn recommit(&self, age: Duration, pool: PoolId, key: &str, cost: u32) {
        self.scheduler.with(|scheduler, now| {
            scheduler.recommit(now, now.checked_sub(age).unwrap_or(now), pool, key, cost);
        });
    }

    /// A client that was to come back before the start still may.
    pub fn restore_retry(&self, saved: &SavedRetry) {
        self.scheduler.with(|scheduler, now| scheduler.restore_retry(now, saved));
    }

    /// Begins as if every limit had just been used up.
    pub fn start_full(&self) {
        self.scheduler.with(Scheduler::start_full);
    }
}
