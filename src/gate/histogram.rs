use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long something took each time, counted between bounds. Whoever notes waits for nobody.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    /// Up to each of [`BOUNDS`], and beyond the last.
    counts: [AtomicU64; BOUNDS.len() + 1],
    sum_us: AtomicU64,
    most_us: AtomicU64,
}

/// How long something took so far.
#[derive(Clone, Debug, Default)]
pub struct Distribution {
    /// How often it took longer than the bound before, and no longer than each of the bounds; the last have none.
    counts: Vec<u64>,
    /// All of it together.
    pub sum: Duration,
    /// The longest.
    pub most: Duration,
}

/// From nothing at all to five hundred seconds, in microseconds; each is at most twice the one before.
const BOUNDS: [u64; 31] = {
    let (steps, mut bounds, mut at, mut decade) = ([1_000, 1_500, 2_000, 3_000, 5_000], [0; 31], 1, 1);
    while at < bounds.len() {
        bounds[at] = steps[(at - 1) % steps.len()] * decade;
        if at % steps.len() == 0 {
            decade *= 10;
        }
        at += 1;
    }
    bounds
};

impl Histogram {
    pub(super) fn record(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.counts[BOUNDS.partition_point(|&bound| bound < us)].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
        self.most_us.fetch_max(us, Ordering::Relaxed);
    }

    pub(super) fn distribution(&self) -> Distribution {
        Distribution {
            counts: self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            sum: Duration::from_micros(self.sum_us.load(Ordering::Relaxed)),
            most: Duration::from_micros(self.most_us.load(Ordering::Relaxed)),
        }
    }
}

impl Distribution {
    /// How often it happened.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How often it took any time at all.
    #[must_use]
    pub fn count_above_zero(&self) -> u64 {
        self.counts.iter().skip(1).sum()
    }

    /// What it took on average.
    #[must_use]
    pub fn mean(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.sum.as_micros()).unwrap_or(u64::MAX) / self.count().max(1))
    }

    /// What so many hundredths of all took no longer than: the bound below which they are, which is up to twice as long.
    #[must_use]
    pub fn quantile(&self, hundredths: u64) -> Duration {
        let all = self.count();
        let reached = self.cumulated().find(|&(_, count)| count * 100 >= all * hundredths);
        reached.map_or(self.most, |(bound, _)| bound.min(self.most))
    }

    /// How often it took no longer than each bound.
    pub fn cumulated(&self) -> impl Iterator<Item = (Duration, u64)> {
        let counts = self.counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        BOUNDS.iter().map(|&bound| Duration::from_micros(bound)).zip(counts)
    }

    pub(super) fn add(&mut self, more: &Self) {
        self.counts.resize(BOUNDS.len() + 1, 0);
        self.counts.iter_mut().zip(&more.counts).for_each(|(count, more)| *count += more);
        (self.sum, self.most) = (self.sum + more.sum, self.most.max(more.most));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_ms(times: impl IntoIterator<Item = u64>) -> Distribution {
        let recorded = Histogram::default();
        times.into_iter().for_each(|ms| recorded.record(Duration::from_millis(ms)));
        recorded.distribution()
    }

    #[test]
    fn bounds_are_round_and_reach_from_nothing_to_five_hundred_seconds() {
        assert_eq!(BOUNDS[..8], [0, 1_000, 1_500, 2_000, 3_000, 5_000, 10_000, 15_000]);
        assert_eq!(BOUNDS[30], 500_000_000);
        assert!(BOUNDS.is_sorted());
    }

    #[test]
    fn a_quantile_is_the_bound_below_which_its_part_is_and_never_beyond_the_longest() {
        let distribution = of_ms((0..90).map(|_| 0).chain((0..10).map(|_| 400)));
        let quantiles = [50, 90, 95, 100].map(|part| distribution.quantile(part).as_millis());
        assert_eq!(quantiles, [0, 0, 400, 400]);
        assert_eq!(
            (distribution.mean().as_millis(), distribution.most.as_millis(), distribution.count()),
            (40, 400, 100)
        );
        assert_eq!(of_ms([1_200]).quantile(50).as_millis(), 1_200);
        assert_eq!(of_ms((0..9).map(|_| 1_200).chain([2_000_000])).quantile(50).as_millis(), 1_500);
        assert_eq!(of_ms([2_000_000]).quantile(50).as_secs(), 2_000);
        assert_eq!(of_ms([]).quantile(50), Duration::ZERO);
    }

    #[test]
    fn two_spreads_together_are_as_if_they_had_been_noted_as_one() {
        let mut both = of_ms([1, 20, 300]);
        both.add(&of_ms([0, 20, 4_000]));
        let one = of_ms([1, 20, 300, 0, 20, 4_000]);
        assert_eq!((both.counts, both.sum, both.most), (one.counts, one.sum, one.most));
    }
}
