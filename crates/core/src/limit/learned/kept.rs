use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::bucket::Bucket;
use super::lower::Lower;
use super::smooth::Smooth;
use super::{Basis, Belief, KEPT, Learned};
use crate::limit::Rate;
use crate::limit::window::Window;

/// What of a lesson is worth keeping over a restart. How much somebody else takes, say, is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Finding {
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
    Told {
        /// The limit.
        limit: Rate,
    },
}

/// A finding with its age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What was found.
    pub finding: Finding,
    /// Since when it is believed.
    pub since: Instant,
    /// When the upstream last said something of it.
    pub heard: Instant,
}

/// Why what was kept does not hold any more.
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

impl Finding {
    pub(in crate::limit) fn limit(self) -> Rate {
        match self {
            Self::Lower { limit } | Self::Ramp { limit } | Self::Smooth { limit, .. } | Self::Told { limit } => limit,
        }
    }
}

impl Kept {
    pub(in crate::limit) fn is_stale(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.heard) >= KEPT
    }
}

impl Learned {
    /// What is worth keeping of it, if anything is.
    pub(in crate::limit) fn kept(&self) -> Option<Kept> {
        let finding = match &self.belief {
            Belief::Nothing | Belief::Unknown(_) | Belief::Seeking(_) | Belief::Shared(_) => return None,
            Belief::Lower(lower) => lower.finding(),
            Belief::Smooth(smooth) => smooth.finding(),
            Belief::Bucket(bucket) => Finding::Told { limit: bucket.limit() },
        };
        Some(Kept { finding, since: self.since?, heard: self.heard? })
    }

    /// What was kept holds again; `log` is the window that it speaks of. Nothing where it needs one and there is none.
    pub(in crate::limit) fn recalled(now: Instant, kept: Kept, margin: Duration, log: Option<&Window>) -> Option<Self> {
        let log = log.map(|log| (Basis::of(log, margin), log));
        let belief = match (kept.finding, log) {
            (Finding::Told { limit }, _) => Belief::Bucket(Bucket::recalled(kept.heard, limit, margin)),
            (Finding::Lower { limit }, Some((basis, log))) => Belief::Lower(Lower::recalled(now, limit, basis, log)),
            (Finding::Ramp { limit }, Some((basis, log))) => {
                Belief::Lower(Lower::recalled_ramp(now, limit, basis, log))
            }
            (Finding::Smooth { burst, slower, .. }, Some((basis, _))) => {
                Belief::Smooth(Smooth::recalled(now, burst, slower, basis)?)
            }
            (_, None) => return None,
        };
        let (since, heard) = (Some(kept.since), Some(kept.heard));
        Some(Self { belief, since, heard, recalled: heard, ..Self::nothing() })
    }

    /// Whether the upstream has said anything of it.
    pub(in crate::limit) fn is_heard(&self) -> bool {
        self.heard.is_some()
    }
}
