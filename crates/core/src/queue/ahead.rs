//! What stands before a newcomer: all that the queue contributes to a forecast.

use super::{ClientId, Flow, Queue};
use crate::limit::InstanceId;
use crate::queue::Charges;

/// What goes before a newcomer at one pool instance, in cost.
#[derive(Clone, Debug, Default)]
pub struct Ahead {
    /// All of it.
    pub cost: u64,
    /// What all take who wait for the instance, before the newcomer or not.
    pub waiting: u64,
    /// The part of the latter that is stopped elsewhere.
    pub elsewhere: Vec<Elsewhere>,
}

/// What is stopped at another instance of those who wait for one.
#[derive(Clone, Copy, Debug)]
pub struct Elsewhere {
    /// Where.
    pub stopped_at: InstanceId,
    /// What they will take here.
    pub cost: u64,
    /// Their share of what all take who wait there.
    pub share: CostShare,
}

/// Some of a whole.
#[derive(Clone, Copy, Debug)]
pub struct CostShare {
    /// So much.
    pub of: u64,
    /// Of so much.
    pub in_all: u64,
}

impl CostShare {
    /// That part of a number, rounded down.
    #[must_use]
    pub fn times(self, number: u64) -> u64 {
        let product = u128::from(number) * u128::from(self.of) / u128::from(self.in_all.max(1));
        u64::try_from(product).unwrap_or(u64::MAX)
    }
}

/// Of more other instances than these a forecast looks at the first. A guess: it bounds what an arrival costs.
const LOOKED_AT: usize = 16;

impl<W> Queue<W> {
    /// What goes before one of a flow at one of its instances, and of its client `own`: all of them where it is yet to come.
    #[must_use]
    pub fn ahead_of(&self, flow: &Flow, instance: InstanceId, own: Option<u64>) -> Ahead {
        let Some(stop) = self.stops.get(instance.index()).filter(|stop| stop.shares.waiting() > 0) else {
            return Ahead::default();
        };
        let weight = |client: ClientId| client.weight_in(&self.weights);
        let elsewhere = stop.elsewhere.iter().take(LOOKED_AT).map(|(&stopped_at, &(cost, there))| {
            let in_all = self.stops[stopped_at.index()].shares.waiting();
            Elsewhere { stopped_at, cost, share: CostShare { of: there, in_all } }
        });
        Ahead {
            cost: stop.shares.before(flow.priority, flow.client, own, weight),
            waiting: stop.shares.waiting(),
            elsewhere: elsewhere.collect(),
        }
    }

    /// What goes before the next of a flow in its own line, at one of its instances.
    #[must_use]
    pub fn before_in_line(&self, flow: &Flow, instance: InstanceId) -> u64 {
        self.by_flow.get(flow).map_or(0, |&line| self.lines[line].taken_of(instance))
    }

    /// Reserves a position for a request of this flow that will come again. Until [`Queue::release`] it counts as waiting.
    pub fn reserve(&mut self, flow: &Flow, charges: &Charges) {
        for charge in charges {
            let stop = self.stop_mut(charge.instance);
            stop.reserved += 1;
            stop.shares.enter(flow.priority, flow.client, charge.cost);
        }
    }

    /// It came, or will not come.
    pub fn release(&mut self, flow: &Flow, charges: &Charges) {
        for charge in charges {
            let stop = self.stop_mut(charge.instance);
            stop.reserved -= 1;
            stop.shares.leave(flow.priority, flow.client, charge.cost);
        }
    }
}
