use std::time::Instant;

use indexmap::IndexMap;

use super::decision::Denial;
use super::faults::Faults;
use super::limit_set::{LimitOwner, LimitSet};
use super::options::Options;
use super::script::{FaultChange, FaultScript};
use super::stats::MockCounts;
use super::windows::WindowClock;
use crate::meter::RuleMeters;

/// What has arrived so far, and the faults at present.
#[derive(Debug)]
pub(super) struct LimitState {
    pub(super) faults: Faults,
    pub(super) chance: fastrand::Rng,
    pub(super) counts: MockCounts,
    pub(super) limit_sets: IndexMap<LimitOwner, LimitSet>,
    pub(super) rules: RuleMeters,
    script: FaultScript,
    clock: Option<WindowClock>,
    options: Options,
}

impl LimitState {
    pub(super) fn new(options: &Options) -> Self {
        let mut chance = fastrand::Rng::with_seed(options.seed);
        Self {
            rules: RuleMeters::new(&options.rules, options.counts(), &mut || chance.f64()),
            faults: options.faults.clone(),
            chance: fastrand::Rng::with_seed(options.seed),
            counts: MockCounts::default(),
            limit_sets: IndexMap::new(),
            script: options.script.clone().unwrap_or_default(),
            clock: None,
            options: options.clone(),
        }
    }

    /// Starts a request: first everything happens that is due before it.
    pub(super) fn begin(&mut self, now: Instant) -> WindowClock {
        let minute = self.options.minute;
        let clock = *self.clock.get_or_insert(WindowClock { first: now, minute });
        self.counts.elapsed = self.counts.elapsed.max(now - clock.first);
        self.advance(now);
        clock
    }

    /// Counts the request by its outcome.
    pub(super) fn count(&mut self, clock: WindowClock, now: Instant, denied: Option<&Denial>) {
        match denied.map(Denial::kind) {
            None => self.counts.admitted.add(clock, now, 1),
            Some(None) => self.counts.gone += 1,
            Some(Some(kind)) => {
                self.counts.denied.add(clock, now, 1);
                *self.counts.by_kind.entry(kind).or_default() += 1;
            }
        }
    }

    /// Lets everything happen that is due by now. Before the first request, nothing is.
    pub(super) fn advance(&mut self, now: Instant) {
        let Some(clock) = self.clock else { return };
        while let Some((at, step)) = self.script.next(now - clock.first, clock.minute) {
            self.change(clock.first + at, &step);
        }
        self.count_foreign(now);
    }

    /// Changes the faults from this moment on.
    pub(super) fn change(&mut self, at: Instant, step: &FaultChange) {
        self.count_foreign(at);
        self.faults.change(step);
        self.limit_sets.values_mut().for_each(|limit_set| limit_set.apply(&self.faults, at));
    }

    /// Counts the foreign requests that are due by now.
    fn count_foreign(&mut self, now: Instant) {
        if let Some(clock) = self.clock {
            self.limit_sets.values_mut().for_each(|limit_set| limit_set.count_foreign(clock, now));
        }
    }
}
