use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use governor::clock::Clock;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};
use governor::{Quota, RateLimiter};

use super::{NotYet, Rate};

/// An even pace with a burst: `governor`'s GCRA, told the time and asked without commitment.
///
/// The state is one instant, the *theoretical arrival time* (TAT) of the next cell. [`Pace::commit`] alone moves it, at the
/// time of the real send. So with a burst of 1 the gap is counted from the last real send, and a timer that fired late
/// is never caught up.
///
/// Jitter on the way lets what was sent evenly arrive unevenly, and a bucket that is empty refuses whatever comes early.
/// So what follows a burst stays behind by the margin: once, and the pace is none the slower for it. Where there is no
/// burst to take that from, the margin is spread over the window instead.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    quota: Quota,
    behind: Duration,
    tat: Option<Instant>,
}

impl Pace {
    /// `rate` evenly, less the margin, and up to `burst` at once.
    pub(super) fn new(rate: Rate, margin: Duration, burst: NonZeroU32) -> Self {
        let spread = || NonZeroU32::new(rate.amount()).and_then(|amount| Rate::new(amount, rate.per() + margin));
        let (interval, behind) = if burst == NonZeroU32::MIN {
            (spread().unwrap_or(rate).interval(), Duration::ZERO)
        } else {
            (rate.interval(), margin.min(rate.interval() * (burst.get() - 1)))
        };
        let quota = Quota::with_period(interval).expect("an interval is never zero").allow_burst(burst);
        Self { quota, behind, tat: None }
    }

    /// The same, after what another has committed.
    pub(super) fn after(self, other: &Self) -> Self {
        Self { tat: other.tat, ..self }
    }

    /// When all that was committed is paid off, if anything ever was.
    pub(super) fn paid_off(&self) -> Option<Instant> {
        self.tat
    }

    /// What was committed before the start is paid off no earlier than this.
    pub(super) fn owe_until(&mut self, at: Instant) {
        self.tat = self.tat.max(Some(at));
    }

    /// Nothing is left of the burst, and the next goes after an interval.
    pub(super) fn exhaust(&mut self, now: Instant) {
        self.clamp_left(now, 0, 0);
    }

    /// As many as are left of the burst are no fewer than `fewest` and no more than `most`.
    pub(super) fn clamp_left(&mut self, now: Instant, fewest: u64, most: u64) {
        let burst = u64::from(self.quota.burst_size().get());
        // Of the burst (tat − now) ÷ interval are gone. So `left` are left if the TAT is burst − left intervals from
        // now.
        let empty_for = |left: u64| self.interval() * u32::try_from(burst.saturating_sub(left)).unwrap_or(u32::MAX);
        let (soonest, latest) = (now + empty_for(most), now + empty_for(fewest.min(most)));
        self.tat = Some(self.tat.map_or(now, |tat| tat.max(now)).clamp(soonest, latest));
    }

    /// What was committed for `taken` has cost `cost`.
    pub(super) fn correct(&mut self, now: Instant, taken: u32, cost: u32) {
        let Some(tat) = self.tat else { return };
        let corrected = (tat + self.interval() * cost).checked_sub(self.interval() * taken);
        self.tat = Some(corrected.unwrap_or(now));
    }

    /// How many are left of the burst.
    pub(super) fn left(&self, now: Instant) -> u64 {
        let debt = self.tat.map_or(Duration::ZERO, |tat| tat.saturating_duration_since(now));
        let owed = debt.as_nanos().div_ceil(self.interval().as_nanos().max(1));
        u64::from(self.quota.burst_size().get()).saturating_sub(u64::try_from(owed).unwrap_or(u64::MAX))
    }

    /// How many come back to the burst in so long.
    pub(super) fn refilled(&self, within: Duration) -> u64 {
        u64::try_from(within.as_nanos() / self.interval().as_nanos().max(1)).unwrap_or(u64::MAX)
    }

    /// May `cost` go now, while `reserved` more may be committed at any moment?
    ///
    /// A cost above the burst goes when a whole burst could, and is paid off afterwards.
    pub(super) fn check(&self, now: Instant, reserved: u64, cost: u32) -> Result<(), NotYet> {
        let burst = self.quota.burst_size().get();
        let asked = u32::try_from(reserved + u64::from(cost)).unwrap_or(u32::MAX);
        if reserved > 0 && asked > burst {
            return Err(NotYet::Freed);
        }
        self.ask(now, asked.min(burst)).map_err(NotYet::Until)
    }

    /// Whether `later` may still go at `at` if `cost` goes now, beside the `reserved`.
    pub(super) fn leaves(&self, now: Instant, reserved: u64, cost: u32, later: u32, at: Instant) -> bool {
        let mut then = self.clone();
        then.commit(now, u32::try_from(reserved + u64::from(cost)).unwrap_or(u32::MAX));
        then.check(at.max(now), 0, later).is_ok()
    }

    /// How much may go from now on until `by`, if all of it goes as early as it may.
    pub(super) fn room_by(&self, now: Instant, by: Instant) -> u64 {
        let burst = self.quota.burst_size().get();
        let paid_off = self.tat.map_or(now, |tat| tat.max(now)) + self.behind;
        let paid = (by + self.interval() * burst).saturating_duration_since(paid_off);
        let cells = u64::try_from(paid.as_nanos() / self.interval().as_nanos().max(1)).unwrap_or(u64::MAX);
        if self.is_idle(now) { cells.max(u64::from(burst)) } else { cells }
    }

    pub(super) fn commit(&mut self, now: Instant, cost: u32) {
        self.tat = Some(self.tat.map_or(now, |tat| tat.max(now)) + self.interval() * cost);
    }

    /// When something that costs `own` would go after `ahead` more, if all of them went as early as they may.
    pub(super) fn turn_of(&self, now: Instant, ahead: u64, own: u32) -> Instant {
        let burst = self.quota.burst_size().get();
        let cells = u32::try_from(ahead + u64::from(own.min(burst))).unwrap_or(u32::MAX);
        if self.is_idle(now) && cells <= burst {
            return now;
        }
        let paid_off = self.tat.map_or(now, |tat| tat.max(now)) + self.behind + self.interval() * cells;
        paid_off.checked_sub(self.interval() * burst).map_or(now, |at| at.max(now))
    }

    /// When something that costs `own` would go after `before` more of which none goes before `first`.
    pub(super) fn turn_after(&self, first: Instant, before: u64, own: u32) -> Instant {
        let burst = self.quota.burst_size().get();
        let beyond_burst = (before + u64::from(own.min(burst))).saturating_sub(u64::from(burst));
        first + self.interval() * u32::try_from(beyond_burst).unwrap_or(u32::MAX)
    }

    /// No debt: as if nothing had ever been sent.
    pub(super) fn is_idle(&self, now: Instant) -> bool {
        self.tat.is_none_or(|tat| tat + self.behind <= now)
    }

    fn interval(&self) -> Duration {
        self.quota.replenish_interval()
    }

    /// Whether `cells` may go at `now`, or the instant before which they may not.
    fn ask(&self, now: Instant, cells: u32) -> Result<(), Instant> {
        let Some(cells) = NonZeroU32::new(cells) else { return Ok(()) };
        let debt = self.tat.map_or(Duration::ZERO, |tat| (tat + self.behind).saturating_duration_since(now));
        let limiter: RateLimiter<_, _, _> = RateLimiter::new(self.quota, Staged { debt }, FixedClock(now));
        let verdict = limiter.check_n(cells).expect("the caller asks for no more than a burst");
        verdict.map_err(|refused| refused.earliest_possible())
    }
}

/// `governor`'s state, counted from `now`: read for the question, and left as it is.
struct Staged {
    debt: Duration,
}

impl StateStore for Staged {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        decide(Some(self.debt.into())).map(|(outcome, _)| outcome)
    }
}

/// A clock that says what it was told.
struct FixedClock(Instant);

impl Clock for FixedClock {
    type Instant = Instant;

    fn now(&self) -> Instant {
        self.0
    }
}
