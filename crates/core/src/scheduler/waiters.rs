//! Which requests wait for what at this moment.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use crate::limit::InstanceId;
use crate::queue::{ClientId, Flow};

/// How many requests wait that need a pool instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiters {
    /// Of each priority, the highest first.
    pub by: [usize; 3],
    /// Of each client, who has most first; not of more than a few.
    pub of: Vec<(ClientId, usize)>,
}

/// The waiting requests by the instances that they need.
pub(super) struct WaitersByInstance {
    at: HashMap<InstanceId, ([usize; 3], BTreeMap<ClientId, usize>)>,
}

/// How many clients are told apart at an instance. A guess: as many as fit on a page.
const NAMED: usize = 10;

impl WaitersByInstance {
    /// Counts by flow, not by request.
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
