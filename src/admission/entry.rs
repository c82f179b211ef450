//! What a newcomer is told: that it may go, that it must wait, or why it need not.

use std::time::{Duration, Instant};

use super::scheduler::{SWEEP, Scheduler};
use super::{Applicant, PoolRules, Reason, Refusal};
use crate::limit::{Charge, InstanceId};
use crate::queue::Charges;
use crate::route::Ask;

/// What becomes of a newcomer that is not refused.
pub(super) enum Admit {
    Now(Charges),
    Wait(Wait),
}

/// A newcomer that must wait.
pub(super) struct Wait {
    pub(super) charges: Charges,
    pub(super) stopped_at: InstanceId,
    pub(super) deadline: Instant,
}

impl<W> Scheduler<W> {
    pub(super) fn admit(&mut self, now: Instant, asks: &[Ask], applicant: Applicant) -> Result<Admit, Refusal> {
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
        let max_wait = self.may_wait(now, &charges, applicant)?;
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
                pointless: true,
            })?;
            match known {
                Some(charge) => charge.cost = cost,
                None => charges.push(Charge { instance, cost }),
            }
        }
        Ok(charges)
    }

    /// How long a request with these charges may wait, if it may and if its turn comes in that time.
    fn may_wait(&mut self, now: Instant, charges: &[Charge], applicant: Applicant) -> Result<Duration, Refusal> {
        let (last, turn) = self.predict(now, charges);
        let pool = self.ledger.pool_of(last.instance);
        let eta = turn - now;
        if let Some((reason, instance)) = self.no_place(now, charges, eta) {
            return Err(self.refusal(now, reason, instance.unwrap_or(last.instance), turn));
        }
        let max_wait = self.max_wait(charges).min(applicant.patience.unwrap_or(Duration::MAX));
        if eta > max_wait {
            let waiting = self.queue.waiting_for(last.instance);
            let reason = Reason::WaitTooLong { pool, waiting, ahead: waiting, eta, max_wait };
            return Err(self.refusal(now, reason, last.instance, now + eta.saturating_sub(max_wait)));
        }
        Ok(max_wait)
    }

    /// The charge whose turn would come last for a newcomer, and when.
    pub(super) fn predict(&mut self, now: Instant, charges: &[Charge]) -> (Charge, Instant) {
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
    pub(super) fn turn_at(&mut self, now: Instant, charge: Charge, charges: &[Charge]) -> Instant {
        let ahead = self.queue.ahead_of(charges, charge.instance);
        self.ledger.turn_of(now, ahead, charge)
    }

    /// For a pool that lets nobody wait it is another that is waited for.
    fn max_wait(&self, charges: &[Charge]) -> Duration {
        let rules = charges.iter().map(|charge| self.rules_of(charge.instance));
        rules.filter(|rules| !rules.refuse_when_full).map(|rules| rules.max_wait).min().unwrap_or(Duration::ZERO)
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
    pub(super) fn refusal(&mut self, now: Instant, reason: Reason, at: InstanceId, room: Instant) -> Refusal {
        let limits = &self.rules.pools[self.ledger.pool_of(at).0].0;
        let gap = limits.requests.iter().map(|rate| rate.interval()).max().unwrap_or(Duration::from_millis(100));
        self.sweep_at.get_or_insert(now + SWEEP);
        Refusal { reason, retry_after: self.promises.slot(now, at, room, gap), pointless: false }
    }

    fn rules_of(&self, instance: InstanceId) -> PoolRules {
        self.rules.pools[self.ledger.pool_of(instance).0].1
    }
}
