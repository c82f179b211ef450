//! What is seen of every pool instance, beside the state: who asks, what is accepted, and what is refused. Diagnoses rest on
//! it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::requesters::{Requester, Requesters};
use crate::hints::{LimitFigures, Pushback, RefusalCause};
use crate::limit::{FillLevel, InstanceId};
use crate::route::RouteId;

/// Counts reach back to the beginning of the minute before this one: the most common window (docs/upstream.md §1).
const MINUTE: Duration = Duration::from_mins(1);

/// How long an unused instance is kept because the upstream refused there. A guess: as long as what is learned of it.
const KEPT: Duration = Duration::from_hours(1);

/// How many bursts of refusals are remembered. A guess: a diagnosis needs three or four of one kind.
const MAX_BURSTS: usize = 16;

/// Of how many routes it is remembered whether their endpoints are there. A guess: more than share a pool as shipped.
const ROUTES: usize = 16;

/// For this part of a window a refusal belongs to the burst before. A guess: it meets the same full window.
const SETTLES_PART: u32 = 2;

/// So often in a row an endpoint must be missing. A guess: one 404 is a wrong id.
const MISSING: u64 = 5;

/// The evidence of all pool instances.
#[derive(Clone, Debug, Default)]
pub(super) struct EvidenceLog {
    of: Vec<Option<Box<InstanceRecord>>>,
}

/// What is known of one.
#[derive(Clone, Debug)]
struct InstanceRecord {
    began: Instant,
    /// This minute, and the one before.
    page: MinuteCounts,
    before: MinuteCounts,
    /// The last of them last.
    bursts: VecDeque<RefusalBurst>,
    /// How many were accepted since the last of them.
    accepted_since: u64,
    /// How much was used at most when it took one of them.
    peak: u64,
    refused: RefusalCounts,
    endpoints: SmallVec<[Endpoint; 2]>,
}

/// How many requests for an instance were refused, for as long as it has been there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefusalCounts {
    /// By the gate.
    pub by_gate: u64,
    /// By the upstream.
    pub by_upstream: u64,
}

/// What is counted in a minute, in requests.
#[derive(Clone, Debug, Default)]
struct MinuteCounts {
    requesters: Requesters,
    waited: u64,
    turned_away: u64,
    short: u64,
    accepted: u64,
}

/// Whether the endpoint of a route is there.
#[derive(Clone, Copy, Debug)]
struct Endpoint {
    route: RouteId,
    /// How often in a row it was not.
    missing: u64,
}

/// Refusals of the upstream for one reason: of what was under way when the first of them came back and, where a window is
/// known, of what followed within half of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusalBurst {
    /// When the first came back.
    pub began: Instant,
    /// How many there were.
    pub refusals: u32,
    /// What they mean.
    pub cause: RefusalCause,
    /// How full the instance was: as little as is known by now.
    pub level: FillLevel,
    /// What the first of them said of the limit.
    pub figures: Option<LimitFigures>,
}

/// What was seen of a pool instance in the last minute or two, in requests, and of refusals in the last hour.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// Asked for it.
    pub requested: u64,
    /// Had to wait for it.
    pub waited: u64,
    /// Were refused by the gate.
    pub turned_away: u64,
    /// Had to wait or were refused because of its own limit, and not because of what the upstream refused.
    pub short: u64,
    /// Were accepted by the upstream.
    pub accepted: u64,
    /// Who requested how often, the most first.
    pub requesters: Vec<(Requester, u64)>,
    /// What the upstream refused, the last of it last.
    pub bursts: Vec<RefusalBurst>,
    /// How many it has accepted since.
    pub accepted_since: u64,
    /// How much was used at most when it took one of them.
    pub peak: u64,
    /// A kind of request to which there is nothing any more, and how often in a row it was answered so.
    pub missing: Option<(RouteId, u64)>,
    /// What was refused, ever.
    pub refused: RefusalCounts,
}

impl EvidenceLog {
    /// A request asks for a place, which it had not before.
    pub(super) fn requested(&mut self, now: Instant, instance: InstanceId, asker: Requester) {
        self.page(now, instance).requesters.ask(asker, 1);
    }

    /// A request must wait for this instance: for its own limit, or for what the upstream refused.
    pub(super) fn waited(&mut self, now: Instant, instance: InstanceId, for_own_limit: bool) {
        let page = self.page(now, instance);
        page.waited += 1;
        page.short += u64::from(for_own_limit);
    }

    /// The gate refuses a request because of this instance, in the same way.
    pub(super) fn turned_away(&mut self, now: Instant, instance: InstanceId, for_own_limit: bool) {
        self.never_fits(now, instance);
        let page = self.page(now, instance);
        page.turned_away += 1;
        page.short += u64::from(for_own_limit);
    }

    /// The gate refuses a request that costs more than this instance ever admits.
    pub(super) fn never_fits(&mut self, now: Instant, instance: InstanceId) {
        self.record(now, instance).refused.by_gate += 1;
    }

    /// The upstream took a request of this route, the last of so much that was `used`; `gone` where it knows nothing at that
    /// path.
    pub(super) fn accepted(&mut self, now: Instant, instance: InstanceId, used: u64, route: RouteId, gone: bool) {
        let record = self.record(now, instance);
        record.peak = record.peak.max(used);
        record.page.accepted += 1;
        record.accepted_since += 1;
        record.answered(route, gone);
    }

    /// The upstream refused a request that was sent at about `sent_at`, when this instance was as full as this.
    pub(super) fn refused(
        &mut self,
        now: Instant,
        instance: InstanceId,
        sent_at: Instant,
        level: FillLevel,
        pushback: &Pushback,
    ) {
        self.record(now, instance).refused(now, sent_at, level, pushback);
    }

    /// What was seen of this instance.
    pub(super) fn view(&mut self, now: Instant, instance: InstanceId) -> Evidence {
        let known = self.of.get(instance.index()).is_some_and(Option::is_some);
        if known { self.record(now, instance).view(now) } else { Evidence::default() }
    }

    /// Whether an instance is to be kept for what was seen there.
    pub(super) fn keeps(&self, now: Instant, slot: usize) -> bool {
        let record = self.of.get(slot).and_then(Option::as_ref);
        record.and_then(|record| record.bursts.back()).is_some_and(|last| now < last.began + KEPT)
    }

    /// Forgets the instances that are there no more.
    pub(super) fn sweep(&mut self, is_there: impl Fn(usize) -> bool) {
        let gone = self.of.iter_mut().enumerate().filter(|&(slot, _)| !is_there(slot));
        gone.for_each(|(_, record)| *record = None);
    }

    fn page(&mut self, now: Instant, instance: InstanceId) -> &mut MinuteCounts {
        &mut self.record(now, instance).page
    }

    fn record(&mut self, now: Instant, instance: InstanceId) -> &mut InstanceRecord {
        if self.of.len() <= instance.index() {
            self.of.resize_with(instance.index() + 1, || None);
        }
        let record = self.of[instance.index()].get_or_insert_with(|| Box::new(InstanceRecord::new(now)));
        record.turn(now);
        record
    }
}

impl InstanceRecord {
    fn new(now: Instant) -> Self {
        Self {
            began: now,
            page: MinuteCounts::default(),
            before: MinuteCounts::default(),
            bursts: VecDeque::new(),
            accepted_since: 0,
            peak: 0,
            refused: RefusalCounts::default(),
            endpoints: SmallVec::new(),
        }
    }

    /// Turns to a new page when a minute is over.
    fn turn(&mut self, now: Instant) {
        let age = now.saturating_duration_since(self.began);
        if age < MINUTE {
            return;
        }
        std::mem::swap(&mut self.page, &mut self.before);
        self.page.clear();
        if age >= MINUTE * 2 {
            self.before.clear();
        }
        self.began = now;
    }

    fn answered(&mut self, route: RouteId, gone: bool) {
        let is_known = self.endpoints.iter().any(|endpoint| endpoint.route == route);
        if !is_known && self.endpoints.len() < ROUTES {
            self.endpoints.push(Endpoint { route, missing: 0 });
        }
        let endpoint = self.endpoints.iter_mut().find(|endpoint| endpoint.route == route);
        endpoint.into_iter().for_each(|endpoint| endpoint.answered(gone));
    }

    fn refused(&mut self, now: Instant, sent_at: Instant, level: FillLevel, pushback: &Pushback) {
        self.refused.by_upstream += 1;
        (self.accepted_since, self.peak) = (0, 0);
        let cause = pushback.cause;
        match self.bursts.back_mut() {
            Some(last) if last.cause == cause && (sent_at <= last.began || now < last.settles()) => {
                last.refusals += 1;
                last.level.used = last.level.used.min(level.used);
            }
            _ => {
                if self.bursts.len() == MAX_BURSTS {
                    self.bursts.pop_front();
                }
                self.bursts.push_back(RefusalBurst {
                    began: now,
                    refusals: 1,
                    cause,
                    level,
                    figures: pushback.figures,
                });
            }
        }
    }

    fn view(&self, now: Instant) -> Evidence {
        let mut requesters = self.page.requesters.clone();
        requesters.add(&self.before.requesters);
        let is_kept = |burst: &&RefusalBurst| now < burst.began + KEPT;
        Evidence {
            requested: requesters.total(),
            waited: self.page.waited + self.before.waited,
            turned_away: self.page.turned_away + self.before.turned_away,
            short: self.page.short + self.before.short,
            accepted: self.page.accepted + self.before.accepted,
            requesters: requesters.ranked(),
            bursts: self.bursts.iter().filter(is_kept).copied().collect(),
            accepted_since: self.accepted_since,
            peak: self.peak,
            missing: self.endpoints.iter().find_map(Endpoint::is_gone),
            refused: self.refused,
        }
    }
}

impl RefusalBurst {
    /// When what is refused is a matter of its own.
    fn settles(&self) -> Instant {
        let window = self.level.limit.filter(|_| self.cause == RefusalCause::Limit);
        self.began + window.map_or(Duration::ZERO, |limit| limit.per() / SETTLES_PART)
    }
}

impl MinuteCounts {
    fn clear(&mut self) {
        self.requesters.clear();
        (self.waited, self.turned_away, self.short, self.accepted) = (0, 0, 0, 0);
    }
}

impl Endpoint {
    fn answered(&mut self, gone: bool) {
        self.missing = if gone { self.missing + 1 } else { 0 };
    }

    fn is_gone(&self) -> Option<(RouteId, u64)> {
        (self.missing >= MISSING).then_some((self.route, self.missing))
    }
}
