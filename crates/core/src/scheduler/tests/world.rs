use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use proptest::sample::Index;

use crate::limit::Pool;
use crate::limit::tests::{just_before, start};
use crate::queue::{Charges, Ticket};
use crate::route::Ask;
use crate::scheduler::{AdmissionRequest, Arrival, Decision, Reason, Refusal, RequestTotals, Rules, Scheduler};

/// A pool instance: its pool and its key.
pub(super) type Name = (usize, Box<str>);

/// What a request takes.
pub(super) type Costs = BTreeMap<Name, u32>;

/// A scheduler, and the world around it, which knows by itself who waits, what is taken, and what was sent when.
pub(super) struct World {
    pub(super) scheduler: Scheduler<u32>,
    pub(super) rules: Rules,
    pub(super) now: Instant,
    pub(super) arrived: u32,
    pub(super) waiting: BTreeMap<u32, QueuedRequest>,
    pub(super) held: Vec<(Charges, Costs)>,
    pub(super) in_flight: Vec<(Charges, Costs)>,
    pub(super) pools: BTreeMap<Name, Pool>,
    pub(super) sent: Vec<(Instant, Name, u32)>,
    pub(super) tally: RequestTotals,
    draining: bool,
}

/// One who waits.
pub(super) struct QueuedRequest {
    pub(super) costs: Costs,
    pub(super) deadline: Instant,
    who: AdmissionRequest,
    ticket: Ticket,
}

impl World {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            scheduler: Scheduler::new(rules.clone()),
            rules,
            now: start(),
            arrived: 0,
            waiting: BTreeMap::new(),
            held: Vec::new(),
            in_flight: Vec::new(),
            pools: BTreeMap::new(),
            sent: Vec::new(),
            tally: RequestTotals::default(),
            draining: false,
        }
    }

    pub(super) fn arrive(&mut self, asks: &[Ask], applicant: AdmissionRequest) {
        let (who, costs) = (self.arrived, self.costs(asks));
        self.arrived += 1;
        for name in costs.keys() {
            let limits = &self.rules.pools[name.0].0;
            self.pools.entry(name.clone()).or_insert_with(|| Pool::new(limits));
        }
        match self.scheduler.arrive(self.now, asks, applicant, || who) {
            Arrival::Granted { charges, .. } => self.grant(charges, costs),
            Arrival::Queued { ticket, .. } => self.enqueue(who, ticket, costs, applicant),
            Arrival::Refused(refusal) => self.refuse(refusal, &costs),
        }
    }

    /// One who waits leaves.
    pub(super) fn cancel(&mut self, which: Index) {
        let Some(who) = self.waiting.keys().nth(which.index(self.waiting.len().max(1))).copied() else { return };
        let waiting = self.waiting.remove(&who).expect("he waits");
        self.tally.cancelled += 1;
        self.scheduler.cancel(self.now, waiting.ticket);
    }

    /// One who was granted is sent.
    pub(super) fn send(&mut self, which: Index) {
        let Some((charges, costs)) = take(&mut self.held, which) else { return };
        for (name, cost) in costs {
            let now = self.now;
            self.pool(&name).commit(now, cost);
            self.sent.push((self.now, name, cost));
        }
        self.tally.sent += 1;
        self.scheduler.commit(self.now, &charges);
    }

    /// One who was granted never will be sent.
    pub(super) fn give_back(&mut self, which: Index) {
        let Some((charges, costs)) = take(&mut self.held, which) else { return };
        costs.iter().for_each(|(name, &cost)| self.pool(name).refund(cost));
        self.tally.refunded += 1;
        self.scheduler.refund(self.now, &charges);
    }

    /// One who was granted is over.
    pub(super) fn land(&mut self, which: Index) {
        let Some((charges, costs)) = take(&mut self.in_flight, which) else { return };
        costs.keys().for_each(|name| self.pool(name).release());
        self.tally.released += 1;
        self.scheduler.release(self.now, &charges);
    }

    pub(super) fn drain(&mut self) {
        self.draining = true;
        self.scheduler.drain();
    }

    pub(super) fn wait(&mut self, time: Duration) {
        self.now += time;
    }

    /// Goes on to the next timeout; until then, nobody could have gone.
    pub(super) fn wait_for_timeout(&mut self) {
        if let Some(due) = self.scheduler.poll_timeout().filter(|&due| due > self.now) {
            self.now = just_before(due);
            self.expect_nobody_held_up();
            self.now = due;
        }
    }

    pub(super) fn handle_timeout(&mut self) {
        self.scheduler.handle_timeout(self.now);
        self.hear();
        assert!(self.scheduler.poll_timeout().is_none_or(|due| due > self.now), "it comes back to the same instant");
        assert!(self.waiting.values().all(|waiting| waiting.deadline > self.now), "waits beyond a deadline");
        self.expect_nobody_held_up();
    }

    /// Hears what was decided.
    pub(super) fn hear(&mut self) {
        for decision in self.scheduler.take_decisions() {
            match decision {
                Decision::Grant { waiter, charges, .. } => {
                    let waiting = self.waiting.remove(&waiter).expect("who is granted had waited");
                    self.expect_in_turn(waiter, &waiting);
                    self.grant(charges, waiting.costs);
                }
                Decision::Refuse { waiter, refusal } => {
                    let waiting = self.waiting.remove(&waiter).expect("who is refused had waited");

                    self.refuse(refusal, &waiting.costs);
                }
            }
        }
    }

    /// Nobody goes before one of the same client who came earlier, needs the same pools and has the same priority; unless
    /// a place was kept for him.
    fn expect_in_turn(&self, who: u32, goes: &QueuedRequest) {
        let is_alike = |waiting: &QueuedRequest| {
            (waiting.who.client, waiting.who.priority) == (goes.who.client, goes.who.priority)
                && waiting.costs.keys().eq(goes.costs.keys())
        };
        let has_returned = goes.who.returns > Some(0);
        let earlier = self.waiting.range(..who).any(|(_, waiting)| is_alike(waiting));
        assert!(has_returned || !earlier, "{who} goes before its turn");
    }

    fn grant(&mut self, charges: Charges, costs: Costs) {
        assert!(!self.draining, "nobody goes any more");
        assert_eq!(sorted(charges.iter().map(|charge| charge.cost)), sorted(costs.values().copied()));
        costs.iter().for_each(|(name, &cost)| self.pool(name).reserve(cost));
        self.held.push((charges.clone(), costs.clone()));
        self.in_flight.push((charges, costs));
        self.tally.granted += 1;
    }

    fn enqueue(&mut self, who: u32, ticket: Ticket, costs: Costs, applicant: AdmissionRequest) {
        assert!(!self.draining, "nobody waits any more");
        let rules = |name: &Name| self.rules.pools[name.0].1;
        let waited_for = costs.keys().map(rules).filter(|rules| !rules.refuse_when_full);
        let max_wait = waited_for.map(|rules| rules.max_wait).min().expect("a pool that is waited for");
        let deadline = self.now + max_wait.min(applicant.patience.unwrap_or(max_wait));
        let refusing: Vec<_> = costs.iter().filter(|(name, _)| rules(name).refuse_when_full).collect();
        for (name, &cost) in refusing {
            assert_eq!(self.pools.get_mut(name).expect("a pool").check(self.now, cost), Ok(()), "nobody waits for it");
        }
        self.waiting.insert(who, QueuedRequest { costs, deadline, who: applicant, ticket });
    }

    fn refuse(&mut self, refusal: Refusal, costs: &Costs) {
        let limits = |name: &Name| &self.rules.pools[name.0].0;
        let never = costs.iter().any(|(name, &cost)| limits(name).fits(cost).is_err());
        match refusal.reason {
            Reason::Draining => assert!(self.draining),
            Reason::NeverFits { .. } => assert!(never),
            Reason::WaitTooLong { eta, max_wait, .. } => assert!(eta >= max_wait && !never),
            Reason::NoQueue { .. } | Reason::TooManyBytes { .. } | Reason::QueueFull { .. } => assert!(!never),
        }
        assert!((1..=60).contains(&refusal.retry_after.as_secs()), "{refusal:?}");
        self.tally.refused += 1;
    }

    /// What is asked, an instance at a time; where something is unknown, no more than there is.
    fn costs(&self, asks: &[Ask]) -> Costs {
        let mut costs = Costs::new();
        for ask in asks {
            let capacity = self.rules.pools[ask.pool.0].0.capacity();
            let cost = costs.entry((ask.pool.0, ask.key.clone().unwrap_or_default())).or_default();
            *cost += ask.cost.unwrap_or(capacity);
            if asks.iter().any(|other| other.pool == ask.pool && other.cost.is_none()) {
                *cost = capacity.min(*cost);
            }
        }
        costs
    }

    pub(super) fn pool(&mut self, name: &Name) -> &mut Pool {
        self.pools.get_mut(name).expect("a pool that was asked")
    }
}

fn take<T>(from: &mut Vec<T>, which: Index) -> Option<T> {
    (!from.is_empty()).then(|| from.swap_remove(which.index(from.len())))
}

fn sorted(costs: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut costs: Vec<_> = costs.collect();
    costs.sort_unstable();
    costs
}
