//! What the evidence comes to: hypotheses side by side, and the estimate that is read from them.

use std::time::Instant;

use super::Estimator;
use crate::estimate::ConfiguredLimit;
use crate::estimate::WINDOWS;
use crate::estimate::control::Control;
use crate::estimate::hypothesis::{Hypothesis, Kind, View};
use crate::estimate::record::Scored;
use crate::estimate::verdict::{
    Certainty, Estimate, EvidenceCount, LimitAction, LimitCase, LimitFigure, LimitScope, LimitUnit, ScopeKind,
};

/// The probability from which an estimate is called sure. The bench checks how many such are right.
const SURE: f64 = 0.99;
const LIKELY: f64 = 0.8;

/// A sure estimate rests on refusals at so many different times. A guess.
const EPISODES: u32 = 4;

/// Scores count half: answers that share a cause are not independent (a power posterior, as in Grünwald and van Ommen 2017).
/// Tuned: at this figure what is sure is right.
const TEMPERED: f64 = 0.5;

/// A short window's limit that leaves so much of the configured rate is about bursts. A guess: jitter takes the rest.
const ENOUGH: f64 = 0.8;

/// A hypothesis beside the others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ranked {
    hypothesis: Hypothesis,
    route: Option<u64>,
    whole: bool,
    score: f64,
    limit: u32,
    probability: f64,
}

impl Ranked {
    fn of(scored: &Scored, whole: bool, others: f64) -> Self {
        let Scored { hypothesis, route, score, limit } = *scored;
        Self { hypothesis, route, whole, score: score - others, limit, probability: 0.0 }
    }
}

impl Estimator {
    /// What is believed of a pool instance.
    #[must_use]
    pub fn estimate(&self, now: Instant, pool: usize) -> Estimate {
        let book = &self.books[pool];
        let ConfiguredLimit { amount, per } = book.record.configured;
        let evidence =
            EvidenceCount { accepted: book.record.accepted, refused: book.record.refusals, episodes: book.episodes };
        let certain = |case, limit, certainty| {
            let (scope, action) = (scope(View::Pool, false, None), action(case, limit));
            Estimate { case, scope, limit, certainty, probability: 1.0, evidence, action }
        };
        if let Some((case, limit)) = book.words.case(self.at(now), amount, per) {
            return certain(case, limit, Certainty::High);
        }
        let ranked = self.ranked(pool);
        let Some(best) = ranked.first().filter(|_| book.record.has_evidence()) else {
            let (case, certainty) = match (book.is_short, book.record.accepted) {
                (false, 0) => (LimitCase::NotEnoughEvidence, Certainty::None),
                (true, _) => (LimitCase::OwnLimit, book.calm()),
                (false, _) => (LimitCase::WithinLimits, book.calm()),
            };
            return certain(case, None, certainty);
        };
        let key = |ranked: &Ranked| (self.case_of(pool, ranked), ranked.hypothesis.view, ranked.route, ranked.whole);
        let of_best = key(best);
        let probability = ranked.iter().filter(|other| key(other) == of_best).map(|other| other.probability).sum();
        let certainty = match probability {
            p if p >= SURE && book.episodes >= EPISODES && !book.is_cold() => Certainty::High,
            p if p >= LIKELY => Certainty::Fair,
            _ => Certainty::None,
        };
        let limit = self.figure(if best.whole { self.whole } else { pool }, best);
        Estimate {
            case: of_best.0,
            scope: scope(best.hypothesis.view, best.whole, best.route),
            limit,
            certainty,
            probability,
            evidence,
            action: action(of_best.0, limit),
        }
    }

    /// The hypotheses and what each is worth, for people who look into it.
    #[cfg(test)]
    pub(in crate::estimate) fn explain(&self, pool: usize) -> String {
        let ranked = self.ranked(pool);
        let line = |ranked: &Ranked| {
            format!(
                "{:.3} {:?} {:?}{} {}",
                ranked.probability,
                ranked.hypothesis.view,
                ranked.hypothesis.kind,
                if ranked.whole { " whole" } else { "" },
                ranked.limit
            )
        };
        ranked.iter().take(5).map(line).collect::<Vec<_>>().join("; ")
    }

    #[cfg(test)]
    pub(in crate::estimate) fn trace(&self, flight: &crate::estimate::Flight, pool: usize) -> String {
        let levels = flight
            .places
            .first()
            .map(|place| (0..crate::estimate::INDICATORS).map(|at| place.level(View::Pool, at)).collect::<Vec<_>>());
        let control = self.books[pool].limiter.as_ref().map(|limiter| match &limiter.control {
            Control::Rate(rate) => format!("{:?} {:.1}", limiter.hypothesis, rate.holds()),
            Control::Concurrency(known) => format!("{:?} {}", limiter.hypothesis, known.limit()),
            Control::Outage(_) => format!("{:?}", limiter.hypothesis),
        });
        format!("{levels:?} {control:?} {}", self.explain(pool))
    }

    fn figure(&self, number: usize, best: &Ranked) -> Option<LimitFigure> {
        let book = &self.books[number];
        let limiter = book.limiter.as_ref().filter(|limiter| limiter.hypothesis == best.hypothesis);
        match (best.hypothesis.kind, limiter.map(|limiter| &limiter.control)) {
            (Kind::InFlight, control) => {
                let max = if let Some(Control::Concurrency(known)) = control { known.limit() } else { best.limit };
                Some(LimitFigure { max, window: None, counts: LimitUnit::InFlight })
            }
            (Kind::Rate(window), control) => {
                let max =
                    if let Some(Control::Rate(rate)) = control { rate.holds().round() as u32 } else { best.limit };
                let window = book.record.clock.windows[usize::from(window)];
                Some(LimitFigure { max, window: Some(window), counts: LimitUnit::Requests })
            }
            (Kind::Bucket, _) => {
                let ConfiguredLimit { amount, per } = book.record.configured;
                amount.map(|max| LimitFigure { max, window: Some(per), counts: LimitUnit::Requests })
            }
            _ => None,
        }
    }

    fn case_of(&self, pool: usize, ranked: &Ranked) -> LimitCase {
        let number = if ranked.whole { self.whole } else { pool };
        let book = &self.books[number];
        match ranked.hypothesis.kind {
            Kind::InFlight => LimitCase::InFlight,
            Kind::Bucket => LimitCase::Bursts,
            Kind::Random => LimitCase::Throttled,
            Kind::Incident => LimitCase::Incident,
            Kind::Rate(window) => {
                if ranked.hypothesis.view == View::Pool && usize::from(window) == WINDOWS - 1 && book.spread.varies() {
                    return LimitCase::Shared;
                }
                let ConfiguredLimit { amount, per } = book.record.configured;
                let window = book.record.clock.windows[usize::from(window)];
                let held = book.limiter.as_ref().filter(|limiter| limiter.hypothesis == ranked.hypothesis);
                let held = held.and_then(|limiter| match &limiter.control {
                    Control::Rate(rate) => Some(rate.holds()),
                    _ => None,
                });
                let allowed = held.unwrap_or(0.0).max(ranked.limit.into()) * per.as_secs_f64() / window.as_secs_f64();
                let is_enough = amount.is_some_and(|amount| allowed >= f64::from(amount) * ENOUGH);
                if window < per && is_enough { LimitCase::Bursts } else { LimitCase::LowerLimit }
            }
        }
    }

    /// The hypotheses of a pool and of the whole upstream, the most likely first.
    fn ranked(&self, pool: usize) -> Vec<Ranked> {
        let book = &self.books[pool];
        let mut ranked: Vec<Ranked> = book.scored.iter().map(|scored| Ranked::of(scored, false, 0.0)).collect();
        let others = self.books[..self.whole].iter().enumerate().filter(|(number, _)| *number != pool);
        let used = others.clone().filter(|(_, book)| book.total > 0).count();
        if used > 0 && !book.is_mixed() {
            let others: f64 = others.filter(|(_, other)| !other.is_mixed()).filter_map(|(_, other)| other.best()).sum();
            ranked.extend(self.books[self.whole].scored.iter().map(|scored| Ranked::of(scored, true, others)));
        }
        ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
        let best = ranked.first().map_or(0.0, |best| best.score);
        let sum: f64 = ranked.iter().map(|ranked| ((ranked.score - best) * TEMPERED).exp()).sum();
        ranked.iter_mut().for_each(|ranked| ranked.probability = ((ranked.score - best) * TEMPERED).exp() / sum);
        ranked
    }
}

fn action(case: LimitCase, limit: Option<LimitFigure>) -> LimitAction {
    match (case, limit) {
        (LimitCase::Throttled, _) => LimitAction::SendAgain,
        (LimitCase::Incident | LimitCase::Unreachable, _) => LimitAction::Await,
        (LimitCase::Billing | LimitCase::Gone | LimitCase::Rejected, _) => LimitAction::HandBack,
        (LimitCase::InFlight, Some(limit)) => LimitAction::Cap(limit.max),
        (LimitCase::LowerLimit | LimitCase::Bursts | LimitCase::Shared, Some(limit)) => LimitAction::Pace(limit),
        _ => LimitAction::Nothing,
    }
}

fn scope(view: View, whole: bool, route: Option<u64>) -> LimitScope {
    let kind = match view {
        View::Pool if whole => ScopeKind::Upstream,
        View::Pool => ScopeKind::Pool,
        View::Route => ScopeKind::Route,
        View::Key(_) => ScopeKind::Key,
    };
    let route = route.filter(|_| view == View::Route);
    let route = route.and_then(|route| usize::try_from(route).ok()).map(crate::route::RouteId);
    let key = if let View::Key(key) = view { Some(key) } else { None };
    LimitScope { kind, route, key }
}
