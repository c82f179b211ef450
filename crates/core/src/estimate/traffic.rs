//! What is under way and what was sent lately, for one group of requests.

use std::time::Duration;

use super::{BACKLOG, IN_FLIGHT, INDICATORS, Levels, WINDOWS};

/// A trailing window is counted in this many parts and the one under way. A guess: an eighth is within the slack that
/// jitter needs anyway.
const PARTS: usize = 8;

/// Parts are numbered from here on, so that those before the first have numbers too.
const FIRST_PART: u32 = 1_000 * (PARTS as u32 + 1);

/// The windows that limits have, the configured one last, with the length of their parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub(super) windows: [Duration; WINDOWS],
    part: [u64; WINDOWS],
    per_nano: [f64; WINDOWS],
    /// What the configured rate refills in a nanosecond.
    refill: f64,
}

/// The present part of each window, computed once for each event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tick {
    pub(super) at: u64,
    parts: [u32; WINDOWS],
    /// How far into its part each window is.
    into: [f32; WINDOWS],
}

impl Clock {
    pub(super) fn new(windows: [Duration; WINDOWS], configured: Option<u32>) -> Self {
        let part = windows.map(|window| nanos(window).div_ceil(PARTS as u64).max(1));
        let per = windows[WINDOWS - 1].as_secs_f64() * 1e9;
        let per_nano = part.map(|part| 1.0 / part as f64);
        Self { windows, part, per_nano, refill: configured.map_or(0.0, f64::from) / per }
    }

    pub(super) fn tick(&self, at: u64) -> Tick {
        let (mut parts, mut into) = ([0; WINDOWS], [0.0; WINDOWS]);
        for (window, per_nano) in self.per_nano.iter().enumerate() {
            let passed = at as f64 * per_nano;
            parts[window] = FIRST_PART.wrapping_add(passed as u64 as u32);
            into[window] = (passed - passed.floor()) as f32;
        }
        Tick { at, parts, into }
    }

    /// How long a window's part is.
    pub(super) fn part(&self, window: usize) -> u64 {
        self.part[window]
    }
}

pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// How many were sent in a trailing window.
#[derive(Clone, Copy, Debug, Default)]
struct Ring {
    part: u32,
    counts: [u16; PARTS + 1],
    sum: u32,
}

impl Ring {
    fn turn(&mut self, part: u32) {
        let passed = part.wrapping_sub(self.part);
        if passed == 0 || passed > u32::MAX / 2 {
            return;
        }
        if passed as usize > PARTS {
            (self.counts, self.sum) = ([0; PARTS + 1], 0);
        } else {
            for step in 1..=passed {
                let slot = &mut self.counts[slot(self.part.wrapping_add(step))];
                self.sum -= u32::from(*slot);
                *slot = 0;
            }
        }
        self.part = part;
    }

    fn add(&mut self) {
        let slot = &mut self.counts[slot(self.part)];
        if *slot < u16::MAX {
            *slot += 1;
            self.sum += 1;
        }
    }

    fn remove(&mut self, part: u32) {
        if self.part.wrapping_sub(part) as usize <= PARTS {
            let slot = &mut self.counts[slot(part)];
            if *slot > 0 {
                *slot -= 1;
                self.sum -= 1;
            }
        }
    }

    /// How many are in the window that ends so far into the present part: of the oldest part, what it still covers.
    fn level(&self, into: f32) -> u32 {
        let oldest = f32::from(self.counts[slot(self.part.wrapping_add(1))]);
        self.sum - (oldest * into).round() as u32
    }

    /// How many parts pass until there are fewer than this.
    fn until_below(&self, amount: u32) -> u32 {
        let mut left = self.sum;
        for passed in 0..=PARTS as u32 {
            if left < amount.max(1) {
                return passed;
            }
            // The oldest that still counts leaves with the next part.
            left -= u32::from(self.counts[slot(self.part.wrapping_sub(PARTS as u32 - passed))]);
        }
        PARTS as u32 + 1
    }
}

fn slot(part: u32) -> usize {
    part as usize % (PARTS + 1)
}

/// So many refusals are remembered by number. A guess: more than are under way at once, as a rule.
const LAST: usize = 8;

/// What is seen of a group.
#[derive(Clone, Debug, Default)]
pub(super) struct Traffic {
    pub(super) in_flight: u32,
    /// How many were sent, ever.
    pub(super) number: u32,
    /// How many the upstream has refused, ever.
    pub(super) refused: u32,
    rings: [Ring; WINDOWS],
    /// What a bucket that fills at the configured rate lacks.
    backlog: f32,
    backlog_at: u64,
    /// The numbers of the last that were refused.
    last_refused: [u32; LAST],
    pub(super) used_at: u64,
}

impl Traffic {
    pub(super) fn new(at: u64) -> Self {
        Self { used_at: at, ..Self::default() }
    }

    fn turn(&mut self, clock: &Clock, tick: &Tick) {
        for (ring, &part) in self.rings.iter_mut().zip(&tick.parts) {
            ring.turn(part);
        }
        let refilled = (tick.at.saturating_sub(self.backlog_at) as f64 * clock.refill) as f32;
        self.backlog = (self.backlog - refilled).max(0.0);
        self.backlog_at = tick.at;
        self.used_at = tick.at;
    }

    /// One more is sent; how many others there are.
    pub(super) fn sent(&mut self, clock: &Clock, tick: &Tick) -> Levels {
        self.turn(clock, tick);
        let levels = self.levels(tick);
        self.rings.iter_mut().for_each(Ring::add);
        self.in_flight += 1;
        self.number = self.number.wrapping_add(1);
        self.backlog += 1.0;
        levels
    }

    /// The upstream did not count one that was sent in these parts of the windows.
    pub(super) fn refused(&mut self, clock: &Clock, tick: &Tick, sent: &Tick, number: u32) {
        self.turn(clock, tick);
        for (ring, &part) in self.rings.iter_mut().zip(&sent.parts) {
            ring.remove(part);
        }
        self.in_flight = self.in_flight.saturating_sub(1);
        self.last_refused[self.refused as usize % LAST] = number;
        self.refused = self.refused.wrapping_add(1);
        self.backlog = (self.backlog - 1.0).max(0.0);
    }

    /// How many of those that were sent before this one were refused since `then`: the upstream has not counted them.
    pub(super) fn refused_before(&self, number: u32, then: u32) -> u16 {
        let since = self.refused.wrapping_sub(then);
        let last = (0..since.min(LAST as u32))
            .map(|age| self.last_refused[self.refused.wrapping_sub(age + 1) as usize % LAST]);
        let before = last.filter(|refused| number.wrapping_sub(*refused) < u32::MAX / 2).count();
        u16::try_from(before).unwrap_or(u16::MAX) + u16::try_from(since.saturating_sub(LAST as u32)).unwrap_or(u16::MAX)
    }

    pub(super) fn completed(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// How many there are now.
    pub(super) fn now(&mut self, clock: &Clock, tick: &Tick) -> Levels {
        self.turn(clock, tick);
        self.levels(tick)
    }

    /// How long until there are fewer than this in a window.
    pub(super) fn until_below(&mut self, clock: &Clock, tick: &Tick, window: usize, amount: u32) -> u64 {
        self.turn(clock, tick);
        u64::from(self.rings[window].until_below(amount)) * clock.part(window)
    }

    fn levels(&self, tick: &Tick) -> Levels {
        let mut levels = [0; INDICATORS];
        let counted = |count: u32| u16::try_from(count).unwrap_or(u16::MAX);
        for (window, ring) in self.rings.iter().enumerate() {
            levels[window] = counted(ring.level(tick.into[window]));
        }
        levels[IN_FLIGHT] = counted(self.in_flight);
        levels[BACKLOG] = self.backlog.round() as u16;
        levels
    }
}
