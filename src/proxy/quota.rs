use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either};
use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota as Rate, RateLimiter};
use tower::Service;

use super::Gate;
use super::failure::{Cause, Failure};
use super::passing::{Routed, Tries};
use crate::admission::ClientId;
use crate::config::ClientsConfig;

/// What each client may send. `governor`'s GCRA with a burst: who kept still may send a whole window's worth at once.
///
/// It is given its clock, so that `simulate` asks the same.
pub struct Quota<C: Clock = DefaultClock> {
    limiter: RateLimiter<ClientId, DefaultKeyedStateStore<ClientId>, C, NoOpMiddleware<C::Instant>>,
    clock: C,
    pub(super) rate: crate::limit::Rate,
    forget_at: AtomicUsize,
}

/// How many clients are remembered before those that have been still are forgotten. A guess: it bounds the memory.
const REMEMBERED: usize = 10_000;

impl<C: Clock + Clone> Quota<C> {
    /// As it is configured, if it is.
    #[must_use]
    pub fn new(clients: &ClientsConfig, clock: C) -> Option<Self> {
        let rate = clients.quota?;
        let burst = NonZeroU32::new(rate.amount())?;
        let quota = Rate::with_period(rate.interval())?.allow_burst(burst);
        let limiter = RateLimiter::new(quota, DefaultKeyedStateStore::default(), clock.clone());
        Some(Self { limiter, clock, rate, forget_at: REMEMBERED.into() })
    }

    /// A client sends a request.
    ///
    /// # Errors
    /// How long it must stay away.
    pub fn check(&self, client: ClientId) -> Result<(), Duration> {
        if self.limiter.len() > self.forget_at.load(Ordering::Relaxed) {
            self.limiter.retain_recent();
            // So that a crowd of which nobody can be forgotten yet is not looked through at every request.
            self.forget_at.store(REMEMBERED.max(2 * self.limiter.len()), Ordering::Relaxed);
        }
        let verdict = self.limiter.check_key(&client);
        verdict.map_err(|until| until.wait_time_from(self.clock.now()))
    }
}

/// Refuses a client that sends more than it may.
#[derive(Clone)]
pub(super) struct CheckQuota<Inner> {
    gate: Gate,
    inner: Inner,
}

impl<Inner> CheckQuota<Inner> {
    pub(super) fn new(gate: Gate, inner: Inner) -> Self {
        Self { gate, inner }
    }
}

impl<Inner> Service<Routed> for CheckQuota<Inner>
where
    Inner: Service<Routed, Response: 'static, Error = Failure, Future: Send + 'static>,
{
    type Response = Inner::Response;
    type Error = Failure;
    type Future = Either<Inner::Future, BoxFuture<'static, Result<Inner::Response, Failure>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, routed: Routed) -> Self::Future {
        let checked = self.gate.shared.quota.as_ref().map(|quota| (quota.rate, quota.check(routed.who)));
        match checked {
            Some((rate, Err(retry_after))) => {
                let cause = Cause::ClientQuota { rate, retry_after };
                Either::Right(routed.arrived.refuse(cause, Tries::default()).map(Err).boxed())
            }
            _ => Either::Left(self.inner.call(routed)),
        }
    }
}
