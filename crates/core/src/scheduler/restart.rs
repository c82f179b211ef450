//! What goes over a restart beside what was learned: what is used of the limits, and the places of clients that come back.

use std::time::Instant;

use super::retries::{GRACE, RetryReservation};
use super::saved_use::{SavedInstanceUse, SavedRetry};
use super::snapshot::RequestTotals;
use super::state::Scheduler;
use crate::limit::{Charge, InstanceId, NamedCharges, PoolId};
use crate::queue::{Charges, Flow, Seq};
use crate::route::RouteId;

impl<W> Scheduler<W> {
    /// The instances whose use is to be saved, some at a time ([`Scheduler::saved_use`]).
    #[must_use]
    pub fn in_use(&self) -> Vec<InstanceId> {
        self.ledger.ids()
    }

    /// What is worth saving of these instances.
    pub fn saved_use(&mut self, now: Instant, ids: impl IntoIterator<Item = InstanceId>) -> Vec<SavedInstanceUse> {
        let mut saved = Vec::new();
        for id in ids {
            if let Some(pool) = self.ledger.saved_usage(now, id) {
                let next_retry = self.retries.next(id).filter(|&next| next > now);
                saved.push(SavedInstanceUse { pool, next_retry, sent: self.totals.sent });
            }
        }
        saved
    }

    /// The places of clients that come back, the first of them first: those reserved and, once it is stopping, those of
    /// all who waited.
    #[must_use]
    pub fn saved_retries(&self) -> Vec<SavedRetry> {
        if self.draining {
            return self.left_behind.clone();
        }
        self.reserved_retries().into_iter().map(|(_, saved)| saved).collect()
    }

    /// It begins to stop: those who wait are refused, and many of them come back to the next gate.
    pub(super) fn leave_behind(&mut self) {
        let waiting = self.queue.all().filter_map(|(flow, seq, waiting)| {
            let returns = waiting.returns.filter(|returns| returns.left > 0)?;
            Some((seq, self.saved_retry(flow, &waiting.charges, returns.route, waiting.turn, waiting.deadline)))
        });
        let mut places: Vec<(Seq, SavedRetry)> = self.reserved_retries().into_iter().chain(waiting).collect();
        places.sort_by_key(|(seq, _)| *seq);
        self.left_behind = places.into_iter().map(|(_, saved)| saved).collect();
    }

    fn reserved_retries(&self) -> Vec<(Seq, SavedRetry)> {
        let saved = |(route, RetryReservation { flow, charges, seq, turn, ends }): (_, &_)| {
            (*seq, self.saved_retry(flow, charges, route, *turn, *ends))
        };
        self.retries.all().into_iter().map(saved).collect()
    }

    /// What was used before the start counts on.
    pub fn restore_use(&mut self, now: Instant, saved: &SavedInstanceUse) {
        self.ledger.restore(now, &saved.pool);
        if let Some(next) = saved.next_retry.filter(|&next| next > now) {
            let instance = self.ledger.instance_of(saved.pool.pool, &saved.pool.key);
            self.retries.skip(instance, next);
        }
        self.timers.start_sweeps(now);
    }

    /// A request was sent before the start, at `at`, that was not saved with the rest.
    pub fn recommit(&mut self, now: Instant, at: Instant, pool: PoolId, key: &str, cost: u32) {
        self.ledger.recommit(now, at, pool, key, cost);
        self.timers.start_sweeps(now);
    }

    /// Begins as if every limit had just been used up: nothing is known of what was sent before.
    pub fn start_full(&mut self, now: Instant) {
        self.ledger.start_full(now);
    }

    /// A client that was to come back before the start still may, and has its place. While the gate was down it could not,
    /// so that it has some time from now on.
    pub fn restore_retry(&mut self, now: Instant, saved: &SavedRetry) {
        let mut charges = Charges::new();
        for (pool, key, cost) in &saved.charges {
            charges.push(Charge { instance: self.ledger.instance_of(*pool, key), cost: *cost });
        }
        let pools = charges.iter().map(|charge| charge.instance).collect();
        let flow = Flow { client: saved.client, priority: saved.priority, pools };
        // It had a place as one that comes back.
        self.retries.returned(flow.client);
        if !self.may_reserve(&flow, &charges) {
            return;
        }
        let (seq, ends) = (self.queue.next_seq(), saved.ends.max(now + GRACE));
        self.queue.reserve(&flow, &charges);
        self.ledger.pin(&charges);
        self.retries.reserve(saved.route, RetryReservation { flow, charges, seq, turn: saved.turn, ends });
        self.timers.start_sweeps(now);
    }

    /// What has happened so far.
    #[must_use]
    pub fn totals(&self) -> RequestTotals {
        self.totals
    }

    /// How many requests have been sent, with what these take by names that outlast the gate.
    #[must_use]
    pub fn sent(&self, charges: &[Charge]) -> (u64, NamedCharges) {
        (self.totals.sent, self.ledger.named(charges))
    }

    fn saved_retry(&self, flow: &Flow, charges: &Charges, route: RouteId, turn: Instant, ends: Instant) -> SavedRetry {
        let Flow { client, priority, .. } = *flow;
        SavedRetry { client, priority, route, charges: self.ledger.named(charges), turn, ends }
    }
}
