use std::time::Instant;

use super::faults::Faults;
use super::foreign::{ForeignTraffic, ForeignUse};
use super::fraction::whole;
use super::measure::{Cost, Measure, OverLimit, RateLimitStatus};
use super::windows::WindowClock;
use crate::limit::Rate;
use crate::meter::Meter;

/// One limit. Faults change it, and foreign traffic uses it too.
#[derive(Debug)]
pub(super) struct EnforcedLimit {
    pub(super) measure: Measure,
    /// The limit without faults.
    pub(super) rate: Rate,
    pub(super) meter: Meter,
    pub(super) foreign_use: ForeignUse,
    /// The limit at present.
    amount: u32,
    foreign: ForeignTraffic,
}

impl EnforcedLimit {
    pub(super) fn new(measure: Measure, rate: Rate, meter: Meter, chance: fastrand::Rng, now: Instant) -> Self {
        let foreign = ForeignTraffic::new(chance, meter.per(), now);
        Self { measure, rate, meter, foreign_use: ForeignUse::default(), amount: rate.amount(), foreign }
    }

    /// Applies these faults from now on.
    pub(super) fn apply(&mut self, faults: &Faults, now: Instant) {
        self.amount = faults.scale.of(self.rate.amount());
        self.meter.resize(now, self.amount);
        self.foreign.begin(whole(faults.foreign.of(f64::from(self.amount / self.foreign_cost()))), now);
    }

    /// Counts the foreign requests that are due by now. Those without room are dropped.
    pub(super) fn count_foreign(&mut self, clock: WindowClock, now: Instant) {
        let foreign_cost = self.foreign_cost();
        while let Some(at) = self.foreign.next(now) {
            if self.meter.room(at, foreign_cost).is_ok() {
                self.meter.count(at, foreign_cost);
                self.foreign_use.admitted.add(clock, at, foreign_cost.into());
            } else {
                self.foreign_use.dropped += u64::from(foreign_cost);
            }
        }
    }

    /// Counts an arrival, and says whether it is over the limit.
    pub(super) fn arrive(&mut self, now: Instant, cost: Cost) -> Option<OverLimit> {
        let requested = self.measure.of(cost);
        self.meter.arrive(now, requested);
        let again_in = self.meter.room(now, requested).err()?;
        let used = self.amount.saturating_sub(whole(self.meter.left(now)));
        Some(OverLimit { measure: self.measure, limit: self.amount, used, requested, again_in })
    }

    pub(super) fn count(&mut self, now: Instant, cost: Cost) {
        self.meter.count(now, self.measure.of(cost));
    }

    pub(super) fn left(&mut self, now: Instant) -> RateLimitStatus {
        let remaining = whole(self.meter.left(now));
        RateLimitStatus { limit: self.amount, remaining, reset: self.meter.wait(now, f64::from(self.amount)) }
    }

    /// The cost of a foreign request. In tokens it is a hundredth of the limit. A guess: an ordinary request.
    fn foreign_cost(&self) -> u32 {
        if self.measure == Measure::Tokens { (self.rate.amount() / 100).max(1) } else { 1 }
    }
}
