use std::f64::consts::TAU;
use std::time::Duration;

/// A duration, or a distribution of durations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Spread {
    /// Constant.
    Fixed(Duration),
    /// Uniform between the two.
    Between(Duration, Duration),
    /// Exponential, with this mean.
    Mean(Duration),
    /// Log-normal, as servers' latencies mostly are.
    Quantiles {
        /// The median.
        p50: Duration,
        /// The 95th percentile.
        p95: Duration,
    },
}

/// The longest duration in a simulation: a leap year.
pub(super) const LONGEST: Duration = Duration::from_hours(366 * 24);

/// The 95th percentile of the standard normal distribution.
const P95: f64 = 1.644_853_626_951_472_6;

impl Spread {
    /// About the median.
    pub(super) fn usual(self) -> Duration {
        match self {
            Self::Fixed(time) | Self::Mean(time) | Self::Quantiles { p50: time, .. } => time,
            Self::Between(least, most) => least + most.saturating_sub(least) / 2,
        }
    }

    /// The longest duration in its parameters.
    pub(super) fn longest(self) -> Duration {
        match self {
            Self::Fixed(time) | Self::Mean(time) | Self::Between(_, time) | Self::Quantiles { p95: time, .. } => time,
        }
    }

    /// A random duration.
    pub(super) fn draw(self, chance: &mut fastrand::Rng) -> Duration {
        match self {
            Self::Fixed(time) => time,
            Self::Between(least, most) => least + most.saturating_sub(least).mul_f64(chance.f64()),
            Self::Mean(mean) => seconds(exponential(mean.as_secs_f64(), chance)),
            Self::Quantiles { p50, p95 } => {
                let sigma = (p95.as_secs_f64() / p50.as_secs_f64()).ln() / P95;
                seconds(p50.as_secs_f64() * (sigma * normal(chance)).exp())
            }
        }
    }
}

/// A random, exponentially distributed time of this mean, in the unit of the mean.
pub(super) fn exponential(mean: f64, chance: &mut fastrand::Rng) -> f64 {
    mean * -(1.0 - chance.f64()).ln()
}

/// Cuts off at [`LONGEST`].
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).map_or(LONGEST, |time| time.min(LONGEST))
}

/// A normally distributed number, by Box and Muller's method.
fn normal(chance: &mut fastrand::Rng) -> f64 {
    (-2.0 * (1.0 - chance.f64()).ln()).sqrt() * (TAU * chance.f64()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_is_never_longer_than_the_longest() {
        let mut chance = fastrand::Rng::with_seed(1);
        let wild = Spread::Quantiles { p50: Duration::from_nanos(1), p95: LONGEST };
        let drawn: Vec<_> = (0..1_000).map(|_| wild.draw(&mut chance)).collect();
        assert_eq!(drawn.iter().max(), Some(&LONGEST));
    }

    #[test]
    fn what_is_drawn_has_the_mean_and_the_quantiles_that_it_says() {
        let (second, three) = (Duration::from_secs(1), Duration::from_secs(3));
        let drawn = |spread: Spread| {
            let mut chance = fastrand::Rng::with_seed(1);
            let mut drawn: Vec<f64> = (0..20_000).map(|_| spread.draw(&mut chance).as_secs_f64()).collect();
            drawn.sort_by(f64::total_cmp);
            let mean = drawn.iter().sum::<f64>() / 20_000.0;
            [mean, drawn[10_000], drawn[19_000]]
        };
        for (spread, expected) in [
            (Spread::Fixed(second), [1.0, 1.0, 1.0]),
            (Spread::Between(second, three), [2.0, 2.0, 2.9]),
            (Spread::Mean(second), [1.0, 2_f64.ln(), 20_f64.ln()]),
            (
                Spread::Quantiles { p50: second, p95: three },
                [(3_f64.ln() / P95).powi(2).mul_add(0.5, 0.0).exp(), 1.0, 3.0],
            ),
        ] {
            for (found, expected) in drawn(spread).into_iter().zip(expected) {
                assert!((found / expected - 1.0).abs() < 0.03, "{spread:?}: {found} and {expected}");
            }
        }
    }
}
