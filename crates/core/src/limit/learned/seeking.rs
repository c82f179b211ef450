use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use super::Basis;
use crate::limit::Rate;
use crate::limit::pace::Pace;

/// After a refusal one request goes after this time, and after twice the time with each further refusal. A guess: the
/// shortest window that upstreams use.
const FIRST: Duration = Duration::from_secs(1);

/// The longest such time: the most common window (docs/upstream.md §1 and §2).
const LONGEST: Duration = Duration::from_mins(1);

/// The longest window that is found. A guess: twice the longest pause.
const LONGEST_WINDOW: Duration = Duration::from_mins(2);

/// A limit of which neither the rate nor the window is known: one goes now and then, to see when the window opens.
#[derive(Clone, Debug)]
pub(in crate::limit) struct Seeking {
    used: u64,
    /// When the first of those went that were taken.
    oldest: Instant,
    pause: Duration,
    pace: Pace,
}

impl Seeking {
    /// So many were taken since `oldest`.
    pub(super) fn new(now: Instant, used: u64, oldest: Option<Instant>) -> Self {
        let mut seeking = Self { used, oldest: oldest.unwrap_or(now), pause: FIRST, pace: pace(FIRST) };
        seeking.pace.exhaust(now);
        seeking
    }

    pub(super) fn pace(&self) -> &Pace {
        &self.pace
    }

    pub(super) fn pace_mut(&mut self) -> &mut Pace {
        &mut self.pace
    }

    pub(super) fn refused(&mut self, now: Instant) {
        self.pause = (self.pause * 2).min(LONGEST);
        self.pace = pace(self.pause);
        self.pace.exhaust(now);
    }

    pub(super) fn refine(&mut self, used: u64) {
        self.used = self.used.min(used);
    }

    /// One was taken again: what had been taken before was for all this time, or the upstream took nothing for long, which
    /// is no window.
    pub(super) fn found(&self, now: Instant, basis: Basis) -> (u64, Basis) {
        let per = now.saturating_duration_since(self.oldest).clamp(FIRST, LONGEST_WINDOW);
        (self.used, Basis { per, ..basis })
    }
}

fn pace(pause: Duration) -> Pace {
    let rate = Rate::new(NonZeroU32::MIN, pause).expect("a pause takes some time");
    Pace::new(rate, Duration::ZERO, NonZeroU32::MIN)
}
