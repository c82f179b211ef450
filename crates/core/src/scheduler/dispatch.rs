//! Dispatch: grants the heads that may go now.

use std::time::Instant;

use super::QueuePosition;
use super::state::{Decision, Scheduler};
use crate::limit::{Charge, InstanceId, NotYet};
use crate::queue::{QueuedRequest, Ticket};

impl<W> Scheduler<W> {
    /// Grants the heads stopped at these instances, and at others that get room by that.
    pub(super) fn pump(&mut self, now: Instant, instances: impl IntoIterator<Item = InstanceId>) {
        self.to_pump.extend(instances);
        while let Some(instance) = self.to_pump.pop() {
            self.pump_one(now, instance);
        }
    }

    pub(super) fn pump_charged(&mut self, now: Instant, charges: &[Charge]) {
        self.pump(now, charges.iter().map(|charge| charge.instance));
    }

    /// Grants the heads stopped here, in their order, until one must go on waiting.
    fn pump_one(&mut self, now: Instant, instance: InstanceId) {
        // While the head is tried, the room reserved for it elsewhere counts as free: it must not block itself.
        let ended = self.backfill.end(instance);
        // Each round takes the first head away from here, to the upstream or to the pool that keeps it, or ends the
        // loop because this instance keeps it. So the loop ends.
        while let Some((ticket, waiting)) = self.queue.first_at(instance) {
            let charges = waiting.charges.clone();
            if let Some(other) = self.queue.preceded_at(ticket) {
                self.queue.stop_at(ticket, other);
                continue;
            }
            let holder = ended.as_ref().map(|ended| ended.seq).filter(|&seq| seq == ticket.seq());
            let later = |at| self.backfill.binding(holder, at);
            match self.ledger.reserve(now, &charges, later) {
                Ok(()) => self.grant(now, ticket, instance),
                Err((at, not_yet)) => {
                    self.stop(ticket, &charges, at, not_yet);
                    if at == instance {
                        break;
                    }
                }
            }
        }
        // If it no longer reserves that room, those who had to leave it free may go.
        let ended = ended.filter(|ended| !self.backfill.is_made_again(instance, ended));
        self.to_pump.extend(ended.into_iter().flat_map(|ended| ended.on));
    }

    /// The first head at all of its pools is stopped by one of them.
    fn stop(&mut self, ticket: Ticket, charges: &[Charge], at: InstanceId, not_yet: NotYet) {
        self.queue.stop_at(ticket, at);
        self.timers.wake(at, not_yet);
        let ended = self.backfill.end(at);
        self.to_pump.extend(ended.into_iter().flat_map(|ended| ended.on));
        if let NotYet::Until(until) = not_yet
            && charges.len() > 1
        {
            self.backfill.make(at, ticket.seq(), charges, until);
        }
    }

    fn grant(&mut self, now: Instant, ticket: Ticket, waited_for: InstanceId) {
        let Some(waiting) = self.queue.serve(ticket) else { return };
        self.forget(ticket, &waiting);
        let QueuedRequest { charges, arrived, waiter, .. } = waiting;
        self.totals.granted += 1;
        self.waits.went(now, &charges, waited_for, now.saturating_duration_since(arrived));
        let position = QueuePosition { seq: ticket.seq(), arrived };
        self.decisions.push(Decision::Grant { waiter, charges, position });
    }
}
