//! The evidence about one pool instance, or about the whole upstream: what each hypothesis had to explain.

use std::time::Duration;

use smallvec::SmallVec;

use super::histogram::{BEGINS, FOLLOWING, FREE, Fit, LASTS, RANDOM, WHOLE, marginal};
use super::hypothesis::{Hypothesis, Kind, View};
use super::lens::{Evidence, Lens, ROUTE, name_of, part};
use super::sample::{Place, Sample};
use super::subject::{KEYS, Subject};
use super::traffic::{Clock, Tick};
use super::{BACKLOG, ConfiguredLimit, INDICATORS, Levels, WINDOWS};

/// So many hypotheses are kept, the best ones. A guess: the others are worth nothing.
const KEPT: usize = 10;

/// The pool, the route, and each kind of key.
pub(super) const VIEWS: usize = 2 + KEYS;

/// The windows that upstreams have beside the configured one: some gateways allow a burst in a tenth of a second, Azure
/// counts in pieces of 1 and 10 s, and model limits are told per minute (docs/upstream.md §2, §7).
const SHORT: [Duration; 3] = [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(10)];
const MINUTE: Duration = Duration::from_mins(1);

/// After so many windows the evidence has half of its weight. A guess: limits change with the hour.
const FADES: u64 = 4;

/// A hypothesis with how well it explains the evidence, its prior included, and the limit that it means.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scored {
    pub(super) hypothesis: Hypothesis,
    /// The route, where the limit is of one.
    pub(super) route: Option<u64>,
    pub(super) score: f64,
    pub(super) limit: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) configured: ConfiguredLimit,
    pub(super) clock: Clock,
    lenses: [Lens; VIEWS],
    /// Refusals and acceptances in all.
    totals: (f64, f64),
    /// The same after an acceptance, and after a refusal.
    after: [(f64, f64); 2],
    last_refused: bool,
    faded_at: u64,
    pub(super) accepted: u64,
    pub(super) refusals: u64,
}

impl Record {
    pub(super) fn new(configured: ConfiguredLimit) -> Self {
        let [tenth, second, ten] = SHORT;
        let third = if configured.per == ten || configured.per > MINUTE { MINUTE } else { ten };
        Self {
            configured,
            clock: Clock::new([tenth, second, third, configured.per], configured.amount),
            lenses: Default::default(),
            totals: (0.0, 0.0),
            after: [(0.0, 0.0); 2],
            last_refused: false,
            faded_at: 0,
            accepted: 0,
            refusals: 0,
        }
    }

    /// Whether anything was refused that still counts.
    pub(super) fn has_evidence(&self) -> bool {
        self.totals.0 > 0.0
    }

    /// How much memory it takes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let evidence = size_of::<Evidence>();
        let of = |lens: &Lens| {
            lens.groups.capacity() * size_of_val(lens.groups.first().map_or(&[][..], std::slice::from_ref))
                + lens.names.len() * size_of::<u64>()
                + lens.evidence.iter().count() * evidence
                + lens.of_route.capacity() * (evidence + size_of::<u64>())
        };
        size_of::<Self>() + self.lenses.iter().map(of).sum::<usize>()
    }

    pub(super) fn forget(&mut self) {
        for lens in &mut self.lenses {
            lens.evidence = None;
            lens.of_route.clear();
        }
        (self.totals, self.after, self.last_refused) = ((0.0, 0.0), [(0.0, 0.0); 2], false);
    }

    pub(super) fn sent(&mut self, number: u16, tick: &Tick, subject: &Subject, is_whole: bool) -> Place {
        let mut samples = SmallVec::new();
        for view in 0..if is_whole { 1 } else { VIEWS } {
            let Some(name) = name_of(view, subject) else { continue };
            let Some(slot) = self.lenses[view].slot(name, tick.at) else { continue };
            let group = &mut self.lenses[view].groups[slot];
            let (refused, number) = (group.refused, group.number);
            let levels = group.sent(&self.clock, tick);
            let (view, slot) = (view as u8, slot as u8);
            samples.push(Sample { view, slot, refused, number, levels });
        }
        Place { record: number, sent: *tick, after_refusal: self.last_refused, samples }
    }

    pub(super) fn accepted(&mut self, subject: &Subject, place: &Place) {
        self.accepted += 1;
        self.count(place, false, WHOLE);
        let mut seen = [false; VIEWS];
        for sample in &place.samples {
            let view = usize::from(sample.view);
            let lens = &mut self.lenses[view];
            let Some(group) = lens.group(sample, subject) else { continue };
            let not_counted = group.refused_before(sample.number, sample.refused);
            let levels = sample.levels.map(|level| level.saturating_sub(not_counted));
            seen[view] = true;
            if let Some(evidence) = lens.evidence(view, subject) {
                evidence.accept(&levels);
            }
        }
        self.count_free(seen, false, WHOLE);
    }

    pub(super) fn refused(&mut self, tick: &Tick, subject: &Subject, place: &Place) {
        self.refusals += 1;
        self.fade(tick.at);
        let weight = if self.last_refused { FOLLOWING } else { WHOLE };
        self.count(place, true, weight);
        let mut seen = [false; VIEWS];
        for sample in &place.samples {
            let view = usize::from(sample.view);
            let lens = &mut self.lenses[view];
            let Some(group) = lens.group(sample, subject) else { continue };
            let not_counted = group.refused_before(sample.number, sample.refused);
            group.refused(&self.clock, tick, &place.sent, sample.number);
            let levels = sample.levels.map(|level| level.saturating_sub(not_counted));
            seen[view] = true;
            if let Some(evidence) = lens.evidence(view, subject) {
                evidence.refuse(&levels, weight);
            }
        }
        self.count_free(seen, true, weight);
    }

    pub(super) fn completed(&mut self, subject: &Subject, place: &Place) {
        for sample in &place.samples {
            if let Some(group) = self.lenses[usize::from(sample.view)].group(sample, subject) {
                group.completed();
            }
        }
    }

    /// How many of the group of this request there are now, at most.
    pub(super) fn levels(&mut self, tick: &Tick, view: usize, subject: &Subject) -> Option<Levels> {
        let name = name_of(view, subject)?;
        let lens = &mut self.lenses[view];
        let slot = lens.names.iter().position(|&known| known == name)?;
        Some(lens.groups[slot].now(&self.clock, tick))
    }

    /// How many nanoseconds until a window of this request's group holds less than this.
    pub(super) fn until_below(
        &mut self,
        tick: &Tick,
        view: usize,
        subject: &Subject,
        window: usize,
        amount: u32,
    ) -> u64 {
        let Some(name) = name_of(view, subject) else { return 0 };
        let lens = &mut self.lenses[view];
        let slot = lens.names.iter().position(|&known| known == name);
        slot.map_or(0, |slot| lens.groups[slot].until_below(&self.clock, tick, window, amount))
    }

    /// Every hypothesis that can explain the evidence.
    pub(super) fn scores(&self, at: u64, is_whole: bool) -> Vec<Scored> {
        let mut scored = Vec::with_capacity(VIEWS * INDICATORS + 2);
        if !self.has_evidence() {
            return scored;
        }
        let mut add = |view, kind, route, score: f64, limit| {
            let hypothesis = Hypothesis { view, kind };
            scored.push(Scored { hypothesis, route, score: score + hypothesis.prior(is_whole), limit });
        };
        add(View::Pool, Kind::Random, None, marginal(self.totals, RANDOM) + self.independence(), 0);
        let outage = marginal(self.after[0], BEGINS) + marginal(self.after[1], LASTS);
        add(View::Pool, Kind::Incident, None, outage, 0);
        for (index, lens) in self.lenses.iter().enumerate() {
            let view = View::from_index(index);
            if index == ROUTE && lens.of_route.len() > 1 {
                for (route, evidence) in lens.of_route.iter().filter(|(_, evidence)| evidence.bound.0 > 0.0) {
                    let (refused, accepted) = (self.totals.0 - evidence.bound.0, self.totals.1 - evidence.bound.1);
                    let free = marginal((refused.max(0.0), accepted.max(0.0)), FREE);
                    add(
                        view,
                        Kind::Random,
                        Some(*route),
                        marginal(evidence.bound, RANDOM) + free + self.independence(),
                        0,
                    );
                    self.fits(at, index, evidence, |kind, fit| {
                        add(view, kind, Some(*route), fit.score + free, fit.limit);
                    });
                }
            }
            let Some(evidence) = lens.evidence.as_ref() else { continue };
            if index == 0 || lens.groups.len() > 1 || evidence.free != (0.0, 0.0) {
                let free = marginal(evidence.free, FREE);
                self.fits(at, index, evidence, |kind, fit| add(view, kind, None, fit.score + free, fit.limit));
            }
        }
        scored.sort_unstable_by(|one: &Scored, other| other.score.total_cmp(&one.score));
        scored.truncate(KEPT);
        scored.shrink_to_fit();
        scored
    }

    /// What speaks against refusals by chance: what is sent after a refusal is refused more often. Nothing, if it is not.
    fn independence(&self) -> f64 {
        let apart = marginal(self.after[0], RANDOM) + marginal(self.after[1], RANDOM);
        let share = self.totals.0 / (self.totals.0 + self.totals.1).max(1.0);
        (marginal(self.totals, RANDOM) - apart).min(0.0) - (share - MOST_BY_CHANCE).max(0.0) * MORE_THAN_CHANCE
    }

    /// How well a limit by each indicator explains what is bound.
    fn fits(&self, at: u64, view: usize, evidence: &Evidence, mut found: impl FnMut(Kind, Fit)) {
        for (indicator, histogram) in evidence.histograms.iter().enumerate() {
            let is_idle = indicator == BACKLOG && (view != 0 || self.configured.amount.is_none());
            if is_idle || self.is_double(indicator) || self.is_unseen(indicator, at) {
                continue;
            }
            let kind = Kind::of(indicator);
            if let Some(fit) = histogram.fit(kind.above()) {
                found(kind, fit);
            }
        }
    }

    /// A window that is longer than the configured one, and has not passed yet.
    fn is_unseen(&self, indicator: usize, at: u64) -> bool {
        indicator < WINDOWS - 1
            && self.clock.windows[indicator] > self.configured.per
            && at < super::traffic::nanos(self.clock.windows[indicator])
    }

    /// A usual window that is also the configured one.
    fn is_double(&self, indicator: usize) -> bool {
        indicator < WINDOWS - 1 && self.clock.windows[indicator] == self.configured.per
    }

    fn count(&mut self, place: &Place, refused: bool, weight: u16) {
        let after = &mut self.after[usize::from(place.after_refusal)];
        for counts in [&mut self.totals, after] {
            *(if refused { &mut counts.0 } else { &mut counts.1 }) += part(weight);
        }
        self.last_refused = refused;
    }

    /// What a lens does not see, no limit of its groups explains.
    fn count_free(&mut self, seen: [bool; VIEWS], refused: bool, weight: u16) {
        for (lens, seen) in self.lenses.iter_mut().zip(seen) {
            if let Some(evidence) = lens.evidence.as_mut().filter(|_| !seen) {
                *(if refused { &mut evidence.free.0 } else { &mut evidence.free.1 }) += part(weight);
            }
        }
    }

    fn fade(&mut self, at: u64) {
        let after = super::traffic::nanos(self.configured.per).saturating_mul(FADES);
        if at < self.faded_at + after {
            return;
        }
        self.faded_at = at;
        for lens in &mut self.lenses {
            lens.evidence.iter_mut().for_each(|evidence| evidence.fade());
            lens.of_route.iter_mut().for_each(|(_, evidence)| evidence.fade());
        }
        for counts in self.after.iter_mut().chain([&mut self.totals]) {
            *counts = (counts.0 / 2.0, counts.1 / 2.0);
        }
    }
}

/// More than this part is not refused by chance; each hundredth more makes it less likely by this. Guesses.
const MOST_BY_CHANCE: f64 = 0.4;
const MORE_THAN_CHANCE: f64 = 50.0;
