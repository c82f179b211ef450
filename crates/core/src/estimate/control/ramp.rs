/// After a change of mind nothing goes faster than it did, and then twice as fast in each part of a window: if the new
/// belief is wrong, a few requests show it and not a burst (as TCP starts slowly).
#[derive(Clone, Debug)]
pub(in crate::estimate) struct Ramp {
    interval: f64,
    next: f64,
    halved_at: u64,
    every: u64,
}

/// It doubles in each of so many parts of a window. Tuned.
const PARTS: u64 = 6;

/// It is over when it is so many times as fast as the configured rate.
const OVER: f64 = 2.0;

impl Ramp {
    /// From so many in a window on.
    pub(in crate::estimate) fn new(at: u64, used: u32, per: u64) -> Self {
        let interval = per as f64 / f64::from(used.max(5));
        Self { interval, next: at as f64 + interval, halved_at: at, every: per / PARTS }
    }

    /// When the next may go.
    pub(in crate::estimate) fn opens(&self) -> u64 {
        self.next as u64
    }

    /// One goes; whether the ramp is over, where so many are configured in a window.
    pub(in crate::estimate) fn sent(&mut self, at: u64, configured: f64, per: u64) -> bool {
        while at >= self.halved_at + self.every {
            self.halved_at += self.every;
            self.interval /= 2.0;
        }
        // A challenge goes before its time, and is no debt.
        let is_early = self.next > at as f64;
        self.next = self.next.max(at as f64 - LATE) + if is_early { 0.0 } else { self.interval };
        self.interval * configured * OVER < per as f64
    }
}

/// What a timer is late is caught up. A guess.
const LATE: f64 = 5e6;
