//! What is used of the limits, taken over a restart.

use std::sync::Arc;
use std::time::Instant;

use smallvec::SmallVec;

use super::{Charge, InstanceId, Ledger, PoolId};
use crate::limit::{Limits, SavedUsage};

/// What is used of one pool instance, to be saved over a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedPool {
    /// Its pool.
    pub pool: PoolId,
    /// Its key; empty where the pool has none.
    pub key: Arc<str>,
    /// What is used of it.
    pub usage: SavedUsage,
}

/// What a request takes, of which pools, by which keys, and how much: by names that last longer than an instance.
pub type NamedCharges = SmallVec<[(PoolId, Arc<str>, u32); 2]>;

impl Ledger {
    /// What is worth saving of an instance, if it is still there and anything is.
    pub fn saved_usage(&mut self, now: Instant, id: InstanceId) -> Option<SavedPool> {
        let entry = self.instances.get_mut(id.index())?;
        let usage = entry.pool.saved_usage(now)?;
        Some(SavedPool { pool: entry.pool_id, key: Arc::clone(&entry.key), usage })
    }

    /// What was used of an instance before the start counts on.
    pub fn restore(&mut self, now: Instant, saved: &SavedPool) {
        let instance = self.instance_of(saved.pool, &saved.key);
        self.pool_mut(instance).restore(now, &saved.usage);
    }

    /// Since when an instance has been watched, this gate's time before a restart included: what was sent earlier is unknown.
    #[must_use]
    pub fn watched_since(&self, id: InstanceId) -> Option<Instant> {
        self.pool(id).watched_since()
    }

    /// A request was sent before the start, at `at`, that [`Ledger::restore`] does not know of.
    pub fn recommit(&mut self, now: Instant, at: Instant, pool: PoolId, key: &str, cost: u32) {
        let instance = self.instance_of(pool, key);
        self.pool_mut(instance).recommit(now, at, cost);
    }

    /// Begins as if all that every limit admits had been sent at `now`: nothing is known of what was.
    pub fn start_full(&mut self, now: Instant) {
        self.full_at = Some(now);
        self.instances.iter_mut().for_each(|(_, entry)| entry.pool.start_full(now, now));
    }

    /// The same pools have other limits from now on. Those whose limits are the same go on as if nothing had been said.
    ///
    /// # Panics
    /// If there are not as many.
    pub fn reload(&mut self, now: Instant, limits: Vec<Limits>) {
        assert_eq!(limits.len(), self.limits.len(), "the same pools");
        for (_, entry) in &mut self.instances {
            let new = &limits[entry.pool_id.0];
            if *new != self.limits[entry.pool_id.0] {
                entry.pool.recut(now, new);
            }
        }
        self.limits = limits;
    }

    /// Of each charge its pool, its key and its cost.
    #[must_use]
    pub fn named(&self, charges: &[Charge]) -> NamedCharges {
        let named = |charge: &Charge| {
            let entry = self.get(charge.instance);
            (entry.pool_id, Arc::clone(&entry.key), charge.cost)
        };
        charges.iter().map(named).collect()
    }

    /// The instance of a pool whose key may be empty.
    pub fn instance_of(&mut self, pool: PoolId, key: &str) -> InstanceId {
        self.instance(pool, Some(key).filter(|key| !key.is_empty()))
    }
}
