use std::time::{Duration, Instant};

use indexmap::IndexMap;
use serde::Serialize;

use super::refusals::Refusal;

/// The minutes that are counted: they follow each other from the first request on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub(super) first: Instant,
    pub(super) minute: Duration,
}

/// How many there were in each minute.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ByWindow(pub Vec<u64>);

/// What became of the requests.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) admitted: ByWindow,
    pub(super) denied: ByWindow,
    pub(super) by_kind: IndexMap<Refusal, u64>,
    pub(super) gone: u64,
    /// From the first to the last.
    pub(super) elapsed: Duration,
}

impl Clock {
    /// Which minute this is, from 0.
    fn window(self, at: Instant) -> usize {
        let window = (at - self.first).as_nanos() / self.minute.as_nanos();
        usize::try_from(window).unwrap_or(usize::MAX)
    }
}

impl ByWindow {
    pub(super) fn add(&mut self, clock: Clock, at: Instant, count: u64) {
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
