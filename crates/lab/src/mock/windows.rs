use std::time::{Duration, Instant};

use serde::Serialize;

/// Consecutive minutes from the first request on.
#[derive(Clone, Copy, Debug)]
pub(super) struct WindowClock {
    pub(super) first: Instant,
    pub(super) minute: Duration,
}

/// Counts by minute.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ByWindow(pub Vec<u64>);

impl WindowClock {
    /// The number of the minute, from 0.
    fn window(self, at: Instant) -> usize {
        let window = (at - self.first).as_nanos() / self.minute.as_nanos();
        usize::try_from(window).unwrap_or(usize::MAX)
    }
}

impl ByWindow {
    pub(super) fn add(&mut self, clock: WindowClock, at: Instant, count: u64) {
        let window = clock.window(at);
        if self.0.len() <= window {
            self.0.resize(window + 1, 0);
        }
        self.0[window] += count;
    }

    pub(super) fn sum(&self) -> u64 {
        self.0.iter().sum()
    }
}
