use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use crate::limit::Rate;
use crate::limit::pace::Pace;

/// How long nobody goes whom an empty bucket has refused without saying for how long, in parts of its window. A guess:
/// a second of a minute.
const PARTS: u32 = 60;

/// Our count of tokens and the upstream's are compared in thousandths.
const SAME: u32 = 1_000;

/// The upstream's count is at most this many thousandths of ours: one odd refusal must not stop a pool. A guess.
const MOST: u32 = 4_000;

/// Each request that the upstream takes removes this part of the difference. A guess.
const FORGOTTEN: u32 = 200;

/// A bucket of one window's size that fills at the limit's rate, as model limits are counted, with figures that the
/// upstream tells (docs/upstream.md §2.1).
#[derive(Clone, Debug)]
pub(in crate::limit) struct Bucket {
    limit: Rate,
    pace: Pace,
    /// What the upstream counts for a thousand of ours.
    scale: u32,
    /// Answers tell what is left.
    synced: bool,
}

impl Bucket {
    /// A full one, or as full as it was `before` its limit changed.
    pub(super) fn new(limit: Rate, margin: Duration, before: Option<Pace>) -> Self {
        let burst = NonZeroU32::new(limit.amount()).unwrap_or(NonZeroU32::MIN);
        let pace = Pace::new(limit, margin, burst);
        let pace = before.map_or(pace.clone(), |before| pace.after(&before));
        Self { limit, pace, scale: SAME, synced: false }
    }

    /// What something costs by the upstream's count, and no more than there ever is.
    pub(super) fn scaled(&self, cost: u32) -> u32 {
        let scaled = u64::from(cost) * u64::from(self.scale) / u64::from(SAME);
        u32::try_from(scaled).unwrap_or(u32::MAX).min(self.limit.amount())
    }

    /// A refusal says how much had been asked for that we had taken for `charged`.
    pub(in crate::limit) fn measure(&mut self, requested: u64, charged: u32) {
        let scale = u64::from(self.scale) * requested / u64::from(charged.max(1));
        self.scale = u32::try_from(scale).unwrap_or(MOST).clamp(self.scale, MOST);
    }

    pub(in crate::limit) fn accepted(&mut self) {
        self.scale -= self.scale.saturating_sub(SAME).div_ceil(FORGOTTEN);
    }

    /// As it was before a restart: it fills since the upstream was `heard`, whatever was left by then.
    pub(super) fn recalled(heard: Instant, limit: Rate, margin: Duration) -> Self {
        let mut bucket = Self::new(limit, margin, None);
        bucket.pace.exhaust(heard);
        bucket
    }

    pub(super) fn is_synced(&self) -> bool {
        self.synced
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
        self.synced = true;
        let most = remaining.saturating_add(self.pace.refilled(since));
        self.pace.clamp_left(now, remaining.saturating_sub(spent), most);
    }

    /// A refusal says what was left.
    pub(in crate::limit) fn set(&mut self, now: Instant, left: u64) {
        self.pace.clamp_left(now, 0, left);
    }

    pub(super) fn refused(&mut self, now: Instant) -> Duration {
        self.pace.exhaust(now);
        self.limit.per() / PARTS
    }
}
