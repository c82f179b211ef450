use std::time::{Duration, Instant};

use governor::clock::FakeRelativeClock;

use crate::client::ClientQuota;
use crate::limit::Rate;
use crate::scheduler::ClientId;

/// The gate's client quotas, on the simulation's clock.
pub(super) struct VirtualQuota {
    quota: ClientQuota<FakeRelativeClock>,
    clock: FakeRelativeClock,
    now: Instant,
}

impl VirtualQuota {
    pub(super) fn new(rate: Rate, now: Instant) -> Option<Self> {
        let clock = FakeRelativeClock::default();
        Some(Self { quota: ClientQuota::new(rate, clock.clone())?, clock, now })
    }

    /// Counts a request of this client, as [`ClientQuota::check`] does.
    pub(super) fn check(&mut self, now: Instant, client: ClientId) -> Result<(), Duration> {
        self.clock.advance(now - self.now);
        self.now = now;
        self.quota.check(client)
    }
}
