//! When somebody's turn will come: told on arrival, from the pools' exact state and from who waits before it.

use std::time::{Duration, Instant};

use super::scheduler::{REVIEW, Scheduler};
use crate::limit::{Charge, InstanceId};
use crate::queue::{Ahead, ClientId, Elsewhere, Flow, Part, Ticket};
use crate::route::Priority;

/// What a newcomer can expect.
#[derive(Clone, Copy, Debug)]
pub(super) struct Forecast {
    /// The instance at which its turn comes last.
    pub(super) instance: InstanceId,
    /// When it comes.
    pub(super) turn: Instant,
    /// About how many of those who wait for that instance go before it.
    pub(super) ahead: usize,
}

/// Two pools that hold each other up are looked at in turn until nothing changes, at most so often.
const ROUNDS: usize = 8;

impl<W> Scheduler<W> {
    /// When the turn of the next of a flow would come.
    ///
    /// It is as exact as the rates are. Whoever comes later and goes first (with a higher priority, or of a client that
    /// has had less) makes it later, and so do answers that take their time in a pool that limits what is in flight.
    pub(super) fn forecast(&mut self, now: Instant, flow: &Flow, charges: &[Charge]) -> Forecast {
        self.forecast_of(now, flow, charges, false)
    }

    /// When that of the last of a flow will come, which waits already or is yet to come.
    fn forecast_of(&mut self, now: Instant, flow: &Flow, charges: &[Charge], waits: bool) -> Forecast {
        // Nobody of its line goes before all of their pools have room, even where one of them has room by now.
        let room = charges.iter().map(|&charge| self.ledger.turn_of(now, 0, Charge { cost: 1, ..charge })).max();
        let room = room.unwrap_or(now);
        let turns = charges.iter().map(|&charge| {
            let itself = if waits { u64::from(charge.cost) } else { 0 };
            let before = self.queue.before_in_line(flow, charge.instance) - itself;
            let after = self.ledger.turn_after(room, before, charge);
            let ahead = self.queue.ahead_of(flow, charge.instance, itself);
            let mut turn = self.turn_at(now, charge, &ahead).max(after);
            if flow.priority == Priority::Low {
                turn = turn.min(self.turn_of_aged(now, flow, charge, before).max(after));
            }
            let waiting = self.queue.waiting_for(charge.instance) as u64;
            let ahead = usize::try_from(ahead.cost * waiting / ahead.waiting.max(1)).unwrap_or(usize::MAX);
            Forecast { instance: charge.instance, turn, ahead }
        });
        turns.max_by_key(|forecast| forecast.turn).expect("what takes from no pool never waits")
    }

    /// When it comes at one pool. Of those who are stopped elsewhere only so many go before it as may go there by then.
    fn turn_at(&mut self, now: Instant, charge: Charge, ahead: &Ahead) -> Instant {
        let kept = |kept: &Elsewhere| Part { of: ahead.cost, in_all: ahead.waiting }.times(kept.cost);
        let here = ahead.cost.saturating_sub(ahead.elsewhere.iter().map(kept).sum());
        let mut turn = self.ledger.turn_of(now, here, charge);
        for _ in 0..if ahead.elsewhere.is_empty() { 0 } else { ROUNDS } {
            let through = ahead.elsewhere.iter().map(|elsewhere| {
                let room = self.ledger.room_by(elsewhere.stopped_at, now, turn);
                kept(elsewhere).min(elsewhere.share.times(room))
            });
            let through: u64 = through.sum();
            let next = self.ledger.turn_of(now, here + through, charge);
            if next <= turn {
                break;
            }
            turn = next;
        }
        turn
    }

    /// When it comes at one pool to one who is low and counts as normal after a while, behind those of its line.
    fn turn_of_aged(&mut self, now: Instant, flow: &Flow, charge: Charge, before: u64) -> Instant {
        let aged = Flow { priority: Priority::Normal, ..flow.clone() };
        let mut ahead = self.queue.ahead_of(&aged, charge.instance, 0);
        ahead.cost += before;
        self.turn_at(now, charge, &ahead).max(now + self.rules.ageing)
    }

    /// When one of a client that nobody knows yet would go.
    pub(super) fn turn_of_stranger(&mut self, now: Instant, instance: InstanceId) -> Instant {
        let flow =
            Flow { client: ClientId::default(), priority: Priority::Normal, pools: [instance].into_iter().collect() };
        let charge = Charge { instance, cost: 1 };
        let ahead = self.queue.ahead_of(&flow, instance, 0);
        self.turn_at(now, charge, &ahead)
    }

    /// Tells those whose turn would come too late by now, rather than at their deadline: from the end of each line on.
    pub(super) fn review(&mut self, now: Instant) {
        self.review_at = (!self.queue.is_empty()).then_some(now + REVIEW);
        for line in self.queue.lines() {
            while let Some((ticket, turn)) = self.too_late(now, line) {
                self.time_out(now, ticket, Some(turn));
            }
        }
    }

    /// The last of a line, if its turn would come too late.
    fn too_late(&mut self, now: Instant, line: usize) -> Option<(Ticket, Instant)> {
        let (flow, ticket, waiting) = self.queue.last_in(line)?;
        let (flow, charges, arrived, deadline) =
            (flow.clone(), waiting.charges.clone(), waiting.arrived, waiting.deadline);
        let turn = self.forecast_of(now, &flow, &charges, true).turn;
        (turn > deadline + tolerance(turn - arrived)).then_some((ticket, turn))
    }
}

/// How wrong a forecast may be: 2 % of the wait, and 50 ms.
fn tolerance(wait: Duration) -> Duration {
    wait / 50 + Duration::from_millis(50)
}
