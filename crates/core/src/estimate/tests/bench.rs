//! Clients, a gate and an upstream on a virtual clock.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::oracle::Oracle;
use super::scenario::{Scenario, Scope};
use super::upstream::Upstream;
use crate::estimate::{
    Certainty, Clearance, ConfiguredLimit, Estimate, Estimator, Flight, LimitCase, RefusalSaid, ScopeKind, Subject,
};
use crate::limit::NotYet;

/// The way to the upstream and back takes at least this time each.
const WAY: Duration = Duration::from_millis(10);

/// A timer is late by up to this.
const LATE: Duration = Duration::from_millis(1);

/// The gate looks at least so often who may go.
const LOOKS: Duration = Duration::from_millis(40);

/// Against jitter, for the configured windows.
const MARGIN: Duration = Duration::from_millis(25);

enum Event {
    Asks(usize),
    Arrives(Trip),
    Refused(Trip),
    Accepted(Trip),
    Completes(Trip),
    Completed(Trip),
    Foreign,
    Draws,
    Wake,
}

struct Trip {
    client: usize,
    subject: Subject,
    flight: Option<Flight>,
    attempts: u32,
}

struct Waiting {
    seq: u64,
    client: usize,
    attempts: u32,
    not_before: Instant,
}

/// What came of looking who may go.
enum Pumped {
    Went,
    /// Nobody may before this instant.
    Until(Instant),
    /// Nobody waits.
    Nobody,
}

pub(super) struct Bench<'s> {
    scenario: &'s Scenario,
    began: Instant,
    now: Instant,
    number: u64,
    events: BTreeMap<(Instant, u64), Event>,
    chance: fastrand::Rng,
    upstream: Upstream,
    estimator: Option<Estimator>,
    oracle: Oracle,
    queues: Vec<(Subject, VecDeque<Waiting>)>,
    configured: Vec<VecDeque<Instant>>,
    wake_at: Option<Instant>,
    pub(super) outcome: Outcome,
}

#[derive(Default)]
pub(super) struct Outcome {
    pub(super) accepted: u64,
    pub(super) refused: u64,
    pub(super) late_accepted: u64,
    pub(super) late_refused: u64,
    pub(super) late_foreign: u64,
    /// What was believed at the end of each window.
    pub(super) believed: Vec<Estimate>,
    /// How many had been refused by then.
    pub(super) refused_by: Vec<u64>,
    pub(super) explained: Vec<String>,
}

impl<'s> Bench<'s> {
    pub(super) fn run(scenario: &'s Scenario, seed: u64, with_oracle: bool) -> Outcome {
        let began = crate::tests::any_instant();
        let mut chance = fastrand::Rng::with_seed(seed);
        let configured = ConfiguredLimit { amount: Some(scenario.configured), per: scenario.per };
        let mut bench = Self {
            scenario,
            began,
            now: began,
            number: 0,
            events: BTreeMap::new(),
            upstream: Upstream::new(scenario, began, &mut chance),
            chance,
            estimator: (!with_oracle).then(|| Estimator::new(began, &vec![configured; scenario.pools])),
            oracle: Oracle::default(),
            queues: Vec::new(),
            configured: vec![VecDeque::new(); scenario.pools],
            wake_at: None,
            outcome: Outcome::default(),
        };
        for client in 0..scenario.clients {
            let after = bench.thinks();
            bench.at(after.min(scenario.per / 4), Event::Asks(client));
        }
        if scenario.foreign > 0.0 {
            bench.at(Duration::ZERO, Event::Draws);
        }
        bench.play();
        bench.outcome
    }

    fn play(&mut self) {
        let mut window = 1;
        while let Some(((at, _), event)) = self.events.pop_first() {
            while at >= self.began + self.scenario.per * window {
                if let Some(estimator) = &self.estimator {
                    let pools = 0..self.scenario.pools;
                    let worst =
                        pools.rev().max_by_key(|&pool| estimator.estimate(at, pool).evidence.refused).unwrap_or(0);
                    self.outcome.refused_by.push(self.outcome.refused);
                    self.outcome.believed.push(estimator.estimate(at, worst));
                    self.outcome.explained.push(estimator.explain(worst));
                }
                if window == self.scenario.windows {
                    return;
                }
                window += 1;
            }
            if matches!(event, Event::Wake) && self.wake_at != Some(at) {
                continue;
            }
            self.now = at;
            self.happens(event);
            self.pump();
        }
    }

    fn at(&mut self, after: Duration, event: Event) {
        self.number += 1;
        self.events.insert((self.now + after, self.number), event);
    }

    fn thinks(&mut self) -> Duration {
        let per_second = self.scenario.capacity() * self.scenario.load;
        let round = (self.scenario.service + self.scenario.jitter / 2 + WAY * 2).as_secs_f64();
        let mean = self.scenario.clients as f64 / per_second - round;
        if mean <= 0.0 { Duration::ZERO } else { Duration::from_secs_f64(-mean * (1.0 - self.chance.f64()).ln()) }
    }

    fn way(&mut self) -> Duration {
        WAY + self.scenario.jitter.mul_f64(self.chance.f64())
    }

    fn subject(&mut self) -> Subject {
        let Scenario { pools, routes, threads, accounts, .. } = *self.scenario;
        let pool = self.chance.usize(0..pools);
        let route = crate::route::RouteId(pool * 10 + usize::from(self.chance.u16(0..routes)));
        let account = Some(self.chance.u64(0..accounts));
        let thread = (threads > 0).then(|| self.chance.u64(0..threads.max(1)));
        #[expect(clippy::cast_possible_truncation, reason = "few pools")]
        let pools = [pool as u16].into_iter().collect();
        Subject { pools, route, keys: [account, None, thread] }
    }

    fn happens(&mut self, event: Event) {
        let late = self.now >= self.began + self.scenario.per * self.scenario.windows / 2;
        match event {
            Event::Asks(client) => {
                let subject = self.subject();
                self.enqueue(subject, client, 0, Duration::ZERO, false);
            }
            Event::Arrives(trip) => self.arrives(trip, late),
            Event::Completes(trip) => {
                self.upstream.completes(&trip.subject);
                let back = self.way() / 2;
                self.at(back, Event::Accepted(trip));
            }
            Event::Accepted(trip) => {
                if let (Some(estimator), Some(flight)) = (&mut self.estimator, &trip.flight) {
                    estimator.accepted(self.now, flight);
                }
                self.at(Duration::from_millis(1), Event::Completed(trip));
            }
            Event::Completed(trip) => {
                match (&mut self.estimator, &trip.flight) {
                    (Some(estimator), Some(flight)) => estimator.completed(self.now, flight),
                    _ => self.oracle.completed(self.scenario, &trip.subject),
                }
                let after = self.thinks();
                self.at(after, Event::Asks(trip.client));
            }
            Event::Refused(trip) => self.refused(trip),
            Event::Foreign => {
                let taken = self.upstream.arrives_in(self.now, 0, &mut self.chance);
                self.outcome.late_foreign += u64::from(taken && late);
            }
            Event::Draws => {
                let amount = self.scenario.capacity() * self.scenario.per.as_secs_f64();
                let amount = (amount * self.scenario.foreign * self.chance.f64()) as u32;
                for _ in 0..amount {
                    let after = self.scenario.per.mul_f64(self.chance.f64());
                    self.at(after, Event::Foreign);
                }
                self.at(self.scenario.per, Event::Draws);
            }
            Event::Wake => self.wake_at = None,
        }
    }

    fn arrives(&mut self, trip: Trip, late: bool) {
        let accepted = self.upstream.arrives(self.now, &trip.subject, &mut self.chance);
        self.outcome.accepted += u64::from(accepted);
        self.outcome.refused += u64::from(!accepted);
        self.outcome.late_accepted += u64::from(accepted && late);
        self.outcome.late_refused += u64::from(!accepted && late);
        if accepted {
            let takes = self.scenario.service.mul_f64(0.8 + 0.4 * self.chance.f64());
            self.at(takes, Event::Completes(trip));
        } else {
            let back = self.way() / 2;
            self.at(back, Event::Refused(trip));
        }
    }

    fn refused(&mut self, trip: Trip) {
        match (&mut self.estimator, &trip.flight) {
            (Some(estimator), Some(flight)) => {
                estimator.refused(self.now, flight, &RefusalSaid::default());
                if std::env::var_os("TRACE").is_some() {
                    let at = (self.now - self.began).as_secs_f64();
                    println!("{at:7.3} refused {} {}", flight.challenge, estimator.trace(flight, 0));
                }
            }
            _ => self.oracle.completed(self.scenario, &trip.subject),
        }
        let backoff = Duration::from_millis(50 << trip.attempts.min(6)).min(self.scenario.per / 4);
        self.enqueue(trip.subject, trip.client, trip.attempts + 1, backoff, true);
    }

    fn enqueue(&mut self, subject: Subject, client: usize, attempts: u32, backoff: Duration, first: bool) {
        self.number += 1;
        let waiting = Waiting { seq: self.number, client, attempts, not_before: self.now + backoff };
        let at = self.queues.iter().position(|(known, _)| *known == subject);
        let at = at.unwrap_or_else(|| {
            self.queues.push((subject, VecDeque::new()));
            self.queues.len() - 1
        });
        if first { self.queues[at].1.push_front(waiting) } else { self.queues[at].1.push_back(waiting) }
    }

    /// Lets go whoever may, and comes back when somebody else may.
    fn pump(&mut self) {
        let wake = loop {
            match self.pump_once() {
                Pumped::Went => {}
                Pumped::Until(wake) => break wake,
                Pumped::Nobody => return,
            }
        };
        // A timer is up to a millisecond late.
        let wake = (wake.max(self.now) + LATE.mul_f64(self.chance.f64())).min(self.now + LOOKS);
        if self.wake_at.is_none_or(|at| at > wake) {
            self.wake_at = Some(wake);
            self.at(wake - self.now, Event::Wake);
        }
    }

    /// Lets one go, the first that may.
    fn pump_once(&mut self) -> Pumped {
        let firsts = self.queues.iter().enumerate().filter_map(|(at, (_, queue))| Some((queue.front()?.seq, at)));
        let mut order: SmallVec<[(u64, usize); 32]> = firsts.collect();
        order.sort_unstable();
        let mut wake: Option<Instant> = None;
        for &(_, at) in &order {
            match self.try_first(at) {
                Ok(()) => return Pumped::Went,
                Err(until) => wake = Some(wake.map_or(until, |wake| wake.min(until))),
            }
        }
        wake.map_or(Pumped::Nobody, Pumped::Until)
    }

    /// Lets the first of a queue go, or says when it may.
    fn try_first(&mut self, at: usize) -> Result<(), Instant> {
        let now = self.now;
        let (subject, queue) = &mut self.queues[at];
        let place = queue.iter().position(|waiting| waiting.not_before <= now);
        let place = place.ok_or_else(|| queue.iter().map(|waiting| waiting.not_before).min().unwrap_or(now))?;
        let span = self.scenario.per + MARGIN;
        let log = &mut self.configured[usize::from(subject.pools[0])];
        while log.front().is_some_and(|&at| now - at >= span) {
            log.pop_front();
        }
        if log.len() >= self.scenario.configured as usize {
            if let Some(estimator) = &mut self.estimator {
                estimator.waited(usize::from(subject.pools[0]));
            }
            return Err(log[0] + span);
        }
        let clearance = if let Some(estimator) = &mut self.estimator {
            estimator.check(now, subject).map_err(|not_yet| match not_yet {
                NotYet::Until(at) => at,
                NotYet::Freed => now + LOOKS,
            })?
        } else {
            self.oracle.may_go(now, self.scenario, subject).map_err(|until| until.unwrap_or(now + LOOKS))?;
            Clearance { challenge: false }
        };
        log.push_back(now);
        let subject = subject.clone();
        let Waiting { client, attempts, .. } = queue.remove(place).expect("it waits");
        let flight = self.estimator.as_mut().map(|estimator| estimator.sent(now, &subject, clearance));
        if flight.is_none() {
            self.oracle.sent(now, self.scenario, &subject);
        }
        let there = self.way();
        self.at(there, Event::Arrives(Trip { client, subject, flight, attempts }));
        Ok(())
    }
}

impl Scenario {
    /// Whether an estimate is right.
    pub(super) fn is_right(&self, estimate: &Estimate, refused: u64) -> bool {
        // What has never been refused has no limit that shows.
        if refused == 0 {
            return matches!(estimate.case, LimitCase::WithinLimits | LimitCase::OwnLimit);
        }
        let kind = match self.scope {
            Scope::Pool => ScopeKind::Pool,
            Scope::Route => ScopeKind::Route,
            Scope::Path | Scope::Account => ScopeKind::Key,
            Scope::Upstream => ScopeKind::Upstream,
        };
        let has_scope = estimate.scope.kind == kind
            && (kind != ScopeKind::Route || estimate.scope.route == Some(crate::route::RouteId(0)))
            && (self.scope != Scope::Account || estimate.scope.key == Some(crate::estimate::KeyKind::Account))
            && (self.scope != Scope::Path || estimate.scope.key == Some(crate::estimate::KeyKind::Path));
        estimate.case == self.expect && has_scope
    }

    pub(super) fn is_sure(estimate: &Estimate) -> bool {
        estimate.certainty == Certainty::High
    }
}
