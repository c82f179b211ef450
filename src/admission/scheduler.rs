use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use super::entry::{Admit, Wait};
use super::promises::Promises;
use super::snapshot::{InstanceState, Snapshot, Tally};
use super::{Applicant, PoolRules, Reason, Refusal};
use crate::limit::{Charge, InstanceId, Ledger, Limits, NotYet};
use crate::queue::{Charges, ClientId, Queue, Ticket, Waiting};
use crate::route::Ask;

/// How often pool instances that nobody uses any more are looked for, while there are any.
pub(super) const SWEEP: Duration = Duration::from_secs(30);

/// What the scheduler is told once.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What each pool admits, and how it treats those who wait; [`PoolId`](crate::limit::PoolId) counts them.
    pub pools: Vec<(Limits, PoolRules)>,
    /// How many may wait in all.
    pub max_waiting: usize,
    /// The share of each client that has more than one.
    pub weights: HashMap<ClientId, NonZeroU32>,
    /// How long who is low waits before it counts as normal.
    pub ageing: Duration,
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

/// Decides who goes when. It waits for nothing and knows no clock: whoever drives it tells it the time, and comes back
/// at [`Scheduler::poll_timeout`].
#[derive(Debug)]
pub struct Scheduler<W> {
    pub(super) rules: Rules,
    pub(super) ledger: Ledger,
    pub(super) queue: Queue<W>,
    deadlines: BTreeSet<(Instant, Ticket)>,
    /// When an instance at which somebody is stopped will have room again, both ways round.
    wakes: BTreeSet<(Instant, InstanceId)>,
    wake_of: BTreeMap<InstanceId, Instant>,
    pub(super) sweep_at: Option<Instant>,
    pub(super) promises: Promises,
    decisions: Vec<Decision<W>>,
    tally: Tally,
    pub(super) draining: bool,
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
    pub fn arrive(&mut self, now: Instant, asks: &[Ask], applicant: Applicant, waiter: impl FnOnce() -> W) -> Arrival {
        let arrival = match self.admit(now, asks, applicant) {
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
            ahead: 0,
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
    pub(super) fn wake(&mut self, instance: InstanceId, not_yet: NotYet) {
        if let Some(before) = self.wake_of.remove(&instance) {
            self.wakes.remove(&(before, instance));
        }
        if let NotYet::Until(at) = not_yet {
            self.wakes.insert((at, instance));
            self.wake_of.insert(instance, at);
        }
    }
}
