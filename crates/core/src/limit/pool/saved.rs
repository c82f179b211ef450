//! What a pool takes with it over a restart. It tightens what is configured, and never loosens it.

use std::time::Instant;

use super::{Learn, Pool};
use crate::limit::learned::{Learned, Outdated, SavedEstimate, SavedLimit};

impl Pool {
    /// What is worth keeping of what has been learned, if anything is.
    #[must_use]
    pub(crate) fn saved(&self) -> Option<SavedEstimate> {
        self.learned.as_ref()?.saved()
    }

    /// What was saved holds again, as long as it would have without the restart.
    ///
    /// # Errors
    /// [`Outdated`]: it changes nothing.
    pub(crate) fn recall(&mut self, now: Instant, saved: SavedEstimate) -> Result<(), Outdated> {
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
