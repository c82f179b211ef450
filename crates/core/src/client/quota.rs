use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use crate::limit::Rate;
use crate::queue::ClientId;

/// What each client may send: `governor`'s GCRA with a burst of a whole window.
///
/// It is given its clock, so that the simulator uses the same one.
pub struct ClientQuota<C: Clock> {
    limiter: RateLimiter<ClientId, DefaultKeyedStateStore<ClientId>, C, NoOpMiddleware<C::Instant>>,
    clock: C,
    rate: Rate,
    forget_at: AtomicUsize,
}

/// Above this number of clients, idle ones are forgotten. A guess: it bounds the memory.
const REMEMBERED: usize = 10_000;

impl<C: Clock + Clone> ClientQuota<C> {
    /// A quota of this rate for each client.
    #[must_use]
    pub fn new(rate: Rate, clock: C) -> Option<Self> {
        let burst = NonZeroU32::new(rate.amount())?;
        let quota = Quota::with_period(rate.interval())?.allow_burst(burst);
        let limiter = RateLimiter::new(quota, DefaultKeyedStateStore::default(), clock.clone());
        Some(Self { limiter, clock, rate, forget_at: REMEMBERED.into() })
    }

    /// The rate of each client.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Counts a request of this client.
    ///
    /// # Errors
    /// The client is over its quota, for this long.
    pub fn check(&self, client: ClientId) -> Result<(), Duration> {
        if self.limiter.len() > self.forget_at.load(Ordering::Relaxed) {
            self.limiter.retain_recent();
            // If few of them were idle, the next sweep must not come with the next request.
            self.forget_at.store(REMEMBERED.max(2 * self.limiter.len()), Ordering::Relaxed);
        }
        let checked = self.limiter.check_key(&client);
        checked.map_err(|until| until.wait_time_from(self.clock.now()))
    }
}
