//! Who waits for what at this moment.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use super::forecast::tolerance;
use super::state::Scheduler;
use crate::limit::{InstanceId, PoolUsage};
use crate::queue::{ClientId, Flow};

/// Who waits that needs a pool instance, in requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiters {
    /// Of each priority, the highest first.
    pub by: [usize; 3],
    /// Of each client, who has most first; not of more than a few.
    pub of: Vec<(ClientId, usize)>,
}

/// Everybody who waits, by what they wait for.
pub(super) struct WaitersByInstance {
    at: HashMap<InstanceId, ([usize; 3], BTreeMap<ClientId, usize>)>,
}

/// How many clients are told apart at an instance. A guess: as many as fit on a page.
const NAMED: usize = 10;

impl WaitersByInstance {
    /// By what all of a queue have in common, and not by everybody in it.
    pub(super) fn new(flows: &[(Flow, usize)]) -> Self {
        let mut at = HashMap::<_, ([usize; 3], BTreeMap<_, usize>)>::new();
        for (flow, count) in flows {
            for &instance in &flow.pools {
                let (by, of) = at.entry(instance).or_default();
                by[flow.priority as usize] += count;
                *of.entry(flow.client).or_default() += count;
            }
        }
        Self { at }
    }

    /// Who waits at an instance.
    pub(super) fn at(&mut self, instance: InstanceId) -> Waiters {
        let Some((by, of)) = self.at.remove(&instance) else { return Waiters::default() };
        let mut of: Vec<(ClientId, usize)> = of.into_iter().collect();
        of.sort_by_key(|&(_, requests)| Reverse(requests));
        of.truncate(NAMED);
        Waiters { by, of }
    }
}

impl<W> Scheduler<W> {
    /// When the first goes who is stopped here; nothing where he waits for what is in flight.
    pub(super) fn head_goes(&self, instance: InstanceId) -> Option<Instant> {
        self.wake_of.get(&instance).copied().filter(|_| self.queue.is_stopped_at(instance))
    }

    /// Since when this instance keeps them for longer than the forecast bears, or because the upstream refused.
    pub(super) fn stalled_since(&self, now: Instant, instance: InstanceId, taken: &PoolUsage) -> Option<Instant> {
        let refused = taken.learned.filter(|learned| learned.not_until.is_some());
        let held = refused.and_then(|learned| learned.refused_at);
        held.or_else(|| {
            let (_, head) = self.queue.first_at(instance)?;
            let late = head.turn + tolerance(head.turn - head.arrived);
            (late < now).then_some(head.turn)
        })
    }
}
