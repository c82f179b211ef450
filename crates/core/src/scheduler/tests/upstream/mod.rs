//! A crowd, the scheduler, and an upstream with limits of its own, on a clock that is stepped.

mod attribution;
mod hidden;
mod whims;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use crate::hints::{Pushback, RefusalCause};
use crate::limit::tests::start;
use crate::limit::{EstimateView, Limits, PoolId};
use crate::meter::{Counting, Counts, Meter};
use crate::queue::{Charges, ClientId};
use crate::route::Ask;
use crate::scheduler::{AdmissionRequest, Arrival, Decision, QueuePosition, Rules, Scheduler};

/// A refusal that says nothing.
const LIMIT: Pushback = Pushback { cause: RefusalCause::Limit, figures: None, family: None, retry_after: None };

pub(super) const MINUTE: Duration = Duration::from_mins(1);

/// What happens at some time.
#[derive(Debug)]
enum Event {
    Comes {
        client: u64,
        again: Option<QueuePosition>,
    },
    Reaches {
        client: u64,
        trip: Trip,
    },
    Answers {
        client: u64,
        trip: Trip,
        pushback: Option<Pushback>,
    },
    /// Somebody else takes one.
    Foreign,
    /// Somebody else draws how much he takes of the next window.
    Draws,
    Limit(u32),
}

#[derive(Debug)]
struct Trip {
    charges: Charges,
    place: QueuePosition,
    sent_at: Instant,
}

pub(super) struct World {
    scheduler: Scheduler<u64>,
    meters: Vec<Meter>,
    asks: fn(u64) -> &'static [usize],
    thinks: fn(u64) -> Duration,
    began: Instant,
    now: Instant,
    events: BTreeMap<(Instant, u64), Event>,
    number: u64,
    chance: fastrand::Rng,
    to_come: usize,
    waiting: HashSet<u64>,
    foreign: f64,
    whims: fn(&mut fastrand::Rng) -> Option<Pushback>,
    limit: u32,
    latency: Duration,
    under_way: usize,
    /// How many were under way when the first refusal came back.
    pub(super) under_way_at_first: usize,
    pub(super) taken: Vec<Duration>,
    pub(super) refused: Vec<Duration>,
    pub(super) foreign_taken: Vec<Duration>,
    pub(super) failed: usize,
}

pub(super) struct Scene {
    /// What each pool has by the configuration, and what the upstream has.
    pub(super) pools: Vec<(u32, u32)>,
    /// The pools that a client's requests take from.
    pub(super) asks: fn(u64) -> &'static [usize],
    /// How long a client is quiet after an answer.
    pub(super) thinks: fn(u64) -> Duration,
    pub(super) window: Counting,
    pub(super) burst: Option<u32>,
    pub(super) requests: usize,
    pub(super) clients: u64,
    pub(super) foreign: f64,
    /// Refusals that have nothing to do with the limits.
    pub(super) whims: fn(&mut fastrand::Rng) -> Option<Pushback>,
    pub(super) latency: Duration,
    pub(super) seed: u64,
}

impl World {
    pub(super) fn new(scene: &Scene) -> Self {
        let rate = |amount: u32| format!("{amount}/min").parse().expect("a rate");
        let limits = |&(configured, _): &(u32, u32)| Limits {
            requests: vec![rate(configured)],
            margin: Duration::from_millis(250),
            ..Limits::default()
        };
        let pools = scene.pools.iter().map(|pool| super::gate::pool(limits(pool))).collect();
        let rules = Rules { pools, max_waiting: 100_000, weights: HashMap::new(), ageing: MINUTE };
        let now = start();
        let burst = scene.burst.and_then(std::num::NonZeroU32::new);
        let counts = Counts { window: scene.window, burst, minute: Duration::from_mins(1) };
        let mut chance = fastrand::Rng::with_seed(scene.seed);
        let mut world = Self {
            scheduler: Scheduler::new(rules),
            meters: scene.pools.iter().map(|&(_, real)| Meter::new(rate(real), counts, now, chance.f64())).collect(),
            asks: scene.asks,
            thinks: scene.thinks,
            began: now,
            now,
            events: BTreeMap::new(),
            number: 0,
            chance,
            to_come: scene.requests,
            waiting: HashSet::new(),
            foreign: scene.foreign,
            whims: scene.whims,
            limit: scene.pools[0].1,
            latency: scene.latency,
            under_way: 0,
            under_way_at_first: 0,
            taken: Vec::new(),
            refused: Vec::new(),
            foreign_taken: Vec::new(),
            failed: 0,
        };
        for client in 0..scene.clients {
            world.comes(client);
        }
        if scene.foreign > 0.0 {
            world.at(Duration::ZERO, Event::Draws);
        }
        world
    }

    pub(super) fn played(scene: &Scene) -> Self {
        let mut world = Self::new(scene);
        world.play();
        world
    }

    pub(super) fn limit_changes(&mut self, after: Duration, amount: u32) {
        self.at(after, Event::Limit(amount));
    }

    fn at(&mut self, after: Duration, event: Event) {
        self.number += 1;
        self.events.insert((self.now + after, self.number), event);
    }

    fn comes(&mut self, client: u64) {
        if self.to_come > 0 {
            self.to_come -= 1;
            let soon = (self.thinks)(client) + Duration::from_millis(1).mul_f64(self.chance.f64());
            self.at(soon, Event::Comes { client, again: None });
        }
    }

    pub(super) fn play(&mut self) {
        loop {
            let event = self.events.first_key_value().map(|(&(at, _), _)| at);
            let due = self.scheduler.poll_timeout();
            if event.is_none() && self.under_way == 0 && self.waiting.is_empty() {
                return;
            }
            match (event, due) {
                (Some(at), due) if due.is_none_or(|due| at <= due) => {
                    self.now = self.now.max(at);
                    let (_, event) = self.events.pop_first().expect("there is one");
                    if matches!(event, Event::Foreign | Event::Draws)
                        && self.to_come == 0
                        && self.under_way == 0
                        && self.waiting.is_empty()
                    {
                        continue;
                    }
                    self.happens(event);
                }
                (_, Some(due)) => {
                    // A timer is up to a millisecond late.
                    self.now = self.now.max(due + Duration::from_millis(1).mul_f64(self.chance.f64()));
                    self.scheduler.handle_timeout(self.now);
                }
                (None, None) => panic!("nothing will ever happen, and {} wait", self.waiting.len()),
                (Some(_), None) => unreachable!("an event that is due"),
            }
            self.hear();
        }
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Comes { client, again } => {
                let ask: Vec<_> = (self.asks)(client)
                    .iter()
                    .map(|&pool| Ask { pool: PoolId(pool), key: None, cost: Some(1) })
                    .collect();
                let applicant =
                    AdmissionRequest { client: ClientId(client), position: again, ..AdmissionRequest::default() };
                match self.scheduler.arrive(self.now, &ask, applicant, || client) {
                    Arrival::Granted { charges, position } => self.goes(client, charges, position),
                    Arrival::Queued { .. } => drop(self.waiting.insert(client)),
                    Arrival::Refused(_) => self.failed += 1,
                }
            }
            Event::Reaches { client, trip } => {
                let told = (self.whims)(&mut self.chance);
                let pushback = told.or_else(|| (!self.takes_from((self.asks)(client))).then_some(LIMIT));
                let since = self.now - self.began;
                (if pushback.is_none() { &mut self.taken } else { &mut self.refused }).push(since);
                let back = self.takes();
                self.at(back, Event::Answers { client, trip, pushback });
            }
            Event::Answers { client, trip: Trip { charges, place, sent_at }, pushback } => {
                self.under_way -= 1;
                match &pushback {
                    Some(pushback) => self.scheduler.refused(self.now, &charges, sent_at, pushback),
                    None => self.scheduler.accepted(self.now, &charges, sent_at, &[]),
                }
                self.scheduler.release(self.now, &charges);
                if pushback.is_none() {
                    return self.comes(client);
                }
                if self.under_way_at_first == 0 {
                    self.under_way_at_first = self.under_way + 1;
                }
                self.at(Duration::ZERO, Event::Comes { client, again: Some(place) });
            }
            Event::Foreign => {
                if self.takes_from(&[0]) {
                    self.foreign_taken.push(self.now - self.began);
                }
            }
            Event::Draws => {
                let share = MINUTE.mul_f64(self.foreign * self.chance.f64());
                let amount = share.as_nanos() * u128::from(self.limit) / MINUTE.as_nanos();
                let times: Vec<_> = (0..amount).map(|_| MINUTE.mul_f64(self.chance.f64())).collect();
                times.into_iter().for_each(|after| self.at(after, Event::Foreign));
                self.at(MINUTE, Event::Draws);
            }
            Event::Limit(amount) => {
                self.limit = amount;
                self.meters[0].resize(self.now, amount);
            }
        }
    }

    /// The upstream takes a request from all of its limits, or refuses it.
    fn takes_from(&mut self, pools: &[usize]) -> bool {
        let has_room = pools.iter().all(|&pool| self.meters[pool].room(self.now, 1).is_ok());
        if has_room {
            pools.iter().for_each(|&pool| self.meters[pool].count(self.now, 1));
        }
        has_room
    }

    fn goes(&mut self, client: u64, charges: Charges, place: QueuePosition) {
        self.under_way += 1;
        let sent_at = self.now;
        self.scheduler.commit(self.now, &charges);
        let there = self.takes();
        self.at(there, Event::Reaches { client, trip: Trip { charges, place, sent_at } });
    }

    fn takes(&mut self) -> Duration {
        // Answers take their time in the network, and a little more or less of it.
        self.latency / 2 + (self.latency / 20).mul_f64(self.chance.f64())
    }

    fn hear(&mut self) {
        let mut decisions: VecDeque<_> = self.scheduler.take_decisions().into();
        while let Some(decision) = decisions.pop_front() {
            match decision {
                Decision::Grant { waiter, charges, position } => {
                    self.waiting.remove(&waiter);
                    self.goes(waiter, charges, position);
                }
                Decision::Refuse { waiter, .. } => {
                    self.waiting.remove(&waiter);
                    self.failed += 1;
                }
            }
            decisions.extend(self.scheduler.take_decisions());
        }
    }

    /// Nobody waits, and nothing is held or in flight.
    pub(super) fn is_empty(&mut self) -> bool {
        let now = self.scheduler.snapshot(self.now);
        now.waiting == 0 && now.instances.iter().all(|state| state.usage.reserved == 0 && state.usage.in_flight == 0)
    }

    /// What each pool has learned by now.
    pub(super) fn lessons(&mut self) -> Vec<Option<EstimateView>> {
        let instances = self.scheduler.snapshot(self.now).instances;
        instances.iter().map(|instance| instance.usage.learned.and_then(|learned| learned.estimate)).collect()
    }

    /// What was taken and what others left of it, but for the last window.
    pub(super) fn used_and_left(&self) -> (usize, usize) {
        let (mut taken, mut foreign) = (by_window(&self.taken), by_window(&self.foreign_taken));
        taken.pop();
        foreign.truncate(taken.len());
        let left = taken.len() * self.limit as usize - foreign.iter().sum::<usize>();
        (taken.iter().sum(), left)
    }
}

/// How many of these fall in each window.
pub(super) fn by_window(times: &[Duration]) -> Vec<usize> {
    let window = |at: &Duration| usize::try_from(at.as_nanos() / MINUTE.as_nanos()).expect("a test's time");
    let mut counts = vec![0; times.iter().map(window).max().map_or(0, |last| last + 1)];
    times.iter().for_each(|at| counts[window(at)] += 1);
    counts
}
