use std::time::{Duration, Instant};

/// About how many calls there were in the trailing window: those of the window before count by the part of it that is
/// still in sight.
#[derive(Debug)]
pub(super) struct TrailingCount {
    began: Instant,
    before: u64,
    since: u64,
}

impl TrailingCount {
    /// None so far.
    pub(super) fn new(now: Instant) -> Self {
        Self { began: now, before: 0, since: 0 }
    }

    /// One more, to be counted when it has come.
    pub(super) fn add(&mut self) {
        self.since += 1;
    }

    /// One less: it never went.
    pub(super) fn take_back(&mut self) {
        self.since = self.since.saturating_sub(1);
    }

    /// In a window of this length.
    pub(super) fn within(&mut self, now: Instant, per: Duration) -> u64 {
        if now.saturating_duration_since(self.began) >= 2 * per {
            *self = Self::new(now);
        } else if now.saturating_duration_since(self.began) >= per {
            *self = Self { began: self.began + per, before: self.since, since: 0 };
        }
        let left = per.saturating_sub(now.saturating_duration_since(self.began));
        let before = u128::from(self.before) * left.as_micros() / per.as_micros().max(1);
        self.since + u64::try_from(before).unwrap_or(u64::MAX)
    }
}
