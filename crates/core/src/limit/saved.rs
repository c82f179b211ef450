//! What a pool takes with it over a restart. It tightens what is configured, and never loosens it.

use std::sync::Arc;
use std::time::Instant;

use super::learned::{Learned, Outdated, SavedEstimate, SavedLimit};
use super::{Learn, Ledger, Pool, PoolId};

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

impl Pool {
    /// What is worth keeping of what has been learned, if anything is.
    #[must_use]
    pub fn saved(&self) -> Option<SavedEstimate> {
        self.learned.as_ref()?.saved()
    }

    /// What was saved holds again, as long as it would have without the restart.
    ///
    /// # Errors
    /// [`Outdated`]: it changes nothing.
    pub fn recall(&mut self, now: Instant, saved: SavedEstimate) -> Result<(), Outdated> {
        if saved.is_stale(now) {
            return Err(Outdated::Expired);
        }
        if self.learned.as_ref().is_some_and(|learned| learned.is_heard()) {
            return Err(Outdated::Known);
        }
        let learned = self.recalled(now, saved).ok_or(Outdated::Otherwise)?;
        self.learned = Some(Box::new(learned));
        Ok(())
    }

    fn recalled(&self, now: Instant, saved: SavedEstimate) -> Option<Learned> {
        let limit = saved.limit.limit();
        let log = self.windows.iter().find(|window| window.is_open() || window.rate().per() == limit.per());
        let tightens = match saved.limit {
            SavedLimit::Smooth { .. } => log.is_some_and(|log| log.rate() == limit),
            SavedLimit::Lower { .. } | SavedLimit::Ramp { .. } | SavedLimit::Reported { .. } => self.is_news(limit),
        };
        let may_learn = self.learn != Learn::Never;
        (tightens && may_learn).then(|| Learned::recalled(now, saved, self.margin, log)).flatten()
    }
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
