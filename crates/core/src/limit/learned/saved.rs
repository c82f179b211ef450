use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::limit::Rate;

/// How long what has been learned is kept without being confirmed. A guess: limits change with the day and the tier.
pub(super) const KEPT: Duration = Duration::from_hours(1);

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
