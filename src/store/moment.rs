use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// One moment by three clocks: instants mean nothing after a restart, and the wall clock may jump.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) now: Instant,
    /// Since the Unix epoch.
    pub(super) wall: Duration,
    /// Since the machine was started, time asleep included.
    pub(super) up: Duration,
}

/// When a file was written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenAt {
    /// Which start of the machine it was, where the system says so.
    boot: Option<String>,
    up_us: u64,
    wall_us: u64,
}

/// A moment and a file that was written before it: tells when things happened that it speaks of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Past {
    now: Instant,
    /// How long ago the file was written.
    gap: Duration,
    written_up: Duration,
}

/// What the clock that runs through sleep is called. Elsewhere the monotonic one does so, or there is none.
#[cfg(target_os = "linux")]
const UP: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const UP: ClockId = ClockId::Monotonic;

/// Where Linux says which start of the machine this is.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

impl Moment {
    #[expect(clippy::disallowed_methods, reason = "only the wall clock goes on over a restart of the machine")]
    pub(super) fn now() -> Self {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { now: tokio::time::Instant::now().into_std(), wall, up: up() }
    }

    /// How long ago that was, in microseconds; negative where it is still to come.
    pub(super) fn age_us(&self, at: Instant) -> i64 {
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        match self.now.checked_duration_since(at) {
            Some(age) => micros(age),
            None => -micros(at - self.now),
        }
    }
}

/// How long ago the machine was started.
pub(super) fn up() -> Duration {
    let time = clock_gettime(UP);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

impl WrittenAt {
    pub(super) fn of(moment: Moment) -> Self {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Self { boot: boot().map(str::to_owned), up_us: micros(moment.up), wall_us: micros(moment.wall) }
    }

    #[cfg(test)]
    pub(super) fn of_another_boot(moment: Moment) -> Self {
        Self { boot: Some("another".to_owned()), ..Self::of(moment) }
    }

    /// Whether the machine has not been started anew since: then nothing is missing that was written before the end.
    pub(super) fn is_of_this_boot(&self) -> bool {
        self.boot.as_deref() == boot()
    }

    /// What this tells at `moment`. A clock that has gone back is taken to stand still, so that nothing ends too early.
    pub(super) fn past(&self, moment: Moment) -> Past {
        let (up, wall) = (Duration::from_micros(self.up_us), Duration::from_micros(self.wall_us));
        let by_clock = self.boot.is_some() && self.is_of_this_boot();
        let gap = if by_clock { moment.up.saturating_sub(up) } else { moment.wall.saturating_sub(wall) };
        Past { now: moment.now, gap, written_up: up }
    }
}

impl Past {
    /// When that happened which was so old as the file was written; negative is later. Nothing if no instant is so early.
    pub(super) fn when(&self, age_us: i64) -> Option<Instant> {
        let age = Duration::from_micros(age_us.unsigned_abs());
        if age_us >= 0 { self.now.checked_sub(self.gap.checked_add(age)?) } else { self.before(self.gap, age) }
    }

    /// How long ago it was when the machine had been up for so long.
    pub(super) fn age_at(&self, up: Duration) -> Duration {
        (self.gap + self.written_up).saturating_sub(up)
    }

    fn before(&self, gap: Duration, later: Duration) -> Option<Instant> {
        match gap.checked_sub(later) {
            Some(age) => self.now.checked_sub(age),
            None => self.now.checked_add(later.saturating_sub(gap)),
        }
    }
}

fn boot() -> Option<&'static str> {
    static BOOT: OnceLock<Option<String>> = OnceLock::new();
    let read = || std::fs::read_to_string(BOOT_ID).ok().map(|text| text.trim().to_owned());
    BOOT.get_or_init(read).as_deref()
}
