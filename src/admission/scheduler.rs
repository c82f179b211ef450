use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::promises::Promises;
use super::{PoolRules, Reason, Refusal};
use crate::limit::{Charge, InstanceId, Ledger, Limits, NotYet, PoolId, PoolUsage};
use crate::queue::{Charges, Queue, Ticket, Waiting};
use crate::route::Ask;

/// How often pool instances that nobody uses any more are looked for, while there are any.
const SWEEP: Duration = Duration::from_secs(30);

/// What the scheduler is told once.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What each pool admits, and how it treats those who wait; [`PoolId`] counts them.
    pub pools: Vec<(Limits, PoolRules)>,
    /// How many may wait in all.
    pub max_waiting: usize,
}

/// What becomes of a request that arrives.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It goes now; these are its places.
    Granted(Charges),
    /// It waits; a [`Decision`] will follow.
    Queued(Ticket),
    /// It will not go.
    Refused(Refusal),
}

/// What became of a request that waited.
#[derive(Debug)]
pub enum Decision<W> {
    /// It goes now.
    Grant {
        /// Whom to tell.
        waiter: W,
        /// Its places.
        charges: Charges,
        /// When it came.
        arrived: Instant,
    },
    /// It will not go.
    Refuse {
        /// Whom to tell.
        waiter: W,
        /// Why.
        refusal: Refusal,
    },
}

/// What has happened so far, in requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Were given a permit.
    pub granted: u64,
    /// Were refused.
    pub refused: u64,
    /// Left before their turn.
    pub cancelled: u64,
    /// Were given a permit and never sent.
    pub given_back: u64,
    /// Were sent.
    pub sent: u64,
    /// Were given a permit and are over, sent or not.
    pub landed: u64,
}

/// The state of the gate at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// How many wait.
    pub waiting: usize,
    /// What has happened so far.
    pub tally: Tally,
    /// Whether the gate is stopping.
    pub draining: bool,
    /// Every pool instance.
    pub instances: Vec<InstanceState>,
}

/// One pool instance at one moment.
#[derive(Clone, Debug)]
pub struct InstanceState {
    /// Its pool.
    pub pool: PoolId,
    /// Its key; empty where the pool has none.
    pub key: Arc<str>,
    /// What is taken.
    pub taken: PoolUsage,
    /// How many wait that need it.
    pub waiting: usize,
    /// How long one who comes now would wait for it, as far as the rates say.
    pub eta: Duration,
}

/// Decides who goes when. It waits for nothing and knows no clock: whoever drives it tells it the time, and comes back
/// at [`Scheduler::poll_timeout`].
#[derive(Debug)]
pub struct Scheduler<W> {
    rules: Rules,
    ledger: Ledger,
    queue: Queue<W>,
    deadlines: BTreeSet<(Instant, Ticket)>,
    /// When an instance at which somebody is stopped will have room again, both ways round.
    wakes: BTreeSet<(Instant, InstanceId)>,
    wake_of: BTreeMap<InstanceId, Instant>,
    sweep_at: Option<Instant>,
    promises: Promises,
    decisions: Vec<Decision<W>>,
    tally: Tally,
    draining: bool,
}

impl<W> Scheduler<W> {
    /// A scheduler of which nothing is taken.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        let limits = rules.pools.iter().map(|(limits, _)| limits.clone()).collect();
        Self {
            rules,
            ledger: Ledger::new(limits),
            queue: Queue::default(),
            deadlines: BTreeSet::new(),
            wakes: BTreeSet::new(),
            wake_of: BTreeMap::new(),
            sweep_at: None,
            promises: Promises::default(),
            decisions: Vec::new(),
            tally: Tally::default(),
            draining: false,
        }
    }

    /// A request comes. `waiter` is asked for only if it must wait.
    pub fn arrive(&mut self, now: Instant, asks: &[Ask], waiter: impl FnOnce() -> W) -> Arrival {
        let arrival = match self.admit(now, asks) {
            Ok(Admit::Now(charges)) => Arrival::Granted(charges),
            Ok(Admit::Wait(wait)) => Arrival::Queued(self.enqueue(now, wait, waiter())),
            Err(refusal) => Arrival::Refused(refusal),
        };
        match arrival {
            Arrival::Granted(_) => self.tally.granted += 1,
            Arrival::Refused(_) => self.tally.refused += 1,
            Arrival::Queued(_) => {}
        }
        arrival
    }

    /// A request that waits goes away.
    pub fn cancel(&mut self, now: Instant, ticket: Ticket) {
        if let Some((_, stopped_at)) = self.leave(ticket) {
            self.tally.cancelled += 1;
            self.pump_at(now, stopped_at);
        }
    }

    /// A granted request was sent.
    pub fn sent(&mut self, now: Instant, charges: &[Charge]) {
        self.tally.sent += 1;
        self.ledger.spend(now, charges);
        self.pump_all(now, charges);
    }

    /// A granted request was never sent, and never will be.
    pub fn give_back(&mut self, now: Instant, charges: &[Charge]) {
        self.tally.given_back += 1;
        self.ledger.give_back(charges);
        self.pump_all(now, charges);
    }

    /// A granted request is over.
    pub fn land(&mut self, now: Instant, charges: &[Charge]) {
        self.tally.landed += 1;
        self.ledger.land(charges);
        self.pump_all(now, charges);
    }

    /// Refuses everybody who waits and whoever comes from now on.
    pub fn drain(&mut self) {
        self.draining = true;
        self.deadlines.clear();
        self.wakes.clear();
        self.wake_of.clear();
        for waiting in self.queue.drain() {
            self.ledger.unname(&waiting.charges);
            self.tally.refused += 1;
            self.decisions.push(Decision::Refuse { waiter: waiting.waiter, refusal: Refusal::DRAINING });
        }
    }

    /// When [`Scheduler::handle_timeout`] wants to be called next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let deadline = self.deadlines.first().map(|&(at, _)| at);
        let wake = self.wakes.first().map(|&(at, _)| at);
        [deadline, wake, self.sweep_at].into_iter().flatten().min()
    }

    /// Does what is due at `now`: grants, then refusals of those who waited in vain, then the sweeping.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(at, instance)) = self.wakes.first()
            && at <= now
        {
            self.wakes.pop_first();
            self.wake_of.remove(&instance);
            self.pump(now, instance);
        }
        while let Some(&(at, ticket)) = self.deadlines.first()
            && at <= now
        {
            self.time_out(now, ticket);
        }
        if self.sweep_at.is_some_and(|at| at <= now) {
            self.ledger.sweep(now);
            self.promises.sweep(now);
            self.sweep_at = (self.ledger.keyed() > 0 || !self.promises.is_empty()).then_some(now + SWEEP);
        }
    }

    /// What was decided since this was last asked.
    pub fn take_decisions(&mut self) -> Vec<Decision<W>> {
        std::mem::take(&mut self.decisions)
    }

    /// The state at `now`.
    pub fn snapshot(&mut self, now: Instant) -> Snapshot {
        let usage = self.ledger.usage(now);
        let instances = usage.into_iter().map(|(id, usage)| InstanceState {
            pool: usage.pool,
            key: usage.key,
            taken: usage.taken,
            waiting: self.queue.waiting_for(id),
            eta: self.turn_at(now, Charge { instance: id, cost: 1 }, &[]).saturating_duration_since(now),
        });
        let instances = instances.collect();
        Snapshot { waiting: self.queue.len(), tally: self.tally, draining: self.draining, instances }
    }

    fn admit(&mut self, now: Instant, asks: &[Ask]) -> Result<Admit, Refusal> {
        if self.draining {
            return Err(Refusal::DRAINING);
        }
        let charges = self.charges(now, asks)?;
        let in_line = charges.iter().map(|charge| charge.instance).find(|&at| self.queue.is_stopped_at(at));
        let (stopped_at, not_yet) = match in_line {
            Some(at) => (at, None),
            None => match self.ledger.take(now, &charges) {
                Ok(()) => return Ok(Admit::Now(charges)),
                Err((at, not_yet)) => (at, Some(not_yet)),
            },
        };
        let max_wait = self.may_wait(now, &charges)?;
        if let Some(not_yet) = not_yet {
            self.wake(stopped_at, not_yet);
        }
        Ok(Admit::Wait(Wait { charges, stopped_at, deadline: now + max_wait }))
    }

    /// What is asked, as charges to instances; one charge an instance.
    fn charges(&mut self, now: Instant, asks: &[Ask]) -> Result<Charges, Refusal> {
        let mut charges = Charges::new();
        for ask in asks {
            let instance = self.ledger.instance(ask.pool, ask.key.as_deref());
            if self.ledger.keyed() > 0 {
                self.sweep_at.get_or_insert(now + SWEEP);
            }
            let limits = &self.rules.pools[ask.pool.0].0;
            let known = charges.iter_mut().find(|charge: &&mut Charge| charge.instance == instance);
            let before = known.as_ref().map_or(0, |charge| charge.cost);
            // Where a cost is unknown the sum is at most all that there is.
            let unknown = asks.iter().any(|other| other.pool == ask.pool && other.cost.is_none());
            let sum = before.saturating_add(ask.cost.unwrap_or(limits.capacity()));
            let cost = if unknown { sum.min(limits.capacity()) } else { sum };
            limits.fits(cost).map_err(|never| Refusal {
                reason: Reason::NeverFits { pool: ask.pool, limit: never.limit, cost },
                retry_after: Duration::from_mins(1),
            })?;
            match known {
                Some(charge) => charge.cost = cost,
                None => charges.push(Charge { instance, cost }),
            }
        }
        Ok(charges)
    }

    /// How long a request with these charges may wait, if it may and if its turn comes in that time.
    fn may_wait(&mut self, now: Instant, charges: &[Charge]) -> Result<Duration, Refusal> {
        let (last, turn) = self.predict(now, charges);
        let pool = self.ledger.pool_of(last.instance);
        let eta = turn - now;
        if let Some((reason, instance)) = self.no_place(now, charges, eta) {
            return Err(self.refusal(now, reason, instance.unwrap_or(last.instance), turn));
        }
        let max_wait = self.max_wait(charges);
        if eta > max_wait {
            let waiting = self.queue.waiting_for(last.instance);
            let reason = Reason::WaitTooLong { pool, waiting, eta, max_wait };
            return Err(self.refusal(now, reason, last.instance, now + eta.saturating_sub(max_wait)));
        }
        Ok(max_wait)
    }

    /// The charge whose turn would come last for a newcomer, and when.
    fn predict(&mut self, now: Instant, charges: &[Charge]) -> (Charge, Instant) {
        // Nobody of its line goes before all of their pools have room, even where one of them has room by now.
        let room = charges.iter().map(|&charge| self.ledger.turn_of(now, 0, Charge { cost: 1, ..charge })).max();
        let room = room.unwrap_or(now);
        let turns = charges.iter().map(|&charge| {
            let before = self.queue.before_in_line(charges, charge.instance);
            let after = self.ledger.turn_after(room, before, charge);
            (charge, self.turn_at(now, charge, charges).max(after))
        });
        turns.max_by_key(|&(_, turn)| turn).expect("what takes from no pool never waits")
    }

    /// When the turn of a newcomer would come at one of its pools.
    fn turn_at(&mut self, now: Instant, charge: Charge, charges: &[Charge]) -> Instant {
        let ahead = self.queue.ahead_of(charges, charge.instance);
        self.ledger.turn_of(now, ahead, charge)
    }

    fn max_wait(&self, charges: &[Charge]) -> Duration {
        let waits = charges.iter().map(|charge| self.rules_of(charge.instance).max_wait);
        waits.min().unwrap_or(Duration::ZERO)
    }

    /// Why nobody more may wait for these, if so, and for which instance.
    fn no_place(&mut self, now: Instant, charges: &[Charge], eta: Duration) -> Option<(Reason, Option<InstanceId>)> {
        if self.queue.len() >= self.rules.max_waiting {
            return Some((Reason::QueueFull { pool: None, waiting: self.queue.len() }, None));
        }
        charges.iter().find_map(|&charge| {
            let (pool, rules) = (self.ledger.pool_of(charge.instance), self.rules_of(charge.instance));
            let waiting = self.queue.waiting_for(charge.instance);
            let mut is_full = || self.queue.is_stopped_at(charge.instance) || !self.ledger.has_room(now, charge);
            let reason = if rules.refuse_when_full && is_full() {
                Reason::NoQueue { pool, eta }
            } else if waiting >= rules.max_waiting {
                Reason::QueueFull { pool: Some(pool), waiting }
            } else {
                return None;
            };
            Some((reason, Some(charge.instance)))
        })
    }

    /// A refusal that is worth coming back from once there is `room`.
    fn refusal(&mut self, now: Instant, reason: Reason, at: InstanceId, room: Instant) -> Refusal {
        let limits = &self.rules.pools[self.ledger.pool_of(at).0].0;
        let gap = limits.requests.iter().map(|rate| rate.interval()).max().unwrap_or(Duration::from_millis(100));
        self.sweep_at.get_or_insert(now + SWEEP);
        Refusal { reason, retry_after: self.promises.slot(now, at, room, gap) }
    }

    fn rules_of(&self, instance: InstanceId) -> PoolRules {
        self.rules.pools[self.ledger.pool_of(instance).0].1
    }

    fn enqueue(&mut self, now: Instant, wait: Wait, waiter: W) -> Ticket {
        let Wait { charges, stopped_at, deadline } = wait;
        self.ledger.name(&charges);
        let ticket = self.queue.push(Waiting { charges, arrived: now, deadline, waiter }, stopped_at);
        self.deadlines.insert((deadline, ticket));
        ticket
    }

    /// Takes a request out of the queue; says where its line was stopped if it was the head.
    fn leave(&mut self, ticket: Ticket) -> Option<(Waiting<W>, Option<InstanceId>)> {
        let (waiting, stopped_at) = self.queue.remove(ticket)?;
        self.deadlines.remove(&(waiting.deadline, ticket));
        self.ledger.unname(&waiting.charges);
        Some((waiting, stopped_at))
    }

    /// The rates had promised a turn in time; what is in flight, or was sent late, has made it later.
    fn time_out(&mut self, now: Instant, ticket: Ticket) {
        let Some((waiting, stopped_at)) = self.leave(ticket) else { return };
        let Waiting { charges, arrived, deadline, waiter } = waiting;
        let at_best = charges.iter().map(|&charge| (self.ledger.turn_of(now, 0, charge), charge.instance)).max();
        let (at_best, instance) = at_best.expect("what takes from no pool never waits");
        let reason = Reason::WaitTooLong {
            pool: self.ledger.pool_of(instance),
            waiting: self.queue.waiting_for(instance),
            eta: at_best.max(deadline) - arrived,
            max_wait: deadline - arrived,
        };
        let (_, room) = self.predict(now, &charges);
        let refusal = self.refusal(now, reason, instance, room);
        self.tally.refused += 1;
        self.decisions.push(Decision::Refuse { waiter, refusal });
        self.pump_at(now, stopped_at);
    }

    fn pump_at(&mut self, now: Instant, instance: Option<InstanceId>) {
        if let Some(instance) = instance {
            self.pump(now, instance);
        }
    }

    fn pump_all(&mut self, now: Instant, charges: &[Charge]) {
        for charge in charges {
            self.pump(now, charge.instance);
        }
    }

    /// Lets those go who are stopped here, oldest first, until one is kept.
    fn pump(&mut self, now: Instant, instance: InstanceId) {
        while let Some((ticket, waiting)) = self.queue.first_at(instance) {
            let charges = waiting.charges.clone();
            if let Some(other) = self.queue.older_at(ticket, &charges) {
                self.queue.stop_at(ticket, other);
                continue;
            }
            match self.ledger.take(now, &charges) {
                Ok(()) => self.grant(ticket),
                Err((at, not_yet)) => {
                    self.queue.stop_at(ticket, at);
                    self.wake(at, not_yet);
                    if at == instance {
                        return;
                    }
                }
            }
        }
    }

    fn grant(&mut self, ticket: Ticket) {
        let Some((Waiting { charges, arrived, waiter, .. }, _)) = self.leave(ticket) else { return };
        self.tally.granted += 1;
        self.decisions.push(Decision::Grant { waiter, charges, arrived });
    }

    /// Comes back to this instance when it has room; one whose places must be freed first is come back to by those who
    /// free them.
    fn wake(&mut self, instance: InstanceId, not_yet: NotYet) {
        if let Some(before) = self.wake_of.remove(&instance) {
            self.wakes.remove(&(before, instance));
        }
        if let NotYet::Until(at) = not_yet {
            self.wakes.insert((at, instance));
            self.wake_of.insert(instance, at);
        }
    }
}

enum Admit {
    Now(Charges),
    Wait(Wait),
}

struct Wait {
    charges: Charges,
    stopped_at: InstanceId,
    deadline: Instant,
}
