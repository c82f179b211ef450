//! What a pool takes with it over a restart. It tightens what is configured, and never loosens it.

use std::sync::Arc;
use std::time::Instant;

use super::learned::{Learned, Outdated, SavedEstimate, SavedLimit};
use super::{Learn, Ledger, Pool, PoolId};

/// What has been learned of one pool instance, to be kept over a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedInstance {
    /// Its pool.
    pub pool: PoolId,
    /// Its key; empty where the pool has none.
    pub key: Arc<str>,
    /// The lesson.
    pub kept: SavedEstimate,
}

impl Pool {
    /// What is worth keeping of what has been learned, if anything is.
    #[must_use]
    pub fn kept(&self) -> Option<SavedEstimate> {
        self.learned.as_ref()?.kept()
    }

    /// What was kept holds again, as long as it would have without the restart.
    ///
    /// # Errors
    /// [`Outdated`]: it changes nothing.
    pub fn recall(&mut self, now: Instant, kept: SavedEstimate) -> Result<(), Outdated> {
        if kept.is_stale(now) {
            return Err(Outdated::Expired);
        }
        if self.learned.as_ref().is_some_and(|learned| learned.is_heard()) {
            return Err(Outdated::Known);
        }
        let learned = self.recalled(now, kept).ok_or(Outdated::Otherwise)?;
        self.learned = Some(Box::new(learned));
        Ok(())
    }

    fn recalled(&self, now: Instant, kept: SavedEstimate) -> Option<Learned> {
        let limit = kept.finding.limit();
        let log = self.windows.iter().find(|window| window.is_open() || window.rate().per() == limit.per());
        let tightens = match kept.finding {
            SavedLimit::Smooth { .. } => log.is_some_and(|log| log.rate() == limit),
            SavedLimit::Lower { .. } | SavedLimit::Ramp { .. } | SavedLimit::Reported { .. } => self.is_news(limit),
        };
        let may_learn = self.learn != Learn::Never;
        (tightens && may_learn).then(|| Learned::recalled(now, kept, self.margin, log)).flatten()
    }
}

impl Ledger {
    /// All that is worth keeping.
    #[must_use]
    pub fn kept(&self) -> Vec<SavedInstance> {
        let kept = |(pool, key, learned): (PoolId, &Arc<str>, &Pool)| {
            Some(SavedInstance { pool, key: Arc::clone(key), kept: learned.kept()? })
        };
        self.pools().filter_map(kept).collect()
    }

    /// What was kept of one instance holds again.
    ///
    /// # Errors
    /// [`Outdated`]: it changes nothing.
    pub fn recall(&mut self, now: Instant, lesson: &SavedInstance) -> Result<(), Outdated> {
        let key = Some(&*lesson.key).filter(|key| !key.is_empty());
        let instance = self.instance(lesson.pool, key);
        self.pool_mut(instance).recall(now, lesson.kept)
    }
}
