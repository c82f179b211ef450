use std::time::Duration;

use super::spread::exponential;
use super::traffic::{Arrivals, ListedRequest, Stream};
use crate::limit::Rate;

/// The arrival times of a stream's requests, one after the other.
pub(super) struct StreamArrivals<'t> {
    stream: &'t Stream,
    chance: fastrand::Rng,
    count: u32,
    /// Seconds from the start of the stream to the last arrival. A float, as gaps may be shorter than a nanosecond.
    gone: f64,
}

impl<'t> StreamArrivals<'t> {
    pub(super) fn new(stream: &'t Stream, chance: fastrand::Rng) -> Self {
        Self { stream, chance, count: 0, gone: 0.0 }
    }

    /// The time of the next arrival from the start of the traffic, and its recording. Each worker counts as one arrival.
    pub(super) fn next(&mut self) -> Option<(Duration, Option<ListedRequest>)> {
        let (nth, from) = (self.count, self.stream.from);
        self.count = nth.checked_add(1)?;
        let mut listed = None;
        let at = match &self.stream.arrivals {
            Arrivals::Even(rate) => from + rate.per().mul_f64(f64::from(nth) / f64::from(rate.amount())),
            Arrivals::Poisson(rate) => {
                self.gone += exponential(1.0 / per_second(*rate), &mut self.chance);
                from + Duration::try_from_secs_f64(self.gone).ok()?
            }
            Arrivals::Ramp(first, last) => from + ramped(*first, *last, self.stream.until.saturating_sub(from), nth)?,
            Arrivals::Burst(count) | Arrivals::Workers { workers: count, .. } => (nth < count.get()).then_some(from)?,
            Arrivals::Listed(all) => {
                listed = all.get(usize::try_from(nth).ok()?).copied();
                listed?.at
            }
        };
        (at < self.stream.until).then_some((at, listed))
    }
}

pub(super) fn per_second(rate: Rate) -> f64 {
    f64::from(rate.amount()) / rate.per().as_secs_f64()
}

/// The time of the n-th arrival at a rate that changes linearly from `first` to `last` in this time. It solves
/// `first·t + (last − first)·t²/2·time = n` for `t`: the left side is the number of arrivals until `t`.
fn ramped(first: Rate, last: Rate, time: Duration, n: u32) -> Option<Duration> {
    let (first, n) = (per_second(first), f64::from(n));
    let growth = (per_second(last) - first) / time.as_secs_f64();
    let root = (2.0 * growth).mul_add(n, first * first).sqrt();
    Duration::try_from_secs_f64(2.0 * n / (first + root)).ok()
}
