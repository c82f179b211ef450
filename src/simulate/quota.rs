use std::time::{Duration, Instant};

use governor::clock::FakeRelativeClock;

use crate::admission::ClientId;
use crate::config::ClientsConfig;
use crate::proxy::Quota;

/// What each client may send, as the gate checks it, on a clock that is set.
pub(super) struct Quotas {
    quota: Quota<FakeRelativeClock>,
    clock: FakeRelativeClock,
    now: Instant,
}

impl Quotas {
    pub(super) fn new(clients: &ClientsConfig, now: Instant) -> Option<Self> {
        let clock = FakeRelativeClock::default();
        Some(Self { quota: Quota::new(clients, clock.clone())?, clock, now })
    }

    /// A client sends a request; how long it must stay away, if it must.
    pub(super) fn check(&mut self, now: Instant, client: ClientId) -> Result<(), Duration> {
        self.clock.advance(now - self.now);
        self.now = now;
        self.quota.check(client)
    }
}
