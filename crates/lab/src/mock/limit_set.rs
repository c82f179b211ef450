use std::time::Instant;

use super::enforced_limit::EnforcedLimit;
use super::faults::Faults;
use super::headers::RateLimitHeaders;
use super::measure::{Cost, Measure, OverLimit};
use super::windows::WindowClock;
use crate::limit::PoolId;

/// Whose limits they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum LimitOwner {
    /// An instance of a configured pool.
    Pool(PoolId, Option<Box<str>>),
    /// A model or a family of models, for an organization and project where the request names them.
    Model { name: String, account: Option<String> },
}

/// The limits that a request must all have room in.
#[derive(Debug)]
pub(super) struct LimitSet {
    pub(super) limits: Vec<EnforcedLimit>,
    pub(super) admitted: u64,
    pub(super) denied: u64,
}

impl LimitSet {
    pub(super) fn new(limits: Vec<EnforcedLimit>, faults: &Faults, now: Instant) -> Self {
        let mut limit_set = Self { limits, admitted: 0, denied: 0 };
        limit_set.apply(faults, now);
        limit_set
    }

    pub(super) fn apply(&mut self, faults: &Faults, now: Instant) {
        self.limits.iter_mut().for_each(|limit| limit.apply(faults, now));
    }

    pub(super) fn count_foreign(&mut self, clock: WindowClock, now: Instant) {
        self.limits.iter_mut().for_each(|limit| limit.count_foreign(clock, now));
    }

    /// Counts an arrival. Of the limits that it is over, the one that lasts the longest is returned.
    pub(super) fn arrive(&mut self, now: Instant, cost: Cost) -> Option<OverLimit> {
        let exhausted = self.limits.iter_mut().filter_map(|limit| limit.arrive(now, cost));
        exhausted.max_by_key(OverLimit::rank)
    }

    /// Counts the request as admitted or denied; denied ones use the limits only if `counts_denied`.
    pub(super) fn close(&mut self, now: Instant, cost: Cost, is_admitted: bool, counts_denied: bool) {
        *(if is_admitted { &mut self.admitted } else { &mut self.denied }) += 1;
        if is_admitted || counts_denied {
            self.limits.iter_mut().for_each(|limit| limit.count(now, cost));
        }
    }

    pub(super) fn headers(&mut self, now: Instant) -> RateLimitHeaders {
        let left = |limit: &mut EnforcedLimit, measure| (limit.measure == measure).then(|| limit.left(now));
        let mut find = |measure| self.limits.iter_mut().find_map(|limit| left(limit, measure));
        RateLimitHeaders {
            requests: find(Measure::Requests).or_else(|| find(Measure::RequestsADay)),
            tokens: find(Measure::Tokens),
        }
    }
}
