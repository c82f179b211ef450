use std::time::{Duration, Instant, SystemTime};

/// One moment by both clocks: instants mean nothing after a restart, and the wall clock may jump.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) now: Instant,
    /// Since the Unix epoch.
    pub(super) wall: Duration,
}

impl Moment {
    #[expect(clippy::disallowed_methods, reason = "only the wall clock goes on over a restart")]
    pub(super) fn now() -> Self {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { now: tokio::time::Instant::now().into_std(), wall }
    }

    /// What the wall clock said then, in whole seconds.
    pub(super) fn wall_at(&self, at: Instant) -> u64 {
        self.wall.saturating_sub(self.now.saturating_duration_since(at)).as_secs()
    }

    /// When the wall clock said so; nothing if that is still to come, or before anything.
    pub(super) fn when(&self, wall: u64) -> Option<Instant> {
        let age = self.wall.checked_sub(Duration::from_secs(wall))?;
        self.now.checked_sub(age)
    }
}
