//! Decides what becomes of a new request: it goes now, it waits, or it is refused.

use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::entry::{Admittance, Entry, SDK_RETURNS, Wait, flow_of};
use super::forecast::{Forecast, LinePosition};
use super::requesters::Requester;
use super::retries::{LATEST, RetryReservation};
use super::state::Scheduler;
use super::wait_check::{PoolLine, WaitCheck};
use super::{AdmissionRequest, PoolRules, QueuePosition, Reason, Refusal};
use crate::limit::{Charge, EstimateView, InstanceId, Never, Unit};
use crate::queue::{Charges, Flow, Returns};
use crate::route::Ask;

/// The time between two clients that come back to a pool without a rate. A guess: ten a second.
const GAP: Duration = Duration::from_millis(100);

/// A request that would have gone too late comes back earlier than its turn, by this part of its patience: then it
/// still has patience for the rest. A guess.
const EARLY_PART: u32 = 2;

/// One client gets at most this part of the places that may be reserved. A guess.
const CLIENT_PART: usize = 2;

impl<W> Scheduler<W> {
    pub(super) fn admit(
        &mut self,
        now: Instant,
        asks: &[Ask],
        request: AdmissionRequest,
    ) -> Result<Admittance, Refusal> {
        if self.draining {
            return Err(Refusal::DRAINING);
        }
        let charges = self.charges(now, asks)?;
        if request.position.is_none() {
            let requester = Requester { client: request.client, route: request.route };
            charges.iter().for_each(|charge| self.evidence.requested(now, charge.instance, requester));
        }
        let reservation = self.claim(&charges, request);
        let position = self.position(now, request, reservation.as_ref());
        let max_wait = self.time_left(now, &charges, request, position);
        if request.position.is_some() {
            self.has_time(now, &charges, request, position, max_wait)?;
        }
        let stopped_at = match charges.iter().find(|charge| self.queue.is_stopped_at(charge.instance)) {
            Some(charge) => charge.instance,
            None => match self.ledger.reserve(now, &charges, |at| self.backfill.binding(None, at)) {
                Ok(()) => {
                    self.waits.went_at_once(now, &charges);
                    return Ok(Admittance::Now { charges, position });
                }
                Err((at, _)) => at,
            },
        };
        let entry = Entry::new(charges, request, position.seq);
        let turn = match request.position {
            Some(_) => self.may_wait_again(now, &entry, max_wait)?,
            None => self.may_wait(now, &entry, reservation.as_ref(), max_wait)?,
        };
        Ok(Admittance::Wait(Wait { entry, stopped_at, arrived: position.arrived, deadline: now + max_wait, turn }))
    }

    /// How long a request at this position may still wait.
    fn time_left(
        &self,
        now: Instant,
        charges: &[Charge],
        request: AdmissionRequest,
        position: QueuePosition,
    ) -> Duration {
        let waited = now.saturating_duration_since(position.arrived);
        let max_wait = self.max_wait(charges).saturating_sub(waited);
        max_wait.min(request.patience.unwrap_or(Duration::MAX))
    }

    /// A request that was refused upstream goes again only within the time that it may wait.
    fn has_time(
        &mut self,
        now: Instant,
        charges: &Charges,
        request: AdmissionRequest,
        position: QueuePosition,
        max_wait: Duration,
    ) -> Result<(), Refusal> {
        if !max_wait.is_zero() {
            return Ok(());
        }
        let entry = Entry::new(charges.clone(), request, position.seq);
        let (turn, instance) = self.turn_again(now, charges);
        Err(self.too_late_again(now, &entry, instance, turn, max_wait))
    }

    /// The position of a request: its earlier one if it has one.
    fn position(
        &mut self,
        now: Instant,
        request: AdmissionRequest,
        reservation: Option<&RetryReservation>,
    ) -> QueuePosition {
        request.position.unwrap_or_else(|| {
            let seq = reservation.map_or_else(|| self.queue.next_seq(), |reservation| reservation.seq);
            QueuePosition { seq, arrived: now }
        })
    }

    /// Takes up the position that was reserved for this client, if it comes back.
    fn claim(&mut self, charges: &[Charge], request: AdmissionRequest) -> Option<RetryReservation> {
        request.returns.filter(|&times| times > 0)?;
        self.retries.returned(request.client);
        let reservation = self.retries.claim(request.route, &flow_of(charges, request))?;
        self.release_retry(&reservation);
        Some(reservation)
    }

    fn release_retry(&mut self, RetryReservation { flow, charges, .. }: &RetryReservation) {
        self.queue.release(flow, charges);
        self.ledger.unpin(charges);
    }

    /// What is requested, as charges to instances; one charge an instance.
    fn charges(&mut self, now: Instant, asks: &[Ask]) -> Result<Charges, Refusal> {
        let mut charges = Charges::new();
        for ask in asks {
            let instance = self.ledger.instance(ask.pool, ask.key.as_deref());
            if self.ledger.keyed() > 0 {
                self.timers.start_sweeps(now);
            }
            let known = charges.iter_mut().find(|charge: &&mut Charge| charge.instance == instance);
            let before = known.as_ref().map_or(0, |charge| charge.cost);
            let is_known = !asks.iter().any(|other| other.pool == ask.pool && other.cost.is_none());
            let cost = self.cost(instance, ask, before, is_known);
            let cost = cost.inspect_err(|_| self.evidence.never_fits(now, instance))?;
            match known {
                Some(charge) => charge.cost = cost,
                None => charges.push(Charge { instance, cost }),
            }
        }
        Ok(charges)
    }

    /// What is requested of an instance, beside what was requested `before`. Where that is not known it is at most all that there
    /// is. Tokens are an estimate, and no request is refused for one.
    fn cost(&mut self, instance: InstanceId, ask: &Ask, before: u32, is_known: bool) -> Result<u32, Refusal> {
        let limits = &self.rules.pools[ask.pool.0].0;
        let sum = before.saturating_add(ask.cost.unwrap_or(limits.capacity()));
        if limits.unit == Unit::Tokens {
            let most = if limits.requests.is_empty() { u32::MAX } else { limits.capacity() };
            return Ok(self.ledger.scaled(instance, sum).min(most));
        }
        let cost = if is_known { sum } else { sum.min(limits.capacity()) };
        let never_fits = |never: Never| Refusal {
            reason: Reason::NeverFits { pool: ask.pool, limit: never.limit, cost },
            retry_after: LATEST,
            pointless: true,
            learned: None,
        };
        limits.fits(cost).map(|()| cost).map_err(never_fits)
    }

    /// When the turn of a new request comes, if it may wait and its turn comes in time.
    fn may_wait(
        &mut self,
        now: Instant,
        entry: &Entry,
        reservation: Option<&RetryReservation>,
        max_wait: Duration,
    ) -> Result<Instant, Refusal> {
        let mut forecast = self.forecast(now, &entry.flow, &entry.charges, LinePosition::New);
        if let Some(reservation) = reservation {
            let at_best = entry.charges.iter().map(|&charge| self.ledger.turn_of(now, 0, charge)).max();
            forecast.turn = forecast.turn.min(reservation.turn).max(at_best.unwrap_or(now));
        }
        let Forecast { instance, turn, ahead } = forecast;
        let eta = turn - now;
        let no_place = self.no_place(now, entry, reservation.is_some(), eta);
        let too_long = || Reason::WaitTooLong {
            pool: self.ledger.pool_of(instance),
            waiting: self.queue.waiting_for(instance),
            ahead,
            eta,
            max_wait,
        };
        match no_place.or_else(|| (eta > max_wait).then(|| (too_long(), instance))) {
            Some((reason, at)) => Err(self.refuse(now, reason, entry, at, turn, max_wait)),
            None => Ok(turn),
        }
    }

    /// When the turn of a request comes that was refused upstream, if in time. All that wait now came later, so it goes as soon
    /// as there is room.
    fn may_wait_again(&mut self, now: Instant, entry: &Entry, max_wait: Duration) -> Result<Instant, Refusal> {
        let (turn, instance) = self.turn_again(now, &entry.charges);
        if turn - now <= max_wait {
            return Ok(turn);
        }
        Err(self.too_late_again(now, entry, instance, turn, max_wait))
    }

    fn turn_again(&mut self, now: Instant, charges: &[Charge]) -> (Instant, InstanceId) {
        let turns = charges.iter().map(|&charge| (self.ledger.turn_of(now, 0, charge), charge.instance));
        turns.max_by_key(|&(turn, _)| turn).expect("what takes from no pool never waits")
    }

    fn too_late_again(
        &mut self,
        now: Instant,
        entry: &Entry,
        instance: InstanceId,
        turn: Instant,
        max_wait: Duration,
    ) -> Refusal {
        let (pool, waiting) = (self.ledger.pool_of(instance), self.queue.waiting_for(instance));
        let reason = Reason::WaitTooLong { pool, waiting, ahead: 0, eta: turn - now, max_wait };
        self.refuse(now, reason, entry, instance, turn, max_wait)
    }

    /// The shortest `max_wait` of its pools. A pool that refuses when it is full is not waited for.
    fn max_wait(&self, charges: &[Charge]) -> Duration {
        let rules = charges.iter().map(|charge| self.rules_of(charge.instance));
        rules.filter(|rules| !rules.refuse_when_full).map(|rules| rules.max_wait).min().unwrap_or(Duration::ZERO)
    }

    /// Why no more requests may wait for these, and for which instance. A reserved position is as good as taken, but for
    /// the client that comes back to its own.
    fn no_place(
        &mut self,
        now: Instant,
        entry: &Entry,
        has_reservation: bool,
        eta: Duration,
    ) -> Option<(Reason, InstanceId)> {
        let reserved = |positions: usize| if has_reservation { 0 } else { positions };
        let lines: SmallVec<[PoolLine; 2]> = entry
            .charges
            .iter()
            .map(|&charge| {
                let Charge { instance, .. } = charge;
                let rules = self.rules_of(instance);
                let later = self.backfill.binding(None, instance);
                PoolLine {
                    pool: self.ledger.pool_of(instance),
                    rules,
                    waiting: self.queue.waiting_for(instance),
                    reserved: reserved(self.queue.reserved_for(instance)),
                    bytes: self.queue.bytes_for(instance),
                    has_room: !self.queue.is_stopped_at(instance) && self.ledger.has_room(now, charge, later),
                }
            })
            .collect();
        let check = WaitCheck {
            waiting: self.queue.len(),
            reserved: reserved(self.retries.len()),
            max_waiting: self.rules.max_waiting,
            bytes: entry.bytes,
            eta,
        };
        check.refuses(&lines).map(|(reason, at)| (reason, entry.charges[at].instance))
    }

    /// A refusal that is worth coming back from at the `turn` that it would have had or, where it was to come too late,
    /// earlier by half of its patience. For a client that is known to come back the position is reserved.
    pub(super) fn refuse(
        &mut self,
        now: Instant,
        reason: Reason,
        entry: &Entry,
        at: InstanceId,
        turn: Instant,
        patience: Duration,
    ) -> Refusal {
        let limits = &self.rules.pools[self.ledger.pool_of(at).0].0;
        let gap = limits.requests.iter().map(|rate| rate.interval()).min().unwrap_or(GAP);
        // As long as it is full, coming early is of no use.
        let is_late = matches!(reason, Reason::WaitTooLong { .. });
        let early = if is_late { (patience / EARLY_PART).min(LATEST) } else { Duration::ZERO };
        let retry_after = self.retries.slot(now, at, turn.checked_sub(early).unwrap_or(now), gap);
        self.timers.start_sweeps(now);
        let for_own_limit = self.ledger.is_as_reported(now, at);
        self.evidence.turned_away(now, at, for_own_limit);
        let Entry { flow, charges, seq, returns, .. } = entry;
        let left = returns.map_or(SDK_RETURNS, |returns| returns.left);
        let in_reach = turn <= now + LATEST * left.max(1) + patience;
        if let Some(Returns { route, .. }) = *returns
            && in_reach
            && left > 0
            && self.may_reserve(flow, charges)
        {
            self.queue.reserve(flow, charges);
            self.ledger.pin(charges);
            self.retries
                .reserve(route, RetryReservation::new(flow.clone(), charges.clone(), *seq, turn, now + retry_after));
        }
        let learned = self.ledger.estimate(now, at).and_then(EstimateView::limit);
        Refusal { reason, retry_after, pointless: !in_reach, learned }
    }

    /// For as many as may wait places may be reserved, and for one client for half of them, if it is one that comes back.
    pub(super) fn may_reserve(&self, flow: &Flow, charges: &[Charge]) -> bool {
        let has_room = |charge: &Charge| {
            let most = self.rules_of(charge.instance).max_waiting;
            self.queue.reserved_for(charge.instance) < most
        };
        let of_client = self.retries.of(flow.client);
        self.retries.is_trusted(flow.client)
            && self.retries.len() < self.rules.max_waiting
            && of_client < self.rules.max_waiting.div_ceil(CLIENT_PART)
            && charges.iter().all(has_room)
    }

    /// Releases the positions whose clients did not come back in time.
    pub(super) fn expire_retries(&mut self, now: Instant) {
        while let Some(reservation) = self.retries.end(now) {
            self.release_retry(&reservation);
        }
    }

    fn rules_of(&self, instance: InstanceId) -> PoolRules {
        self.rules.pools[self.ledger.pool_of(instance).0].1
    }
}
