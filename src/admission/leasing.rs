//! Limits that several gates share: what the task that shares them asks of the scheduler.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::driver::Admission;
use crate::limit::{Called, Source, TurnTime};
use crate::replica::{Lease, MeterCall};

impl Admission {
    /// From now on all written limits are shared, and nothing is leased yet. What this returns hears of each request that waits.
    #[must_use]
    pub fn lease(&self) -> Arc<Notify> {
        self.scheduler.with(|scheduler, _| scheduler.lease());
        self.scheduler.0.wanted()
    }

    /// What is said in a turn of `gates` gates; `answered`: when the last answer came.
    #[must_use]
    pub fn turn_call(&self, answered: Instant, gates: u64, declared: Option<Instant>) -> (Called, Vec<MeterCall>) {
        self.scheduler.with(|scheduler, now| scheduler.turn_call(TurnTime { now, answered, gates }, declared))
    }

    /// What came of it.
    pub fn leased(&self, until: Instant, called: &Called, leases: Vec<Lease>) {
        self.scheduler.with(|scheduler, now| scheduler.leased(now, until, called, leases));
    }

    /// Where places come from, by the span of their limit.
    pub fn set_source(&self, source: impl Fn(Duration) -> Source) {
        self.scheduler.with(|scheduler, now| scheduler.set_source(now, source));
    }
}
