use std::time::{Duration, Instant, SystemTime};

use super::diagnosis::millis;

/// One moment by both clocks, so that what is seen can be compared with what others have seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct TwoClocks {
    pub(super) now: Instant,
    wall: Duration,
}

impl TwoClocks {
    #[expect(clippy::disallowed_methods, reason = "a date is said by the wall clock")]
    pub(super) fn read() -> Self {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { now: tokio::time::Instant::now().into_std(), wall }
    }

    /// What the wall clock says, in milliseconds since the Unix epoch.
    pub(super) fn at_ms(&self) -> u64 {
        millis(self.wall)
    }

    /// What it said then.
    pub(super) fn ms_at(&self, at: Instant) -> u64 {
        millis(self.wall.saturating_sub(self.now.saturating_duration_since(at)))
    }
}
