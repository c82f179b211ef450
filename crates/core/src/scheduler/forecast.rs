//! When the turn of a request will come: computed on arrival, from the exact state of its pools and the requests before it.

use std::time::{Duration, Instant};

use super::state::Scheduler;
use crate::limit::{Charge, InstanceId};
use crate::queue::{Ahead, ClientId, CostShare, Elsewhere, Flow};
use crate::route::Priority;

/// What a new request can expect.
#[derive(Clone, Copy, Debug)]
pub(super) struct Forecast {
    /// The instance at which its turn comes last.
    pub(super) instance: InstanceId,
    /// When it comes.
    pub(super) turn: Instant,
    /// About how many of those who wait for that instance go before it.
    pub(super) ahead: usize,
}

/// Where a request stands in the line of its flow.
#[derive(Clone, Copy, Debug)]
pub(super) enum LinePosition {
    /// It is yet to come.
    New,
    /// It waits, before all others.
    First { arrived: Instant },
    /// It waits, behind all others.
    Last { arrived: Instant },
}

/// Two pools that hold each other up are looked at in turn until nothing changes, at most so often. A guess: it bounds
/// what a forecast costs, and one that is cut off is too early, never too late.
const ROUNDS: usize = 8;

impl<W> Scheduler<W> {
    /// When the turn of one of a flow would come.
    ///
    /// It is as exact as the rates are. Later requests that go first (with a higher priority, or of a client that has had
    /// less) delay it, and so do slow responses in a pool that limits what is in flight.
    pub(super) fn forecast(
        &mut self,
        now: Instant,
        flow: &Flow,
        charges: &[Charge],
        standing: LinePosition,
    ) -> Forecast {
        // No request of its line goes before all of its pools have room, even where one of them has room by now.
        let room = charges.iter().map(|&charge| self.ledger.turn_of(now, 0, Charge { cost: 1, ..charge })).max();
        let room = room.unwrap_or(now);
        let turns = charges.iter().map(|&charge| {
            let in_line = self.queue.before_in_line(flow, charge.instance);
            let (before, own, arrived) = match standing {
                LinePosition::New => (in_line, None, now),
                LinePosition::First { arrived } => (0, Some(0), arrived),
                LinePosition::Last { arrived } => {
                    let before = in_line.saturating_sub(charge.cost.into());
                    (before, Some(before), arrived)
                }
            };
            let after = self.ledger.turn_after(room, before, charge);
            let ahead = self.queue.ahead_of(flow, charge.instance, own);
            let mut turn = self.turn_at(now, charge, &ahead).max(after);
            if flow.priority == Priority::Low {
                let ages = arrived + self.rules.ageing;
                turn = turn.min(self.turn_of_aged(now, flow, charge, before).max(ages).max(after));
            }
            let waiting = self.queue.waiting_for(charge.instance) as u64;
            let ahead = usize::try_from(ahead.cost * waiting / ahead.waiting.max(1)).unwrap_or(usize::MAX);
            let alone = self.ledger.turn_of(now, 0, charge);
            (Forecast { instance: charge.instance, turn, ahead }, alone)
        });
        // Of those whose turns come together it is the one that makes the others late.
        let latest = turns.max_by_key(|&(forecast, alone)| (forecast.turn, alone));
        latest.map(|(forecast, _)| forecast).expect("what takes from no pool never waits")
    }

    /// When it comes at one pool. Of those who are stopped elsewhere only so many go before it as may go there by then.
    fn turn_at(&mut self, now: Instant, charge: Charge, ahead: &Ahead) -> Instant {
        let kept = |kept: &Elsewhere| CostShare { of: ahead.cost, in_all: ahead.waiting }.times(kept.cost);
        let here = ahead.cost.saturating_sub(ahead.elsewhere.iter().map(kept).sum());
        let mut turn = self.ledger.turn_of(now, here, charge);
        // Requests that are stopped elsewhere go before it only as fast as their own pool lets them. How many do
        // depends on when its turn comes, and its turn depends on how many do. The rounds approach that fixed point
        // from below.
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
        let mut ahead = self.queue.ahead_of(&aged, charge.instance, Some(0));
        ahead.cost += before;
        self.turn_at(now, charge, &ahead)
    }

    /// When the next request of a client would go, behind all of its own that wait; without a client, that of one with nothing
    /// in line.
    pub(super) fn turn_of_next(&mut self, now: Instant, instance: InstanceId, client: Option<ClientId>) -> Instant {
        let client = client.unwrap_or_default();
        let flow = Flow { client, priority: Priority::Normal, pools: [instance].into_iter().collect() };
        let charge = Charge { instance, cost: 1 };
        let ahead = self.queue.ahead_of(&flow, instance, None);
        self.turn_at(now, charge, &ahead)
    }
}

/// A forecast may be wrong by this part of the wait, and by so much. A guess: timers that are late add up.
const WRONG_PART: u32 = 50;
const WRONG_BY: Duration = Duration::from_millis(50);

/// How wrong a forecast may be.
pub(super) fn tolerance(wait: Duration) -> Duration {
    wait / WRONG_PART + WRONG_BY
}
