use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::backfill::Backfill;
use super::entry::{Admittance, Entry, Wait};
use super::evidence::EvidenceLog;
use super::retries::RetryReservations;
use super::rules::Rules;
use super::saved_use::SavedRetry;
use super::snapshot::{RequestTotals, Snapshot};
use super::timers::Timers;
use super::waits::WaitLog;
use super::{AdmissionRequest, QueuePosition, Refusal};
use crate::hints::RefusalCause;
use crate::limit::{Charge, Fill, InstanceId, Ledger, PoolId};
use crate::queue::{Charges, Queue, QueuedRequest, Ticket};
use crate::route::Ask;

/// What becomes of a request that arrives.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It goes now; these are its places.
    Granted {
        /// Its places.
        charges: Charges,
        /// Where it stands.
        position: QueuePosition,
    },
    /// It waits; a [`Decision`] will follow.
    Queued {
        /// How to find it again.
        ticket: Ticket,
        /// When its turn will come, as far as that can be said.
        turn: Instant,
    },
    /// It will not go.
    Refused(Refusal),
}

/// What became of a request that waited.
#[derive(Clone, Debug)]
pub enum Decision<W> {
    /// It goes now.
    Grant {
        /// Whom to tell.
        waiter: W,
        /// Its places.
        charges: Charges,
        /// Where it stands.
        position: QueuePosition,
    },
    /// It will not go.
    Refuse {
        /// Whom to tell.
        waiter: W,
        /// Why.
        refusal: Refusal,
    },
}

/// Decides which request goes when. It does not wait and knows no clock: its driver passes the time, and comes back at
/// [`Scheduler::poll_timeout`].
///
/// # Examples
///
/// ```
/// use std::collections::HashMap;
/// use std::time::{Duration, Instant};
/// use tidegate_core::scheduler::{AdmissionRequest, Arrival, Decision, PoolRules, Rules, Scheduler};
/// use tidegate_core::limit::{Limits, PoolId};
/// use tidegate_core::route::Ask;
///
/// let limits = Limits { requests: vec!["1/min".parse()?], ..Limits::default() };
/// let max_wait = Duration::from_mins(2);
/// let waiting = PoolRules { max_waiting: 100, max_bytes: 1 << 20, max_wait, refuse_when_full: false };
/// let mut scheduler = Scheduler::new(Rules {
///     pools: vec![(limits, waiting)],
///     max_waiting: 1_000,
///     weights: HashMap::new(),
///     ageing: Duration::from_secs(30),
/// });
/// let asks = [Ask { pool: PoolId(0), key: None, cost: Some(1) }];
/// let (now, minute) = (Instant::now(), Duration::from_mins(1));
///
/// // The first request goes at once, and counts from the moment at which it is sent.
/// let first = scheduler.arrive(now, &asks, AdmissionRequest::default(), || "first");
/// let Arrival::Granted { charges, .. } = first else { panic!("{first:?}") };
/// scheduler.commit(now, &charges);
/// scheduler.release(now, &charges);
///
/// // The second waits for a minute, and the third would wait for longer than it may.
/// let second = scheduler.arrive(now, &asks, AdmissionRequest::default(), || "second");
/// assert!(matches!(second, Arrival::Queued { turn, .. } if turn == now + minute));
/// let patience = Some(Duration::from_secs(90));
/// let third = scheduler.arrive(now, &asks, AdmissionRequest { patience, ..AdmissionRequest::default() }, || "third");
/// assert!(matches!(third, Arrival::Refused(_)));
///
/// // A driver calls this whenever `poll_timeout` says so, and passes the decisions on.
/// scheduler.handle_timeout(now + minute);
/// assert!(matches!(scheduler.take_decisions()[..], [Decision::Grant { waiter: "second", .. }]));
/// # Ok::<(), tidegate_core::limit::ParseRateError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Scheduler<W> {
    pub(super) rules: Rules,
    pub(super) ledger: Ledger,
    pub(super) queue: Queue<W>,
    pub(super) timers: Timers,
    pub(super) backfill: Backfill,
    pub(super) to_pump: Vec<InstanceId>,
    pub(super) retries: RetryReservations,
    pub(super) decisions: Vec<Decision<W>>,
    pub(super) totals: RequestTotals,
    /// What the upstream refused, of each pool and for each reason.
    pub(super) refusals: BTreeMap<(PoolId, RefusalCause), u64>,
    pub(super) evidence: EvidenceLog,
    pub(super) waits: WaitLog,
    pub(super) draining: bool,
    /// Whose places were reserved, or waited for, when it began to stop.
    pub(super) left_behind: Vec<SavedRetry>,
}

impl<W> Scheduler<W> {
    /// A scheduler of which nothing is taken.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        let limits = rules.pools.iter().map(|(limits, _)| limits.clone()).collect();
        Self {
            queue: Queue::new(rules.weights.clone(), rules.ageing),
            rules,
            ledger: Ledger::new(limits),
            timers: Timers::default(),
            backfill: Backfill::default(),
            to_pump: Vec::new(),
            retries: RetryReservations::default(),
            decisions: Vec::new(),
            totals: RequestTotals::default(),
            refusals: BTreeMap::new(),
            evidence: EvidenceLog::default(),
            waits: WaitLog::default(),
            draining: false,
            left_behind: Vec::new(),
        }
    }

    /// A request comes. `waiter` is asked for only if it must wait.
    pub fn arrive(
        &mut self,
        now: Instant,
        asks: &[Ask],
        request: AdmissionRequest,
        waiter: impl FnOnce() -> W,
    ) -> Arrival {
        let arrival = match self.admit(now, asks, request) {
            Ok(Admittance::Now { charges, position }) => Arrival::Granted { charges, position },
            Ok(Admittance::Wait(wait)) => {
                Arrival::Queued { turn: wait.turn, ticket: self.enqueue(now, wait, waiter()) }
            }
            Err(refusal) => Arrival::Refused(refusal),
        };
        match arrival {
            Arrival::Granted { .. } => self.totals.granted += 1,
            Arrival::Refused(_) => self.totals.refused += 1,
            Arrival::Queued { .. } => {}
        }
        arrival
    }

    /// The client of a waiting request leaves. Returns whether the request still waited.
    pub fn cancel(&mut self, now: Instant, ticket: Ticket) -> bool {
        let Some((_, stopped_at)) = self.leave(ticket) else { return false };
        self.totals.cancelled += 1;
        self.pump(now, stopped_at);
        true
    }

    /// A granted request was sent.
    pub fn commit(&mut self, now: Instant, charges: &[Charge]) {
        self.totals.sent += 1;
        self.ledger.commit(now, charges);
        self.pump_charged(now, charges);
    }

    /// A granted request was not sent, and never will be.
    pub fn refund(&mut self, now: Instant, charges: &[Charge]) {
        self.totals.refunded += 1;
        self.ledger.refund(charges);
        self.pump_charged(now, charges);
    }

    /// A granted request is over.
    pub fn release(&mut self, now: Instant, charges: &[Charge]) {
        self.totals.released += 1;
        self.ledger.release(charges);
        self.pump_charged(now, charges);
    }

    /// The pool, and which instance of it, that a request waits for; nothing if it waits no longer.
    #[must_use]
    pub fn waits_for(&self, ticket: Ticket) -> Option<(PoolId, Arc<str>)> {
        let instance = self.queue.stopped_at(ticket)?;
        Some((self.ledger.pool_of(instance), Arc::clone(self.ledger.key_of(instance))))
    }

    /// Whether it is stopping.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining
    }

    /// Refuses all waiting requests, and all that come from now on.
    pub fn drain(&mut self) {
        self.leave_behind();
        self.draining = true;
        self.timers.clear_waits();
        self.backfill.clear();
        for reservation in self.retries.drain() {
            self.ledger.unpin(&reservation.charges);
        }
        for waiting in self.queue.drain() {
            self.ledger.unpin(&waiting.charges);
            self.totals.refused += 1;
            self.decisions.push(Decision::Refuse { waiter: waiting.waiter, refusal: Refusal::DRAINING });
        }
    }

    /// When [`Scheduler::handle_timeout`] wants to be called next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.timers.next(), self.queue.next_ageing(), self.retries.next_end()].into_iter().flatten().min()
    }

    /// Does what is due at `now`, and what becomes due by that.
    pub fn handle_timeout(&mut self, now: Instant) {
        while self.poll_timeout().is_some_and(|due| due <= now) {
            self.handle_due(now);
        }
    }

    /// Grants first, then refuses what waited in vain, then sweeps.
    fn handle_due(&mut self, now: Instant) {
        while let Some(instance) = self.timers.due_wake(now) {
            self.pump(now, [instance]);
        }
        while let Some(instance) = self.queue.age(now) {
            self.pump(now, [instance]);
        }
        self.expire_retries(now);
        while let Some(ticket) = self.timers.due_deadline(now) {
            self.time_out(now, ticket);
        }
        if self.timers.due_review(now) {
            self.review(now);
        }
        if self.timers.due_sweep(now) {
            self.ledger.sweep(now, |slot| self.evidence.keeps(now, slot));
            self.evidence.sweep(|slot| self.ledger.holds(slot));
            self.waits.sweep(|slot| self.ledger.holds(slot));
            self.retries.sweep(now);
            if self.ledger.keyed() > 0 || self.retries.has_reported() {
                self.timers.start_sweeps(now);
            }
        }
    }

    /// What was decided since this was last asked.
    pub fn take_decisions(&mut self) -> Vec<Decision<W>> {
        std::mem::take(&mut self.decisions)
    }

    /// How much of what is asked for there is, and is used; nothing where no limit is known.
    pub fn load(&mut self, now: Instant, ask: &Ask) -> Option<Fill> {
        self.ledger.load(now, ask.pool, ask.key.as_deref())
    }

    /// The state at `now`.
    pub fn snapshot(&mut self, now: Instant) -> Snapshot {
        let (mut snapshot, mut rest) = self.overview(now);
        snapshot.instances = rest.next(self, now, usize::MAX);
        snapshot
    }

    fn enqueue(&mut self, now: Instant, wait: Wait, waiter: W) -> Ticket {
        let Wait { entry, stopped_at, deadline, arrived, turn } = wait;
        let Entry { flow, charges, seq, returns, bytes } = entry;
        self.ledger.pin(&charges);
        let for_own_limit = self.ledger.is_as_reported(now, stopped_at);
        self.evidence.waited(now, stopped_at, for_own_limit);
        let waiting = QueuedRequest { charges, arrived, turn, deadline, bytes, returns, waiter };
        let (ticket, heads) = self.queue.push(flow, seq, waiting, stopped_at);
        self.timers.set_deadline(deadline, ticket);
        self.timers.start_reviews(now);
        if let Some(stop) = heads.filter(|&stop| self.queue.first_at(stop).is_some_and(|(first, _)| first == ticket)) {
            self.pump(now, [stop]);
        }
        ticket
    }

    /// Takes a request out of the queue; says where its line was stopped if it was the head.
    pub(super) fn leave(&mut self, ticket: Ticket) -> Option<(QueuedRequest<W>, Option<InstanceId>)> {
        let (waiting, stopped_at) = self.queue.remove(ticket)?;
        self.forget(ticket, &waiting);
        Some((waiting, stopped_at))
    }

    /// The request no longer waits.
    pub(super) fn forget(&mut self, ticket: Ticket, waiting: &QueuedRequest<W>) {
        self.timers.clear_deadline(waiting.deadline, ticket);
        self.ledger.unpin(&waiting.charges);
    }
}
