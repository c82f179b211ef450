use std::time::Instant;

use indexmap::IndexMap;

use super::Options;
use super::budget::{Budget, Whose};
use super::script::{Script, Step};
use super::tally::{Clock, Tally};
use super::verdict::Denied;
use super::weather::Weather;

/// What has come so far, and the weather it meets.
#[derive(Debug)]
pub(super) struct Traffic {
    pub(super) weather: Weather,
    pub(super) chance: fastrand::Rng,
    pub(super) tally: Tally,
    pub(super) budgets: IndexMap<Whose, Budget>,
    script: Script,
    clock: Option<Clock>,
    options: Options,
}

impl Traffic {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            weather: options.weather.clone(),
            chance: fastrand::Rng::with_seed(options.seed),
            tally: Tally::default(),
            budgets: IndexMap::new(),
            script: options.script.clone().unwrap_or_default(),
            clock: None,
            options: options.clone(),
        }
    }

    /// A request has come: lets everything happen that was to happen before it.
    pub(super) fn begin(&mut self, now: Instant) -> Clock {
        let minute = self.options.minute;
        let clock = *self.clock.get_or_insert(Clock { first: now, minute });
        self.tally.elapsed = self.tally.elapsed.max(now - clock.first);
        self.turn(now);
        clock
    }

    /// Counts what became of it.
    pub(super) fn count(&mut self, clock: Clock, now: Instant, denied: Option<&Denied>) {
        match denied.map(Denied::kind) {
            None => self.tally.admitted.add(clock, now, 1),
            Some(None) => self.tally.gone += 1,
            Some(Some(kind)) => {
                self.tally.denied.add(clock, now, 1);
                *self.tally.by_kind.entry(kind).or_default() += 1;
            }
        }
    }

    /// Lets everything happen that was to happen by now, if anything has begun.
    pub(super) fn turn(&mut self, now: Instant) {
        let Some(clock) = self.clock else { return };
        while let Some((at, step)) = self.script.next(now - clock.first, clock.minute) {
            self.change(clock.first + at, &step);
        }
        self.settle(now);
    }

    /// From this moment on the weather is another.
    pub(super) fn change(&mut self, at: Instant, step: &Step) {
        self.settle(at);
        self.weather.change(step);
        self.budgets.values_mut().for_each(|budget| budget.meet(&self.weather, at));
    }

    /// Counts what others have taken by now.
    fn settle(&mut self, now: Instant) {
        if let Some(clock) = self.clock {
            self.budgets.values_mut().for_each(|budget| budget.settle(clock, now));
        }
    }
}
