use std::cell::Cell;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use governor::clock::Clock;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};
use governor::{Quota, RateLimiter};

use super::{NotYet, Rate};

/// An even pace with a burst: `governor`'s GCRA, told the time and asked without commitment.
///
/// The state is one instant, the *theoretical arrival time* (TAT) of the next cell. `governor` computes what it would
/// become; [`Pace::spend`] alone stores it, at the time of the real send. So with a burst of 1 the gap is counted from
/// the last real send, and a timer that fired late is never caught up.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    quota: Quota,
    tat: Option<Instant>,
}

impl Pace {
    /// `rate` evenly, with the margin spread over its window, and up to `burst` at once.
    pub(super) fn new(rate: Rate, margin: Duration, burst: NonZeroU32) -> Self {
        let spread = NonZeroU32::new(rate.amount()).and_then(|amount| Rate::new(amount, rate.per() + margin));
        let interval = spread.unwrap_or(rate).interval();
        let quota = Quota::with_period(interval).expect("an interval is never zero").allow_burst(burst);
        Self { quota, tat: None }
    }

    /// May `cost` go now, while `held` more may be spent at any moment?
    ///
    /// A cost above the burst goes when a whole burst could, and is paid off afterwards.
    pub(super) fn check(&self, now: Instant, held: u64, cost: u32) -> Result<(), NotYet> {
        let burst = self.quota.burst_size().get();
        let asked = u32::try_from(held + u64::from(cost)).unwrap_or(u32::MAX);
        if held > 0 && asked > burst {
            return Err(NotYet::Freed);
        }
        self.ask(now, asked.min(burst)).map(drop).map_err(NotYet::Until)
    }

    pub(super) fn spend(&mut self, now: Instant, cost: u32) {
        let at_once = cost.min(self.quota.burst_size().get());
        let after = self.ask(now, at_once).unwrap_or_else(|_| self.backlog(now) + self.interval() * at_once);
        self.tat = Some(after + self.interval() * (cost - at_once));
    }

    /// When something that costs `own` would go after `ahead` more, if all of them went as early as they may.
    pub(super) fn turn_of(&self, now: Instant, ahead: u64, own: u32) -> Instant {
        let ahead = ahead + u64::from(own.min(self.quota.burst_size().get()));
        let beyond_burst = ahead.saturating_sub(u64::from(self.quota.burst_size().get()));
        let cells = u32::try_from(beyond_burst).unwrap_or(u32::MAX);
        let burst_ago = self.backlog(now) + self.interval() * u32::try_from(ahead - beyond_burst).unwrap_or(u32::MAX);
        let tolerance = self.interval() * self.quota.burst_size().get();
        burst_ago.checked_sub(tolerance).map_or(now, |at| at.max(now)) + self.interval() * cells
    }

    /// When something that costs `own` would go after `before` more of which none goes before `first`.
    pub(super) fn turn_after(&self, first: Instant, before: u64, own: u32) -> Instant {
        let burst = self.quota.burst_size().get();
        let beyond_burst = (before + u64::from(own.min(burst))).saturating_sub(u64::from(burst));
        first + self.interval() * u32::try_from(beyond_burst).unwrap_or(u32::MAX)
    }

    /// No debt: as if nothing had ever been sent.
    pub(super) fn is_idle(&self, now: Instant) -> bool {
        self.tat.is_none_or(|tat| tat <= now)
    }

    fn backlog(&self, now: Instant) -> Instant {
        self.tat.map_or(now, |tat| tat.max(now))
    }

    fn interval(&self) -> Duration {
        self.quota.replenish_interval()
    }

    /// The TAT after `cells` went at `now`, or the instant before which they may not.
    fn ask(&self, now: Instant, cells: u32) -> Result<Instant, Instant> {
        let Some(cells) = NonZeroU32::new(cells) else { return Ok(self.backlog(now)) };
        let staged = Staged { after: Cell::new(self.backlog(now) - now) };
        let limiter: RateLimiter<_, _, _> = RateLimiter::new(self.quota, staged, Told(now));
        match limiter.check_n(cells).expect("the caller asks for no more than a burst") {
            Ok(()) => Ok(now + limiter.into_state_store().after.get()),
            Err(refused) => Err(refused.earliest_possible()),
        }
    }
}

/// `governor`'s state, counted from `now`: read for the question, and holding the answer for whoever wants to keep it.
struct Staged {
    after: Cell<Duration>,
}

impl StateStore for Staged {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let (outcome, after) = decide(Some(self.after.get().into()))?;
        self.after.set(after.into());
        Ok(outcome)
    }
}

/// A clock that says what it was told.
struct Told(Instant);

impl Clock for Told {
    type Instant = Instant;

    fn now(&self) -> Instant {
        self.0
    }
}
