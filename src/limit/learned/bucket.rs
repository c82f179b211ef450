use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use crate::limit::Rate;
use crate::limit::pace::Pace;

/// How long nobody goes whom an empty bucket has refused without saying for how long, in parts of its window.
const PARTS: u32 = 60;

/// A bucket of one window's size that fills at the limit's rate, as model limits are counted, with figures that the
/// upstream tells (UPSTREAM.md §2, 2026-11-24).
#[derive(Clone, Debug)]
pub(in crate::limit) struct Bucket {
    limit: Rate,
    pace: Pace,
}

impl Bucket {
    /// A full one, or as full as it was `before` its limit changed.
    pub(super) fn new(limit: Rate, margin: Duration, before: Option<Pace>) -> Self {
        let burst = NonZeroU32::new(limit.amount()).unwrap_or(NonZeroU32::MIN);
        let pace = before.map_or_else(|| Pace::new(limit, margin, burst), |before| before.at(limit, margin, burst));
        Self { limit, pace }
    }

    /// As it was before a restart: it fills since the upstream was `heard`, whatever was left by then.
    pub(super) fn recalled(heard: Instant, limit: Rate, margin: Duration) -> Self {
        let mut bucket = Self::new(limit, margin, None);
        bucket.pace.exhaust(heard);
        bucket
    }

    pub(super) fn limit(&self) -> Rate {
        self.limit
    }

    pub(super) fn pace(&self) -> &Pace {
        &self.pace
    }

    pub(super) fn pace_mut(&mut self) -> &mut Pace {
        &mut self.pace
    }

    /// An answer says that `remaining` was left at some time since it was sent, since when we have spent `spent` more.
    /// What is left now lies between what all of that would leave, and what would be if all of it had been counted.
    pub(in crate::limit) fn sync(&mut self, now: Instant, remaining: u64, since: Duration, spent: u64) {
        let most = remaining.saturating_add(self.pace.refilled(since));
        self.pace.hold_between(now, remaining.saturating_sub(spent), most);
    }

    /// A refusal says what was left.
    pub(in crate::limit) fn set(&mut self, now: Instant, left: u64) {
        self.pace.hold_between(now, 0, left);
    }

    pub(super) fn refused(&mut self, now: Instant) -> Duration {
        self.pace.exhaust(now);
        self.limit.per() / PARTS
    }
}
