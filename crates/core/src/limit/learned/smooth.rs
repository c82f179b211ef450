use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use super::{Basis, SavedLimit};
use crate::limit::Rate;
use crate::limit::pace::Pace;

/// By how much the pace becomes slower with each refusal, in thousandths: 0.5 % was enough for every bucket that was
/// simulated (docs/upstream.md §6).
const STEP: u32 = 5;

/// And at most. A guess: eight steps.
const MOST: u32 = 40;

/// What is left of the burst after each refusal. A guess.
const LESS: (u32, u32) = (9, 10);

/// How many refusals within one window say that it is not the shape, if there is one for so many that are taken. A
/// guess.
const TOO_MANY: u32 = 5;
const ONE_IN: u32 = 4;

/// A limit that holds as configured, and not in bursts: the upstream's bucket is smaller than the window.
#[derive(Clone, Debug)]
pub(in crate::limit) struct Smooth {
    basis: Basis,
    limit: u32,
    burst: u32,
    slower: u32,
    pace: Pace,
    window_began: Instant,
    refused_since: u32,
    taken_since: u32,
}

impl Smooth {
    /// A burst of so many had passed. Nothing where no limit is configured.
    pub(super) fn new(now: Instant, burst: u64, basis: Basis) -> Option<Self> {
        let limit = basis.limit?;
        let burst = u32::try_from(burst).unwrap_or(u32::MAX).clamp(1, limit);
        let pace = Pace::new(rate(limit, basis.per), basis.margin, NonZeroU32::MIN);
        let mut smooth =
            Self { basis, limit, burst, slower: STEP, pace, window_began: now, refused_since: 0, taken_since: 0 };
        smooth.change(now);
        Some(smooth)
    }

    /// As it was before a restart.
    pub(super) fn recalled(now: Instant, burst: u32, slower: u32, basis: Basis) -> Option<Self> {
        let mut smooth = Self::new(now, burst.into(), basis)?;
        smooth.slower = slower.clamp(STEP, MOST);
        smooth.change(now);
        Some(smooth)
    }

    pub(super) fn to_saved(&self) -> SavedLimit {
        SavedLimit::Smooth { limit: self.limit(), burst: self.burst, slower: self.slower }
    }

    pub(super) fn limit(&self) -> Rate {
        rate(self.limit, self.basis.per)
    }

    pub(super) fn burst(&self) -> u32 {
        self.burst
    }

    pub(super) fn pace(&self) -> &Pace {
        &self.pace
    }

    pub(super) fn pace_mut(&mut self) -> &mut Pace {
        &mut self.pace
    }

    pub(super) fn accepted(&mut self) {
        self.taken_since += 1;
    }

    /// It is slower still; whether it is not the shape after all.
    pub(super) fn refused(&mut self, now: Instant) -> bool {
        if now >= self.window_began + self.basis.per {
            (self.window_began, self.refused_since, self.taken_since) = (now, 0, 0);
        }
        self.refused_since += 1;
        self.slower = (self.slower + STEP).min(MOST);
        self.burst = (self.burst * LESS.0 / LESS.1).max(1);
        self.change(now);
        self.refused_since > TOO_MANY && self.refused_since * ONE_IN > self.taken_since
    }

    pub(super) fn refine(&mut self, now: Instant, burst: u64) {
        self.burst = u32::try_from(burst).unwrap_or(u32::MAX).clamp(1, self.burst);
        self.change(now);
    }

    fn change(&mut self, now: Instant) {
        let per = self.basis.per + self.basis.per * self.slower / 1_000;
        let burst = NonZeroU32::new(self.burst).unwrap_or(NonZeroU32::MIN);
        self.pace = Pace::new(rate(self.limit, per), Duration::ZERO, burst);
        self.pace.exhaust(now);
    }
}

fn rate(amount: u32, per: Duration) -> Rate {
    Rate::new(NonZeroU32::new(amount).unwrap_or(NonZeroU32::MIN), per).expect("a window takes some time")
}
