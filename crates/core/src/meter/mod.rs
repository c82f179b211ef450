//! How an upstream counts its requests, in each of the ways that upstreams have.

mod rule;

pub use rule::{Counted, ParseRuleError, Rule, RuleMeters, RuleRequest, RuledOut};

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::{Duration, Instant};

use crate::limit::Rate;

/// How an upstream may count the requests of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// Windows that begin with the first request after the last window.
    Fixed,
    /// Windows that follow each other on the clock, wherever that was started.
    FixedClock,
    /// Every trailing window, exactly.
    Sliding,
    /// The present clock window, and of the one before as much as a trailing window would still cover.
    Counter,
    /// A bucket that fills at the limit's rate.
    Bucket,
}

/// No upstream counts like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is none of fixed, fixed-clock, sliding, counter, bucket")]
pub struct UnknownCounting;

impl Counting {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Fixed, Self::FixedClock, Self::Sliding, Self::Counter, Self::Bucket];

    /// As people write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::FixedClock => "fixed-clock",
            Self::Sliding => "sliding",
            Self::Counter => "counter",
            Self::Bucket => "bucket",
        }
    }

    /// In one sentence, for people.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Fixed => "Windows that begin with the first request after the last window",
            Self::FixedClock => "Windows that follow each other on the clock, wherever that was started",
            Self::Sliding => "Every trailing window, exactly",
            Self::Counter => {
                "The present clock window, and of the one before as much as a trailing window would still cover"
            }
            Self::Bucket => "A bucket that fills at the limit's rate",
        }
    }
}

impl FromStr for Counting {
    type Err = UnknownCounting;

    fn from_str(text: &str) -> Result<Self, UnknownCounting> {
        Self::ALL.into_iter().find(|way| way.name().eq_ignore_ascii_case(text)).ok_or(UnknownCounting)
    }
}

/// How an upstream counts its limits.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    /// In which windows.
    pub window: Counting,
    /// With a bucket: how many may come at once, if not the whole limit.
    pub burst: Option<NonZeroU32>,
    /// How long "a minute" is; the spans of all limits shrink with it.
    pub minute: Duration,
}

/// One limit as an upstream counts it. It has its own arithmetic on purpose: were it the gate's, a mistake there would
/// be agreed with here.
#[derive(Debug)]
pub struct Meter {
    amount: f64,
    per: Duration,
    count: Count,
    /// What has arrived, admitted or not.
    arrivals: Log,
    most: u32,
}

#[derive(Debug)]
enum Count {
    Fixed { began: Option<Instant>, used: f64 },
    Clock { epoch: Instant, window: u128, used: f64, before: f64, slides: bool },
    Sliding { log: Log },
    Bucket { burst: Option<f64>, level: f64, filled: Instant },
}

#[derive(Debug, Default)]
struct Log {
    entries: VecDeque<(Instant, u32)>,
    sum: u32,
}

impl Meter {
    /// An empty one, where a minute is as long as `counts` says; windows on the clock began this part of one before `now`.
    #[must_use]
    pub fn new(rate: Rate, counts: Counts, now: Instant, phase: f64) -> Self {
        let amount = f64::from(rate.amount());
        let per = scaled(rate.per(), counts.minute);
        let clock = |slides| Count::Clock {
            epoch: now.checked_sub(per.mul_f64(phase)).unwrap_or(now),
            window: 0,
            used: 0.0,
            before: 0.0,
            slides,
        };
        let burst = counts.burst.map(|burst| f64::from(burst.get()));
        let count = match counts.window {
            Counting::Fixed => Count::Fixed { began: None, used: 0.0 },
            Counting::FixedClock => clock(false),
            Counting::Counter => clock(true),
            Counting::Sliding => Count::Sliding { log: Log::default() },
            Counting::Bucket => Count::Bucket { burst, level: burst.unwrap_or(amount), filled: now },
        };
        Self { amount, per, count, arrivals: Log::default(), most: 0 }
    }

    /// A bucket as large as the limit, full, where a minute is this long.
    #[must_use]
    pub fn bucket(rate: Rate, minute: Duration, now: Instant) -> Self {
        let amount = f64::from(rate.amount());
        let count = Count::Bucket { burst: None, level: amount, filled: now };
        Self { amount, per: scaled(rate.per(), minute), count, arrivals: Log::default(), most: 0 }
    }

    /// The most that has arrived in any trailing window, admitted or not.
    #[must_use]
    pub fn most(&self) -> u32 {
        self.most
    }

    /// How long the window is, scaled.
    #[must_use]
    pub fn per(&self) -> Duration {
        self.per
    }

    /// From now on it admits this much; what it has counted stays counted.
    pub fn resize(&mut self, now: Instant, amount: u32) {
        self.turn(now);
        self.amount = f64::from(amount);
    }

    /// A request arrives.
    pub fn arrive(&mut self, now: Instant, cost: u32) {
        self.arrivals.forget(now, self.per);
        self.arrivals.push(now, cost);
        self.most = self.most.max(self.arrivals.sum);
    }

    /// Whether there is room for `cost`.
    ///
    /// # Errors
    /// About how long there is none.
    pub fn room(&mut self, now: Instant, cost: u32) -> Result<(), Duration> {
        let (cost, left) = (f64::from(cost), self.left(now));
        // A billionth of a request is a rounding error of the arithmetic, not a request.
        if cost <= left + 1e-9 { Ok(()) } else { Err(self.wait(now, cost)) }
    }

    /// What there is room for.
    pub fn left(&mut self, now: Instant) -> f64 {
        self.turn(now);
        match &self.count {
            Count::Fixed { used, .. } => self.amount - used,
            Count::Clock { epoch, used, before, slides, .. } => {
                let still = if *slides { before * (1.0 - fraction(now - *epoch, self.per)) } else { 0.0 };
                self.amount - used - still
            }
            Count::Sliding { log } => self.amount - f64::from(log.sum),
            Count::Bucket { level, .. } => *level,
        }
    }

    /// About how long there is no room for `cost`.
    #[must_use]
    pub fn wait(&self, now: Instant, cost: f64) -> Duration {
        match &self.count {
            Count::Fixed { began, .. } => began.map_or(Duration::ZERO, |began| began + self.per - now),
            Count::Clock { epoch, .. } => self.per.mul_f64(1.0 - fraction(now - *epoch, self.per)),
            Count::Sliding { log } => log.entries.front().map_or(Duration::ZERO, |&(at, _)| at + self.per - now),
            Count::Bucket { level, .. } => self.per.mul_f64((cost - level).max(0.0) / self.amount),
        }
    }

    /// Counts `cost`.
    pub fn count(&mut self, now: Instant, cost: u32) {
        match &mut self.count {
            Count::Fixed { began, used } => {
                began.get_or_insert(now);
                *used += f64::from(cost);
            }
            Count::Clock { used, .. } => *used += f64::from(cost),
            Count::Sliding { log } => log.push(now, cost),
            Count::Bucket { level, .. } => *level = (*level - f64::from(cost)).max(0.0),
        }
    }

    /// Lets time pass up to `now`.
    fn turn(&mut self, now: Instant) {
        match &mut self.count {
            Count::Fixed { began, used } => {
                if began.is_some_and(|began| now - began >= self.per) {
                    (*began, *used) = (None, 0.0);
                }
            }
            Count::Clock { epoch, window, used, before, .. } => {
                let current = (now - *epoch).as_nanos() / self.per.as_nanos();
                if current > *window {
                    *before = if current == *window + 1 { *used } else { 0.0 };
                    (*window, *used) = (current, 0.0);
                }
            }
            Count::Sliding { log } => log.forget(now, self.per),
            Count::Bucket { burst, level, filled } => {
                let flowed = self.amount * (now - *filled).as_secs_f64() / self.per.as_secs_f64();
                (*level, *filled) = ((*level + flowed).min(burst.unwrap_or(self.amount)), now.max(*filled));
            }
        }
    }
}

/// A span of time where a minute is this long.
#[must_use]
pub fn scaled(span: Duration, minute: Duration) -> Duration {
    span.mul_f64(minute.as_secs_f64() / 60.0)
}

/// In whole milliseconds.
#[must_use]
pub fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// How far into its window an instant is, from 0 to 1.
fn fraction(since_epoch: Duration, per: Duration) -> f64 {
    (since_epoch.as_secs_f64() / per.as_secs_f64()).fract()
}

impl Log {
    fn push(&mut self, now: Instant, cost: u32) {
        self.entries.push_back((now, cost));
        self.sum = self.sum.saturating_add(cost);
    }

    fn forget(&mut self, now: Instant, per: Duration) {
        while let Some(&(at, cost)) = self.entries.front()
            && now - at >= per
        {
            self.entries.pop_front();
            self.sum = self.sum.saturating_sub(cost);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::any_instant;

    const MINUTE: Duration = Duration::from_mins(1);

    fn meter(window: Counting, now: Instant) -> Meter {
        let counts = Counts { window, burst: None, minute: MINUTE };
        Meter::new("100/min".parse().expect("a rate"), counts, now, 0.0)
    }

    /// How many of a crowd are admitted at once.
    fn admitted(meter: &mut Meter, now: Instant) -> u32 {
        let mut admitted = 0;
        while meter.room(now, 1).is_ok() {
            meter.count(now, 1);
            admitted += 1;
        }
        admitted
    }

    #[test]
    fn a_window_admits_as_much_as_it_is_resized_to() {
        for window in Counting::ALL {
            let now = any_instant();
            let mut meter = meter(window, now);
            meter.resize(now, 60);
            assert_eq!(admitted(&mut meter, now), 60, "{window:?}");
            assert_eq!(admitted(&mut meter, now + MINUTE * 2), 60, "{window:?}");
        }
    }

    #[test]
    fn what_was_counted_stays_counted_when_a_window_is_resized() {
        for window in [Counting::Fixed, Counting::FixedClock, Counting::Sliding, Counting::Counter] {
            let now = any_instant();
            let mut meter = meter(window, now);
            assert_eq!(admitted(&mut meter, now), 100, "{window:?}");
            meter.resize(now, 60);
            assert_eq!(admitted(&mut meter, now), 0, "{window:?}");
            meter.resize(now, 150);
            assert_eq!(admitted(&mut meter, now), 50, "{window:?}");
        }
    }

    #[test]
    fn a_bucket_fills_at_the_rate_it_had_at_the_time() {
        let now = any_instant();
        let mut meter = meter(Counting::Bucket, now);
        assert_eq!(admitted(&mut meter, now), 100);
        meter.resize(now + MINUTE / 10, 60);
        assert_eq!(admitted(&mut meter, now + MINUTE / 5), 10 + 6);
    }
}
