use std::time::{Duration, Instant};

/// When the state of the gate is looked at: at even steps, which double once they are many.
pub(super) struct Timeline {
    next: Instant,
    step: Duration,
    len: usize,
}

/// As many steps as the traffic takes, at first; a picture is not much wider. A guess.
const STEPS: u32 = 480;

/// From so many steps on there are half as many.
const MOST: usize = 960;

impl Timeline {
    pub(super) fn new(began: Instant, lasts: Duration) -> Self {
        let step = (lasts / STEPS).max(Duration::from_millis(1));
        Self { next: began + step, step, len: 0 }
    }

    pub(super) fn next_at(&self) -> Instant {
        self.next
    }

    /// How many there have been.
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
