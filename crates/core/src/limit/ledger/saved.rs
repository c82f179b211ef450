//! What the ledger keeps over a restart.

use std::sync::Arc;
use std::time::Instant;

use super::{Ledger, PoolId};
use crate::limit::pool::Pool;
use crate::limit::{Outdated, SavedEstimate};

/// What has been learned of one pool instance, to be saved over a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedInstance {
    /// Its pool.
    pub pool: PoolId,
    /// Its key; empty where the pool has none.
    pub key: Arc<str>,
    /// The estimate.
    pub estimate: SavedEstimate,
}

impl Ledger {
    /// All that is worth keeping.
    #[must_use]
    pub fn saved_estimates(&self) -> Vec<SavedInstance> {
        let saved = |(pool, key, learned): (PoolId, &Arc<str>, &Pool)| {
            Some(SavedInstance { pool, key: Arc::clone(key), estimate: learned.saved()? })
        };
        self.pools().filter_map(saved).collect()
    }

    /// What was saved of one instance holds again.
    ///
    /// # Errors
    /// [`Outdated`]: it changes nothing.
    pub fn recall(&mut self, now: Instant, saved: &SavedInstance) -> Result<(), Outdated> {
        let key = Some(&*saved.key).filter(|key| !key.is_empty());
        let instance = self.instance(saved.pool, key);
        self.pool_mut(instance).recall(now, saved.estimate)
    }
}
