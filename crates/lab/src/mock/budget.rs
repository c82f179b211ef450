use std::time::Instant;

use super::cap::{Cap, Cost, Exhausted, Left, Measure};
use super::tally::Clock;
use super::weather::Weather;
use crate::limit::PoolId;

/// Whose budget it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Whose {
    /// That of an instance of a pool of the configuration.
    Pool(PoolId, Option<Box<str>>),
    /// That of a model, or of a family of them, for an organization and project where one is named.
    Model { name: String, account: Option<String> },
}

/// What may be taken: as much as all of its caps have room for.
#[derive(Debug)]
pub(super) struct Budget {
    pub(super) caps: Vec<Cap>,
    pub(super) admitted: u64,
    pub(super) denied: u64,
}

/// How the limits of a model stand, as `x-ratelimit-*` say it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Standing {
    pub(super) requests: Option<Left>,
    pub(super) tokens: Option<Left>,
}

impl Budget {
    pub(super) fn new(caps: Vec<Cap>, weather: &Weather, now: Instant) -> Self {
        let mut budget = Self { caps, admitted: 0, denied: 0 };
        budget.meet(weather, now);
        budget
    }

    pub(super) fn meet(&mut self, weather: &Weather, now: Instant) {
        self.caps.iter_mut().for_each(|cap| cap.meet(weather, now));
    }

    pub(super) fn settle(&mut self, clock: Clock, now: Instant) {
        self.caps.iter_mut().for_each(|cap| cap.settle(clock, now));
    }

    /// A request arrives; what it finds exhausted, of several what lasts the longest.
    pub(super) fn arrive(&mut self, now: Instant, cost: Cost) -> Option<Exhausted> {
        let exhausted = self.caps.iter_mut().filter_map(|cap| cap.arrive(now, cost));
        exhausted.max_by_key(Exhausted::rank)
    }

    /// The request is let in by all of its budgets, and counts; or it is not, and counts where failed ones do.
    pub(super) fn close(&mut self, now: Instant, cost: Cost, is_admitted: bool, counts_denied: bool) {
        *(if is_admitted { &mut self.admitted } else { &mut self.denied }) += 1;
        if is_admitted || counts_denied {
            self.caps.iter_mut().for_each(|cap| cap.count(now, cost));
        }
    }

    pub(super) fn standing(&mut self, now: Instant) -> Standing {
        let left = |cap: &mut Cap, measure| (cap.measure == measure).then(|| cap.left(now));
        let mut find = |measure| self.caps.iter_mut().find_map(|cap| left(cap, measure));
        Standing {
            requests: find(Measure::Requests).or_else(|| find(Measure::RequestsADay)),
            tokens: find(Measure::Tokens),
        }
    }
}
