use std::time::{Duration, Instant};

use super::Learned;
use super::basis::Basis;
use super::bucket::Bucket;
use super::estimate::Estimate;
use super::lower::Lower;
use super::saved::{SavedEstimate, SavedLimit};
use super::smooth::Smooth;
use crate::limit::window::Window;

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
