use std::time::{Duration, Instant};

/// The times of the samples: at even steps, which double once there are many.
pub(super) struct Timeline {
    next: Instant,
    step: Duration,
    len: usize,
}

/// The number of steps in the traffic's time. A guess: a picture is not much wider.
const STEPS: u32 = 480;

/// Above this number the steps are doubled.
const MOST: usize = 960;

impl Timeline {
    pub(super) fn new(began: Instant, lasts: Duration) -> Self {
        let step = (lasts / STEPS).max(Duration::from_millis(1));
        Self { next: began + step, step, len: 0 }
    }

    pub(super) fn next_at(&self) -> Instant {
        self.next
    }

    /// The number of samples so far.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn every(&self) -> Duration {
        self.step
    }

    pub(super) fn step(&mut self) {
        self.len += 1;
        self.next += self.step;
    }

    pub(super) fn is_long(&self) -> bool {
        self.len >= MOST
    }

    pub(super) fn thin(&mut self) {
        self.len = self.len.div_ceil(2);
        self.next += self.step;
        self.step *= 2;
    }
}
