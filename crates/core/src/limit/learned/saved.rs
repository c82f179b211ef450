use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::bucket::Bucket;
use super::lower::Lower;
use super::smooth::Smooth;
use super::{Basis, Estimate, KEPT, Learned};
use crate::limit::Rate;
use crate::limit::window::Window;

/// What of an estimate is worth keeping over a restart. How much somebody else takes, say, is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SavedLimit {
    /// The limit is lower than configured, or there is one where none is configured.
    Lower {
        /// What has held.
        limit: Rate,
    },
    /// The same, and it may grow only as fast as the upstream wants.
    Ramp {
        /// How far it had grown.
        limit: Rate,
    },
    /// The limit is as configured, and is spent evenly.
    Smooth {
        /// The configured limit.
        limit: Rate,
        /// How many may go at once.
        burst: u32,
        /// By how much the pace is slower, in thousandths.
        slower: u32,
    },
    /// The upstream tells its figures.
    Reported {
        /// The limit.
        limit: Rate,
    },
}

/// An estimated limit with its age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavedEstimate {
    /// What was found.
    pub limit: SavedLimit,
    /// Since when it is believed.
    pub since: Instant,
    /// When the upstream last said something of it.
    pub heard: Instant,
}

/// Why what was saved does not hold any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Outdated {
    /// The upstream has not spoken of it for so long that it is forgotten.
    #[error("the upstream has not spoken of it for too long")]
    Expired,
    /// It would not tighten the pool's limits as they are configured now.
    #[error("the pool is configured otherwise now")]
    Otherwise,
    /// More has been learned since.
    #[error("more is known by now")]
    Known,
}

impl SavedLimit {
    pub(in crate::limit) fn limit(self) -> Rate {
        match self {
            Self::Lower { limit } | Self::Ramp { limit } | Self::Smooth { limit, .. } | Self::Reported { limit } => {
                limit
            }
        }
    }
}

impl SavedEstimate {
    pub(in crate::limit) fn is_stale(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.heard) >= KEPT
    }
}

impl Learned {
    /// What is worth keeping of it, if anything is.
    pub(in crate::limit) fn saved(&self) -> Option<SavedEstimate> {
        let limit = match &self.estimate {
            Estimate::Nothing | Estimate::Unknown(_) | Estimate::Seeking(_) | Estimate::Shared(_) => return None,
            Estimate::Lower(lower) => lower.to_saved(),
            Estimate::Smooth(smooth) => smooth.to_saved(),
            Estimate::Bucket(bucket) => SavedLimit::Reported { limit: bucket.limit() },
        };
        Some(SavedEstimate { limit, since: self.since?, heard: self.heard? })
    }

    /// What was saved holds again; `log` is the window that it speaks of. Nothing where it needs one and there is none.
    pub(in crate::limit) fn recalled(
        now: Instant,
        saved: SavedEstimate,
        margin: Duration,
        log: Option<&Window>,
    ) -> Option<Self> {
        let log = log.map(|log| (Basis::of(log, margin), log));
        let estimate = match (saved.limit, log) {
            (SavedLimit::Reported { limit }, _) => Estimate::Bucket(Bucket::recalled(saved.heard, limit, margin)),
            (SavedLimit::Lower { limit }, Some((basis, log))) => {
                Estimate::Lower(Lower::recalled(now, limit, basis, log))
            }
            (SavedLimit::Ramp { limit }, Some((basis, log))) => {
                Estimate::Lower(Lower::recalled_ramp(now, limit, basis, log))
            }
            (SavedLimit::Smooth { burst, slower, .. }, Some((basis, _))) => {
                Estimate::Smooth(Smooth::recalled(now, burst, slower, basis)?)
            }
            (_, None) => return None,
        };
        let (since, heard) = (Some(saved.since), Some(saved.heard));
        Some(Self { estimate, since, heard, recalled: heard, ..Self::nothing() })
    }

    /// Whether the upstream has said anything of it.
    pub(in crate::limit) fn is_heard(&self) -> bool {
        self.heard.is_some()
    }
}
