use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::outcome::{Outcome, Source};
use crate::upstream::Obstacle;

/// Counts what requests met at the upstream: which status, or which obstacle.
#[derive(Debug, Default)]
pub(super) struct AnswerCounter {
    statuses: [AtomicU64; KNOWN.len() + CLASSES],
    obstacles: [AtomicU64; Obstacle::ALL.len()],
}

/// Keeps the failures since the last success.
#[derive(Debug, Default)]
pub(super) struct StreakCounter {
    /// Whether there is any: a success clears them, and looks here first.
    is_failing: AtomicBool,
    streak: Mutex<FailureStreak>,
}

/// What requests met at the upstream so far.
#[derive(Clone, Debug, Default)]
pub struct AnswerCounts {
    statuses: [u64; KNOWN.len() + CLASSES],
    obstacles: [u64; Obstacle::ALL.len()],
}

/// Failures in a row, with no success between them.
#[derive(Clone, Debug, Default)]
pub struct FailureStreak {
    counts: BTreeMap<Met, u64>,
    last: Option<Instant>,
}

/// What a request met at the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Met {
    /// A response with this status; those that are not told apart are counted as the first of their hundred: `4xx`.
    Status(AnswerStatus),
    /// No complete response.
    Obstacle(Obstacle),
}

/// A status that is counted, or a hundred of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AnswerStatus(usize);

/// The statuses that are told apart: those that the APIs document (docs/upstream.md §4.1), and what proxies before them
/// send. The list bounds the labels of the metrics.
const KNOWN: [u16; 25] = [
    101, 200, 201, 202, 204, 304, 400, 401, 402, 403, 404, 405, 408, 409, 413, 415, 422, 429, 500, 501, 502, 503, 504,
    520, 529,
];

/// 1xx to 5xx, and whatever is beyond.
const CLASSES: usize = 6;

impl AnswerStatus {
    fn of(status: u16) -> Self {
        let class = || KNOWN.len() + usize::from((status / 100).saturating_sub(1)).min(CLASSES - 1);
        Self(KNOWN.binary_search(&status).unwrap_or_else(|_| class()))
    }

    /// Its first digit: 4 of 404 and of `4xx`.
    #[must_use]
    pub fn class(self) -> u16 {
        let class = || u16::try_from(self.0 - KNOWN.len()).unwrap_or_default() + 1;
        self.exact().map_or_else(class, |status| status / 100)
    }

    /// The status itself; none where a hundred are counted together.
    #[must_use]
    pub fn exact(self) -> Option<u16> {
        KNOWN.get(self.0).copied()
    }

    /// As JSON and metrics name it: `404`, `4xx`.
    #[must_use]
    pub fn name(self) -> String {
        self.exact().map_or_else(|| format!("{}xx", self.class()), |status| status.to_string())
    }
}

impl Met {
    /// What a request met; none if the gate itself answered, or its client left.
    pub(super) fn of(outcome: &Outcome) -> Option<Self> {
        if let Some(obstacle) = outcome.obstacle {
            return Some(Self::Obstacle(obstacle));
        }
        let is_upstream = matches!(outcome.source, Some(Source::Upstream | Source::Coalesced));
        outcome.status.filter(|_| is_upstream).map(|status| Self::Status(AnswerStatus::of(status)))
    }

    /// As JSON and metrics name it: `404`, `4xx`, `dns`.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Status(status) => status.name(),
            Self::Obstacle(obstacle) => obstacle.name().to_owned(),
        }
    }

    /// Whether there was no complete response.
    #[must_use]
    pub fn is_obstacle(self) -> bool {
        matches!(self, Self::Obstacle(_))
    }

    /// Whether it is no success. A 429 is neither: which limit it is about, the pools say.
    #[must_use]
    pub fn is_failure(self) -> bool {
        match self {
            Self::Status(status) => status.class() >= 4 && status.exact() != Some(429),
            Self::Obstacle(_) => true,
        }
    }

    /// Whether it is a success, after which earlier failures no longer count.
    fn is_success(self) -> bool {
        matches!(self, Self::Status(status) if status.class() < 4)
    }
}

impl AnswerCounter {
    pub(super) fn count(&self, met: Met) {
        match met {
            Met::Status(status) => &self.statuses[status.0],
            Met::Obstacle(obstacle) => &self.obstacles[obstacle as usize],
        }
        .fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> AnswerCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        AnswerCounts { statuses: self.statuses.each_ref().map(read), obstacles: self.obstacles.each_ref().map(read) }
    }
}

impl StreakCounter {
    /// Responses that are errors, of one route: a success ends the row.
    pub(super) fn count_errors(&self, met: Met, now: Instant) {
        if met.is_success() {
            self.end();
        } else if met.is_failure() && !met.is_obstacle() {
            self.add(met, now);
        }
    }

    /// Obstacles, of all routes: any response ends the row.
    pub(super) fn count_obstacles(&self, met: Met, now: Instant) {
        if met.is_obstacle() { self.add(met, now) } else { self.end() }
    }

    /// The failures since the last success.
    pub(super) fn streak(&self) -> FailureStreak {
        self.lock().clone()
    }

    fn add(&self, met: Met, now: Instant) {
        self.lock().add(met, now);
        self.is_failing.store(true, Ordering::Relaxed);
    }

    fn end(&self) {
        if self.is_failing.load(Ordering::Relaxed) {
            self.is_failing.store(false, Ordering::Relaxed);
            *self.lock() = FailureStreak::default();
        }
    }

    fn lock(&self) -> MutexGuard<'_, FailureStreak> {
        self.streak.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AnswerCounts {
    /// Everything that was met, with how often.
    pub fn met(&self) -> impl Iterator<Item = (Met, u64)> {
        let statuses = self.statuses.iter().enumerate().map(|(at, &count)| (Met::Status(AnswerStatus(at)), count));
        let obstacles = Obstacle::ALL.into_iter().zip(self.obstacles);
        let obstacles = obstacles.map(|(obstacle, count)| (Met::Obstacle(obstacle), count));
        statuses.chain(obstacles).filter(|&(_, count)| count > 0)
    }

    /// How many of these there were.
    #[must_use]
    pub fn sum(&self, is_meant: impl Fn(Met) -> bool) -> u64 {
        self.met().filter(|&(met, _)| is_meant(met)).map(|(_, count)| count).sum()
    }

    /// What was met since these were `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = self.clone();
        let (counts, before) = (since.all_mut(), earlier.statuses.iter().chain(&earlier.obstacles));
        counts.zip(before).for_each(|(count, before)| *count = count.saturating_sub(*before));
        since
    }

    /// Counts these as well.
    pub fn add(&mut self, more: &Self) {
        self.all_mut().zip(more.statuses.iter().chain(&more.obstacles)).for_each(|(count, more)| *count += more);
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut u64> {
        self.statuses.iter_mut().chain(&mut self.obstacles)
    }
}

impl FailureStreak {
    fn add(&mut self, met: Met, now: Instant) {
        *self.counts.entry(met).or_default() += 1;
        self.last = Some(now);
    }

    /// What they were, with how many of each.
    pub fn met(&self) -> impl Iterator<Item = (Met, u64)> {
        self.counts.iter().map(|(&met, &count)| (met, count))
    }

    /// When the last of them was.
    #[must_use]
    pub fn last(&self) -> Option<Instant> {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::ClientId;
    use crate::gate::outcome::End;
    use crate::route::RouteId;
    use http::Method;

    fn answered(status: u16) -> Outcome {
        let left = Outcome::of(RouteId(0), Method::GET, ClientId(1));
        Outcome { end: End::Passed, status: Some(status), source: Some(Source::Upstream), ..left }
    }

    fn unreachable() -> Outcome {
        Outcome { obstacle: Some(Obstacle::Dns), source: Some(Source::Tidegate), ..answered(502) }
    }

    fn names(met: impl Iterator<Item = (Met, u64)>) -> Vec<(String, u64)> {
        met.map(|(met, count)| (met.name(), count)).collect()
    }

    fn pairs<const N: usize>(pairs: [(&str, u64); N]) -> Vec<(String, u64)> {
        pairs.map(|(name, count)| (name.to_owned(), count)).into()
    }

    #[test]
    fn known_statuses_are_in_order() {
        assert!(KNOWN.is_sorted());
    }

    #[test]
    fn unknown_statuses_are_counted_by_class() {
        let counter = AnswerCounter::default();
        for status in [200, 401, 401, 418, 499, 599, 99, 700, 999] {
            counter.count(Met::of(&answered(status)).expect("a response"));
        }
        let expected = [("200", 1), ("401", 2), ("1xx", 1), ("4xx", 2), ("5xx", 1), ("6xx", 2)];
        assert_eq!(names(counter.counts().met()), pairs(expected));
    }

    #[test]
    fn success_ends_a_streak_and_a_429_does_not() {
        let (errors, now) = (StreakCounter::default(), Instant::now());
        for outcome in [answered(401), answered(429), unreachable(), answered(401)] {
            errors.count_errors(Met::of(&outcome).expect("it met something"), now);
        }
        assert_eq!(names(errors.streak().met()), pairs([("401", 2)]));
        errors.count_errors(Met::of(&answered(200)).expect("a response"), now);
        assert_eq!((names(errors.streak().met()), errors.streak().last()), (vec![], None));
    }

    #[test]
    fn any_response_ends_a_row_of_obstacles() {
        let (obstacles, now) = (StreakCounter::default(), Instant::now());
        for outcome in [unreachable(), unreachable()] {
            obstacles.count_obstacles(Met::of(&outcome).expect("it met something"), now);
        }
        assert_eq!((names(obstacles.streak().met()), obstacles.streak().last()), (pairs([("dns", 2)]), Some(now)));
        obstacles.count_obstacles(Met::of(&answered(401)).expect("a response"), now);
        assert_eq!(names(obstacles.streak().met()), []);
    }

    #[test]
    fn answers_of_the_gate_are_not_counted() {
        let own = Outcome { source: Some(Source::Tidegate), ..answered(429) };
        assert_eq!(Met::of(&own), None);
    }

    #[test]
    fn counts_since_are_what_was_added() {
        let counter = AnswerCounter::default();
        let [success, missing] = [200, 404].map(|status| Met::of(&answered(status)).expect("a response"));
        counter.count(success);
        let before = counter.counts();
        counter.count(missing);
        assert_eq!(names(counter.counts().since(&before).met()), pairs([("404", 1)]));
    }
}
