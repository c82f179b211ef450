//! Limits that several gates share: what the ledger says and hears in a turn.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{InstanceId, Ledger, PoolId};
use crate::limit::stock::{Demand, Source, TurnTime};
use crate::replica::{Lease, MeterCall};

/// The limits in a call: of which instances, and how many of each.
#[derive(Clone, Debug, Default)]
pub struct Called(Vec<(InstanceId, PoolId, Arc<str>, usize)>);

/// So many instances are in one call, those that wait before all others. A guess: it bounds what a turn costs the store.
const MOST_CALLED: usize = 64;

impl Ledger {
    /// From now on all limits that are written are shared with other gates, and nothing is leased yet.
    pub fn lease(&mut self) {
        self.is_leasing = true;
        for (_, entry) in &mut self.instances {
            entry.pool.lease(&self.limits[entry.pool_id.0]);
        }
    }

    /// What is said in a turn; `declared`: in the first of an epoch, of what was sent since then.
    pub fn turn_call(
        &mut self,
        time: TurnTime,
        demand: impl Fn(InstanceId) -> Demand,
        declared: Option<Instant>,
    ) -> (Called, Vec<MeterCall>) {
        let (mut called, mut calls) = (Called::default(), Vec::new());
        let mut ids: Vec<(bool, InstanceId, Demand)> = self
            .ids()
            .into_iter()
            .map(|id| {
                let demand = Demand { is_lasting: self.get(id).key.is_empty(), ..demand(id) };
                (demand.cost == 0, id, demand)
            })
            .collect();
        ids.sort_by_key(|&(is_quiet, id, _)| (is_quiet, id));
        for (_, id, demand) in ids {
            let entry = self.get_mut(id);
            let is_unused = !entry.key.is_empty() && demand.cost == 0 && entry.pool.has_nothing_leased();
            if declared.is_none() && (is_unused || calls.len() >= MOST_CALLED) {
                continue;
            }
            let said = entry.pool.turn_call(time, demand, declared);
            if !said.is_empty() {
                called.0.push((id, entry.pool_id, Arc::clone(&entry.key), said.len()));
                calls.extend(said);
            }
        }
        (called, calls)
    }

    /// What came of a call. `until`: its leases end then.
    pub fn leased(&mut self, now: Instant, until: Instant, called: &Called, leases: Vec<Lease>) {
        let mut leases = leases.into_iter();
        for (id, pool, key, count) in &called.0 {
            let mut own = leases.by_ref().take(*count).collect::<Vec<_>>().into_iter();
            let entry = self.instances.get_mut(id.index()).filter(|entry| entry.pool_id == *pool && entry.key == *key);
            if let Some(entry) = entry {
                entry.pool.leased(now, until, &mut own);
            }
        }
    }

    /// Where places come from, by the span of their limit.
    pub fn set_source(&mut self, source: impl Fn(Duration) -> Source) {
        self.instances.iter_mut().for_each(|(_, entry)| entry.pool.set_source(&source));
    }
}

impl Called {
    /// Of each limit its pool, its key, and which of the pool's it is.
    pub fn limits(&self) -> impl Iterator<Item = (PoolId, &str, usize)> {
        self.0.iter().flat_map(|(_, pool, key, count)| (0..*count).map(move |nth| (*pool, &**key, nth)))
    }
}
