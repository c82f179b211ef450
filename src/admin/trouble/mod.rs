//! What is the matter with requests that no limit explains: no response, or one that is an error.

mod wording;

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use super::config_view::ConfigView;
use super::diagnosis::{CauseName, Sureness};
use super::estimate::{EstimateStatus, EvidenceSum, ScopeName, ScopeStatus};
use super::pool::PoolStatus;
use super::rank::Cost;
use super::recent::RecentAnswers;
use crate::gate::{AnswerCounts, FailureStreak, Gate, Met};
use crate::upstream::Obstacle;

/// Requests that fail, of one route or of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) cause: CauseName,
    /// The route; none where it concerns all of them.
    pub(super) route: Option<String>,
    /// What they met, the commonest first.
    met: Vec<(Met, u64)>,
    /// How many requests met anything in the same time.
    of: u64,
    /// How many failures there were in the last minutes.
    pub(super) recent: u64,
    /// When the last of them was, where no success has followed.
    last: Option<Instant>,
}

/// What requests have met.
pub(super) struct MetLately {
    /// The route; none of all together.
    pub(super) route: Option<String>,
    /// In the last minutes.
    pub(super) recent: AnswerCounts,
    /// In a row, without a success between them.
    pub(super) streak: FailureStreak,
}

/// So many failures in a row, or lately, are more than chance. A guess.
const ENOUGH: u64 = 3;

/// Failures among successes count from this part of all on. A guess: fewer are a matter of single requests.
const PART: u64 = 10;

/// A failure that no success has followed counts for so long. A guess: as long as the refusals of the pools.
const REMEMBERED: Duration = Duration::from_hours(1);

impl MetLately {
    /// What all requests met, and those of each route.
    pub(super) fn of(config: &ConfigView, gate: &Gate, recent: &RecentAnswers) -> (Self, Vec<Self>) {
        let counts = recent.since(gate.by_route().into_iter().map(|counts| counts.answers).collect());
        let mut all = Self { route: None, recent: AnswerCounts::default(), streak: gate.obstacles() };
        counts.iter().for_each(|counts| all.recent.add(counts));
        let names = config.routes.routes().map(|(_, route)| route.name.clone());
        let routes = names.zip(counts).zip(gate.errors());
        (all, routes.map(|((route, recent), streak)| Self { route: Some(route), recent, streak }).collect())
    }
}

impl Trouble {
    /// What is the matter with `all` requests, and with those of each of these routes. What a pool's diagnosis says already
    /// is left out.
    pub(super) fn find(all: &MetLately, routes: &[MetLately], pools: &[PoolStatus], now: Instant) -> Vec<Self> {
        let unreachable = Self::of(all, CauseName::Unreachable, now);
        // Where the upstream answers others, it may still fail those of one route.
        let of_routes = routes.iter().filter(|_| unreachable.is_none());
        let broken: Vec<_> = of_routes.filter_map(|route| Self::of(route, CauseName::Unreachable, now)).collect();
        let rejected = routes.iter().filter_map(|route| Self::of(route, CauseName::Rejected, now));
        let rejected = rejected.filter(|trouble| !pools.iter().any(|pool| trouble.is_told_by(pool)));
        unreachable.into_iter().chain(broken).chain(rejected).collect()
    }

    /// What of this kind is the matter: the last requests failed, or many of the recent ones.
    fn of(lately: &MetLately, cause: CauseName, now: Instant) -> Option<Self> {
        let is_meant = |met: Met| met.is_failure() && met.is_obstacle() == (cause == CauseName::Unreachable);
        let recent = lately.recent.sum(is_meant);
        let row: Vec<_> = lately.streak.met().filter(|&(met, _)| is_meant(met)).collect();
        let in_a_row = count(&row);
        let last = lately.streak.last().map(tokio::time::Instant::into_std).filter(|last| now < *last + REMEMBERED);
        let last = last.filter(|_| in_a_row >= ENOUGH || row.iter().any(|&(met, _)| is_sure(met)));
        let of = lately.recent.sum(|_| true);
        let is_frequent = recent >= ENOUGH && recent * PART >= of;
        let (met, of) = match last {
            Some(_) if in_a_row >= recent => (row, in_a_row),
            None if !is_frequent => return None,
            _ => (lately.recent.met().filter(|&(met, _)| is_meant(met)).collect(), of),
        };
        Some(Self { cause, route: lately.route.clone(), met: sorted(met), of, recent, last })
    }

    /// Whether the diagnosis of one of the route's pools explains it.
    fn is_told_by(&self, pool: &PoolStatus) -> bool {
        let explains = |status: u16| match pool.diagnosis.cause {
            CauseName::Gone => status == 404,
            CauseName::Billing => matches!(status, 402 | 403),
            CauseName::Throttled | CauseName::Incident => matches!(status, 503 | 529),
            _ => false,
        };
        let is_of_pool = self.route.as_ref().is_some_and(|route| pool.routes.contains(route));
        is_of_pool && matches!(self.commonest(), Met::Status(status) if status.exact().is_some_and(explains))
    }

    /// What most of them met.
    fn commonest(&self) -> Met {
        self.met.first().map_or(Met::Obstacle(Obstacle::Broken), |&(met, _)| met)
    }

    /// How many failed.
    pub(super) fn failures(&self) -> u64 {
        count(&self.met)
    }

    /// What they cost.
    pub(super) fn cost(&self) -> Cost {
        Cost { failures: self.recent, ..Cost::default() }
    }

    /// The same for programs.
    pub(super) fn estimate(&self) -> EstimateStatus {
        let kind = if self.route.is_some() { ScopeName::Route } else { ScopeName::Upstream };
        EstimateStatus {
            case: self.cause,
            scope: ScopeStatus { kind, route: self.route.clone(), key: None },
            limit: None,
            confidence: if self.failures() >= ENOUGH { Sureness::High } else { Sureness::Fair },
            evidence: EvidenceSum { accepted: self.of - self.failures(), refused: self.failures(), episodes: 1 },
        }
    }
}

/// Whether one such failure suffices: it has one cause, and waiting does not mend that.
fn is_sure(met: Met) -> bool {
    match met {
        Met::Status(status) => matches!(status.exact(), Some(401 | 403)),
        Met::Obstacle(obstacle) => !matches!(obstacle, Obstacle::Timeout | Obstacle::Broken),
    }
}

fn count(met: &[(Met, u64)]) -> u64 {
    met.iter().map(|(_, count)| count).sum()
}

fn sorted(mut met: Vec<(Met, u64)>) -> Vec<(Met, u64)> {
    met.sort_by_key(|&(met, count)| (Reverse(count), met));
    met
}
