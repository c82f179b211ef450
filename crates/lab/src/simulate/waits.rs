use std::time::Duration;

use serde::Serialize;

use super::ratio::ratio;

/// All waits of a group of requests.
#[derive(Clone, Debug, Default)]
pub(super) struct WaitSamples {
    /// The number of requests that did not wait.
    none: u64,
    /// The others, in microseconds.
    some: Vec<u64>,
}

/// A summary of waits, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Waited {
    /// The mean.
    pub mean: f64,
    /// The median.
    pub p50: f64,
    /// The 95th percentile: 95 of 100 requests waited no longer.
    pub p95: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

impl WaitSamples {
    pub(super) fn add(&mut self, waited: Duration) {
        match u64::try_from(waited.as_micros()).unwrap_or(u64::MAX) {
            0 => self.none += 1,
            micros => self.some.push(micros),
        }
    }

    pub(super) fn waited(&mut self) -> Waited {
        self.some.sort_unstable();
        let total: u64 = self.some.iter().sum();
        let count = self.none + self.some.len() as u64;
        Waited {
            mean: ratio(total, count * 1_000),
            p50: self.quantile(50),
            p95: self.quantile(95),
            p99: self.quantile(99),
            max: self.quantile(100),
        }
    }

    /// The percentile by nearest rank, of sorted values.
    fn quantile(&self, percent: u64) -> f64 {
        let rank = ((self.none + self.some.len() as u64) * percent).div_ceil(100);
        let index = rank.checked_sub(self.none + 1).and_then(|index| usize::try_from(index).ok());
        index.map_or(0.0, |index| ratio(self.some[index], 1_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantiles_are_those_of_the_nearest_rank() {
        let mut waits = WaitSamples::default();
        assert_eq!(waits.waited(), Waited::default());
        (0..100).rev().for_each(|millis| waits.add(Duration::from_millis(millis)));
        assert_eq!(waits.waited(), Waited { mean: 49.5, p50: 49.0, p95: 94.0, p99: 98.0, max: 99.0 });
        (0..900).for_each(|_| waits.add(Duration::ZERO));
        assert_eq!(waits.waited(), Waited { mean: 4.95, p50: 0.0, p95: 49.0, p99: 89.0, max: 99.0 });
    }
}
