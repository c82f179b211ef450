use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Counting, Options};
use crate::limit::Rate;

/// One limit as an upstream counts it. It has its own arithmetic on purpose: were it the gate's, a mistake there would
/// be agreed with here.
#[derive(Debug)]
pub(crate) struct Meter {
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
    pub(crate) fn new(rate: Rate, options: &Options, now: Instant, phase: f64) -> Self {
        let amount = f64::from(rate.amount());
        let per = scaled(rate.per(), options.minute);
        let clock = |slides| Count::Clock {
            epoch: now.checked_sub(per.mul_f64(phase)).unwrap_or(now),
            window: 0,
            used: 0.0,
            before: 0.0,
            slides,
        };
        let burst = options.burst.map(|burst| f64::from(burst.get()));
        let count = match options.window {
            Counting::Fixed => Count::Fixed { began: None, used: 0.0 },
            Counting::FixedClock => clock(false),
            Counting::Counter => clock(true),
            Counting::Sliding => Count::Sliding { log: Log::default() },
            Counting::Bucket => Count::Bucket { burst, level: burst.unwrap_or(amount), filled: now },
        };
        Self { amount, per, count, arrivals: Log::default(), most: 0 }
    }

    /// A bucket as large as the limit, full, where a minute is this long.
    pub(super) fn bucket(rate: Rate, minute: Duration, now: Instant) -> Self {
        let amount = f64::from(rate.amount());
        let count = Count::Bucket { burst: None, level: amount, filled: now };
        Self { amount, per: scaled(rate.per(), minute), count, arrivals: Log::default(), most: 0 }
    }

    /// The most that has arrived in any trailing window, admitted or not.
    pub(crate) fn most(&self) -> u32 {
        self.most
    }

    /// How long the window is, scaled.
    pub(crate) fn per(&self) -> Duration {
        self.per
    }

    /// From now on it admits this much; what it has counted stays counted.
    pub(crate) fn resize(&mut self, now: Instant, amount: u32) {
        self.turn(now);
        self.amount = f64::from(amount);
    }

    /// A request arrives.
    pub(crate) fn arrive(&mut self, now: Instant, cost: u32) {
        self.arrivals.forget(now, self.per);
        self.arrivals.push(now, cost);
        self.most = self.most.max(self.arrivals.sum);
    }

    /// Whether there is room for `cost`, or about how long there is none.
    pub(crate) fn room(&mut self, now: Instant, cost: u32) -> Result<(), Duration> {
        let (cost, left) = (f64::from(cost), self.left(now));
        // A billionth of a request is a rounding error of the arithmetic, not a request.
        if cost <= left + 1e-9 { Ok(()) } else { Err(self.wait(now, cost)) }
    }

    /// What there is room for.
    pub(super) fn left(&mut self, now: Instant) -> f64 {
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
    pub(super) fn wait(&self, now: Instant, cost: f64) -> Duration {
        match &self.count {
            Count::Fixed { began, .. } => began.map_or(Duration::ZERO, |began| began + self.per - now),
            Count::Clock { epoch, .. } => self.per.mul_f64(1.0 - fraction(now - *epoch, self.per)),
            Count::Sliding { log } => log.entries.front().map_or(Duration::ZERO, |&(at, _)| at + self.per - now),
            Count::Bucket { level, .. } => self.per.mul_f64((cost - level).max(0.0) / self.amount),
        }
    }

    /// Counts `cost`.
    pub(crate) fn count(&mut self, now: Instant, cost: u32) {
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
pub(super) fn scaled(span: Duration, minute: Duration) -> Duration {
    span.mul_f64(minute.as_secs_f64() / 60.0)
}

pub(super) fn millis(time: Duration) -> u64 {
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
    use crate::mock::Meter;

    const MINUTE: Duration = Duration::from_mins(1);
    const WINDOWS: [Counting; 5] =
        [Counting::Fixed, Counting::FixedClock, Counting::Sliding, Counting::Counter, Counting::Bucket];

    fn meter(window: Counting, now: Instant) -> Meter {
        let options = Options { window, ..Options::default() };
        Meter::new("100/min".parse().expect("a rate"), &options, now, 0.0)
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
        for window in WINDOWS {
            let now = tokio::time::Instant::now().into_std();
            let mut meter = meter(window, now);
            meter.resize(now, 60);
            assert_eq!(admitted(&mut meter, now), 60, "{window:?}");
            assert_eq!(admitted(&mut meter, now + MINUTE * 2), 60, "{window:?}");
        }
    }

    #[test]
    fn what_was_counted_stays_counted_when_a_window_is_resized() {
        for window in [Counting::Fixed, Counting::FixedClock, Counting::Sliding, Counting::Counter] {
            let now = tokio::time::Instant::now().into_std();
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
        let now = tokio::time::Instant::now().into_std();
        let mut meter = meter(Counting::Bucket, now);
        assert_eq!(admitted(&mut meter, now), 100);
        meter.resize(now + MINUTE / 10, 60);
        assert_eq!(admitted(&mut meter, now + MINUTE / 5), 10 + 6);
    }
}
