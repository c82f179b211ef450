//! What is the matter with a pool instance: a cause, from the evidence, or none where that does not suffice.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use super::cause::{Cause, ReachedLimit};
use super::evidence::{Evidence, RefusalBurst};
use crate::hints::RefusalCause;
use crate::limit::{EstimateView, LearnedUsage, PoolUsage, Rate};

/// What is the matter, and how sure that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// What.
    pub cause: Cause,
    /// How sure.
    pub confidence: Confidence,
}

/// How sure a cause is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// It is not.
    None,
    /// It was seen two or three times.
    Fair,
    /// It was seen more often, was counted here, or the upstream says so itself.
    High,
}

/// A pool instance that is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct InstanceFacts<'a> {
    pub(super) now: Instant,
    pub(super) usage: &'a PoolUsage,
    pub(super) most_in_flight: Option<NonZeroU32>,
    pub(super) evidence: &'a Evidence,
}

// "Tuned": with this figure each scenario in `tests/scenarios` gets the diagnosis that it names. Other figures may do
// as well.

/// What the upstream refused counts for so many windows of the limit. Tuned.
const WINDOWS: u32 = 10;
/// The window of an unknown limit: the most common one (docs/upstream.md §1 and §2).
const MINUTE: Duration = Duration::from_mins(1);
/// Limits of longer windows are not paced: the same as in `outcome`.
const HOUR: Duration = Duration::from_hours(1);

/// At most this part of a limit is used: what refuses then is not that limit. Tuned.
const IDLE: u64 = 3;
/// So many refusals in a row, or so few used, say that the upstream throttles. Tuned.
const OFTEN: usize = 3;
/// Counts are alike that differ by no more than so many hundredths. Tuned.
const ALIKE: u64 = 20;
/// And the same that differ by no more than so many. Tuned.
const SAME: u64 = 8;
/// More than so many hundredths of a limit are never taken, wherever the upstream's window begins. Tuned.
const MORE: u64 = 140;
/// A limit from so many hundredths of the configured one on is that one. Tuned.
const NEAR: u32 = 97;
/// How often the upstream must say that it has too much to do, or that the rate grew too fast. A guess: an overload can
/// pass by itself, a rate does not.
const OVERLOADS: usize = 2;
const RAMPS: usize = 1;
/// Another program uses the limit if the upstream counts more than this many times what this gate sent. A guess: requests
/// under way, and refused ones that it counts as well, are fewer.
const FOREIGN: u64 = 2;
/// After a burst was refused, the upstream must take this many requests at an even pace, or as many as the burst had. A
/// guess.
const EVENLY: u64 = 10;
/// A low limit explains refusals if the least count is this high and the highest at most this many times the least. A
/// guess.
const COUNTED: u64 = 5;
const STEADY: u64 = 2;

/// The first cause that the evidence makes.
pub(super) fn diagnose(facts: InstanceFacts<'_>) -> Diagnosis {
    let causes = [
        InstanceFacts::billing,
        InstanceFacts::gone,
        InstanceFacts::overload,
        InstanceFacts::exhausted,
        InstanceFacts::shared_by_figures,
        InstanceFacts::reported,
        InstanceFacts::bursts,
        InstanceFacts::idle,
        InstanceFacts::steady,
        InstanceFacts::shared,
        InstanceFacts::lower,
        InstanceFacts::remembered,
        InstanceFacts::unexplained,
        InstanceFacts::own_limit,
        InstanceFacts::within,
    ];
    let nothing = Diagnosis::not_sure(Cause::NotEnoughEvidence { refused: None });
    causes.iter().find_map(|cause| cause(&facts)).unwrap_or(nothing)
}

impl InstanceFacts<'_> {
    /// It says so itself, and has taken no more since than it refused.
    fn billing(&self) -> Option<Diagnosis> {
        let last = self.evidence.bursts.last().filter(|last| last.cause == RefusalCause::Billing)?;
        let refusals = self.refusals_of(RefusalCause::Billing);
        let is_over = self.evidence.accepted_since > refusals.into();
        (!is_over).then(|| Diagnosis::sure(Cause::Billing { refusals, last: last.began }))
    }

    fn gone(&self) -> Option<Diagnosis> {
        let (route, answers) = self.evidence.missing?;
        Some(Diagnosis::sure(Cause::Gone { route, answers }))
    }

    /// It says so itself; that it has too much to do, once, is no more than a moment of weakness.
    fn overload(&self) -> Option<Diagnosis> {
        let says = |&(cause, times): &(RefusalCause, usize)| self.recent(cause).count() >= times;
        let (cause, _) = [(RefusalCause::Overload, OVERLOADS), (RefusalCause::Ramp, RAMPS)].into_iter().find(says)?;
        Some(Diagnosis::sure(self.throttled(cause)))
    }

    /// A limit of a day, say.
    fn exhausted(&self) -> Option<Diagnosis> {
        let until = self.learned()?.not_until?;
        let figures = self.evidence.bursts.last()?.figures.filter(|figures| figures.per > HOUR)?;
        Some(Diagnosis::sure(Cause::OwnLimit { limit: ReachedLimit::Exhausted { figures, until } }))
    }

    /// The figures of several refusals say that much more is used than what was sent from here.
    fn shared_by_figures(&self) -> Option<Diagnosis> {
        let said = self.recent(RefusalCause::Limit).filter_map(|burst| Some((burst, burst.figures?.used?)));
        let foreign: Vec<&RefusalBurst> =
            said.filter(|(burst, used)| burst.level.used * FOREIGN < *used).map(|(burst, _)| burst).collect();
        let limit = foreign.last()?.figures?.limit;
        (foreign.len() > 1).then(|| Diagnosis::seen(foreign.len(), Cause::Shared { used: range(&foreign), limit }))
    }

    /// LimitFigures that the upstream tells, and which are lower than configured or used up.
    fn reported(&self) -> Option<Diagnosis> {
        let EstimateView::Reported { limit, left } = self.learned()?.estimate? else { return None };
        if let Some(configured) = self.configured_per(limit.per()) {
            let (since, reported) = (self.learned()?.since, true);
            return Some(Diagnosis::sure(Cause::LowerLimit { limit, configured: Some(configured), reported, since }));
        }
        let used = u64::from(limit.amount()).saturating_sub(left);
        let bound = ReachedLimit::Window { limit, used, reported: true };
        self.is_short().then(|| Diagnosis::sure(Cause::OwnLimit { limit: bound }))
    }

    /// It refused a burst far below the limit, and takes what comes evenly.
    fn bursts(&self) -> Option<Diagnosis> {
        let LearnedUsage { estimate: Some(EstimateView::Smooth { limit, burst }), since, .. } = *self.learned()? else {
            return None;
        };
        let (burst_then, taken) = (self.recent(RefusalCause::Limit).next()?.level.used, self.evidence.accepted_since);
        let holds = burst_then >= OFTEN as u64 && taken >= burst_then.max(EVENLY);
        holds.then(|| {
            let windows = usize::try_from(taken / u64::from(limit.amount()).max(1)).unwrap_or(usize::MAX);
            Diagnosis::seen(2 + windows, Cause::Bursts { limit, burst, since })
        })
    }

    /// It refused again and again while next to nothing was used, and not at the same count.
    fn idle(&self) -> Option<Diagnosis> {
        let idle: Vec<&RefusalBurst> = self.recent(RefusalCause::Limit).filter(|burst| burst.is_idle()).collect();
        let (least, most) = range(&idle);
        let is_steady = least >= COUNTED && least * STEADY >= most;
        let enough = idle.len() >= OFTEN || idle.iter().filter(|burst| burst.level.used == 0).count() > 1;
        (enough && !is_steady).then(|| Diagnosis::seen(idle.len(), self.throttled(RefusalCause::Limit)))
    }

    /// The last refusals came at very much the same count, whatever was believed before.
    fn steady(&self) -> Option<Diagnosis> {
        let refused: Vec<&RefusalBurst> = self.recent(RefusalCause::Limit).collect();
        let last = &refused[refused.len().checked_sub(OFTEN + 1)?..];
        let (least, most) = range(last);
        let is_steady = (most - least) * 100 <= most * SAME;
        is_steady.then(|| self.lower_than_configured(refused.last()?.level.limit?, last)).flatten()
    }

    /// It refused at counts that are not alike.
    fn shared(&self) -> Option<Diagnosis> {
        let settled = self.settled();
        let is_over = self.has_taken_more_than(range(&settled).0);
        let refused = if is_over { self.recent(RefusalCause::Limit).collect() } else { settled };
        let is_believed = matches!(self.learned()?.estimate, Some(EstimateView::Shared));
        let limit = refused.last()?.level.limit?.amount().into();
        let varies = self.recent(RefusalCause::Limit).count() >= OFTEN && !is_alike(&refused);
        let cause = Cause::Shared { used: range(&refused), limit: Some(limit) };
        (refused.len() > 1 && is_believed || varies).then(|| Diagnosis::seen(refused.len(), cause))
    }

    /// It refused again and again at the same count.
    fn lower(&self) -> Option<Diagnosis> {
        let EstimateView::Lower { limit } = self.learned()?.estimate? else { return None };
        let refused = self.settled();
        (refused.len() > 1).then(|| self.lower_than_configured(limit, &refused)).flatten()
    }

    /// The limit is no more than this and, in the window that is configured, no more than was taken at these refusals.
    fn lower_than_configured(&self, limit: Rate, refused: &[&RefusalBurst]) -> Option<Diagnosis> {
        let (configured, since) = (refused.last()?.level.limit, self.learned()?.since);
        let limit = configured.map_or(limit, |_| limit.at_most(self.least_taken(refused)));
        let is_lower = configured.is_none_or(|configured| {
            limit.amount() * 100 < configured.amount() * NEAR && !self.has_taken_more_than(limit.amount().into())
        });
        let cause = Cause::LowerLimit { limit, configured, reported: false, since };
        is_lower.then(|| Diagnosis::seen(refused.len(), cause))
    }

    /// The least that was taken at one of these refusals, or at one before that is not far below.
    fn least_taken(&self, refused: &[&RefusalBurst]) -> u64 {
        let least = range(refused).0;
        let before = self.recent(RefusalCause::Limit).map(|burst| burst.level.used);
        before.filter(|used| (least - least.min(*used)) * 100 <= least * ALIKE).min().unwrap_or(least)
    }

    /// A lower limit is in force that was learned long ago, or before the gate was started.
    fn remembered(&self) -> Option<Diagnosis> {
        let EstimateView::Lower { limit } = self.learned()?.estimate? else { return None };
        let (configured, since) = (self.configured_per(limit.per()), self.learned()?.since);
        let is_known = self.learned()?.recalled || self.evidence.bursts.len() > 1;
        let is_old = is_known && self.recent(RefusalCause::Limit).next().is_none();
        let cause = Cause::LowerLimit { limit, configured, reported: false, since };
        is_old.then(|| Diagnosis::seen(1, cause))
    }

    /// It refused lately, and nothing above explains it.
    fn unexplained(&self) -> Option<Diagnosis> {
        let given_back = self.learned().filter(|learned| learned.estimate.is_none()).and_then(|learned| learned.since);
        let refused = [RefusalCause::Limit, RefusalCause::Overload].into_iter().flat_map(|cause| self.recent(cause));
        let mut refused = refused.filter(|burst| given_back.is_none_or(|since| since < burst.began));
        let refused = refused.next().copied()?;
        Some(Diagnosis::not_sure(Cause::NotEnoughEvidence { refused: Some(refused) }))
    }

    fn own_limit(&self) -> Option<Diagnosis> {
        self.is_short().then(|| self.bound()).flatten().map(|limit| Diagnosis::sure(Cause::OwnLimit { limit }))
    }

    fn within(&self) -> Option<Diagnosis> {
        (self.evidence.accepted > 0).then(|| Diagnosis::sure(Cause::WithinLimits))
    }

    /// There was not always room.
    fn is_short(&self) -> bool {
        self.evidence.short > 0
    }

    /// The limit that is used the most.
    fn bound(&self) -> Option<ReachedLimit> {
        let in_flight = self.most_in_flight.filter(|most| self.usage.in_flight >= most.get() || !self.has_windows());
        if let Some(most) = in_flight {
            return Some(ReachedLimit::InFlight(most.get()));
        }
        let fill = |limit: Rate, used: u64| used * 1_000 / u64::from(limit.amount());
        let &(limit, used) = self.usage.windows.iter().max_by_key(|&&(limit, used)| fill(limit, used))?;
        Some(ReachedLimit::Window { limit, used, reported: false })
    }

    fn has_windows(&self) -> bool {
        !self.usage.windows.is_empty()
    }

    fn configured_per(&self, per: Duration) -> Option<Rate> {
        let mut configured = self.usage.windows.iter().map(|&(limit, _)| limit);
        configured.find(|limit| limit.per() == per)
    }

    fn learned(&self) -> Option<&LearnedUsage> {
        self.usage.learned.as_ref()
    }

    fn throttled(&self, cause: RefusalCause) -> Cause {
        let most = self.recent(cause).map(|burst| burst.level.used).max().unwrap_or_default();
        let limit = self.recent(cause).last().and_then(|burst| burst.level.limit);
        Cause::Throttled { cause, refusals: self.refusals_of(cause), most, limit }
    }

    fn refusals_of(&self, cause: RefusalCause) -> u32 {
        self.recent(cause).map(|burst| burst.refusals).sum()
    }

    /// The recent refusals by a limit but the first, where there are several: that met what had been saved up before.
    fn settled(&self) -> Vec<&RefusalBurst> {
        let refused: Vec<&RefusalBurst> = self.recent(RefusalCause::Limit).collect();
        let first = usize::from(refused.len() > 2);
        refused[first..].to_vec()
    }

    /// Since the last refusal it has taken much more than this at once.
    fn has_taken_more_than(&self, used: u64) -> bool {
        self.evidence.peak * 100 > used * MORE
    }

    fn recent(&self, cause: RefusalCause) -> impl Iterator<Item = &RefusalBurst> {
        let is_recent = move |burst: &&RefusalBurst| {
            let per = burst.level.limit.map_or(MINUTE, Rate::per);
            burst.cause == cause && self.now < burst.began + per * WINDOWS
        };
        self.evidence.bursts.iter().filter(is_recent)
    }
}

impl RefusalBurst {
    /// Next to nothing was used of what is allowed, or of an unknown limit.
    fn is_idle(&self) -> bool {
        match self.level.limit {
            Some(limit) => self.level.used * IDLE <= u64::from(limit.amount()),
            None => self.level.used == 0,
        }
    }
}

impl Diagnosis {
    fn sure(cause: Cause) -> Self {
        Self { cause, confidence: Confidence::High }
    }

    fn seen(times: usize, cause: Cause) -> Self {
        Self { cause, confidence: if times > OFTEN { Confidence::High } else { Confidence::Fair } }
    }

    fn not_sure(cause: Cause) -> Self {
        Self { cause, confidence: Confidence::None }
    }
}

/// The least and the most that was taken.
fn range(episodes: &[&RefusalBurst]) -> (u64, u64) {
    let taken = || episodes.iter().map(|burst| burst.level.used);
    (taken().min().unwrap_or_default(), taken().max().unwrap_or_default())
}

fn is_alike(episodes: &[&RefusalBurst]) -> bool {
    let (least, most) = range(episodes);
    (most - least) * 100 <= most * ALIKE
}
