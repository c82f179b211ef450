//! Scenarios that would take too long to simulate.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;

use super::file;
use super::values::Problems;
use crate::simulate::arrivals::per_second;
use crate::simulate::traffic::{Arrivals, Stream};

/// The most requests of a stream. They take minutes; a guess: nobody waits for more.
const MOST: f64 = 100_000_000.0;

/// The least time of a worker's request. With less, time may stand still.
const LEAST: Duration = Duration::from_millis(1);

/// Notes what is too much about a stream.
pub(super) fn check(problems: &mut Problems, stream: &Stream, written: &Spanned<file::StreamEntry>) {
    let come = requests(stream);
    if come > MOST {
        let mend = "lower the rate or the number, or shorten the duration: 100 million are simulated at most";
        problems.note("too many requests", arrives_at(written), format!("{come:.0} would come"), mend);
    }
    if is_restless(stream) {
        let at = written.get_ref().latency.as_ref().map_or_else(|| written.span(), Spanned::span);
        let mend = "give the workers a pause or the upstream a latency, of 1ms together or more";
        problems.note("workers that take no time", at, "a worker would begin anew for ever, at one moment", mend);
    }
}

/// The number of requests, or of workers.
fn requests(stream: &Stream) -> f64 {
    let lasts = stream.until.saturating_sub(stream.from).as_secs_f64();
    match &stream.arrivals {
        Arrivals::Even(rate) | Arrivals::Poisson(rate) => per_second(*rate) * lasts,
        Arrivals::Ramp(first, last) => f64::midpoint(per_second(*first), per_second(*last)) * lasts,
        Arrivals::Burst(count) | Arrivals::Workers { workers: count, .. } => f64::from(count.get()),
        // A recording has an end.
        Arrivals::Listed(_) => 0.0,
    }
}

/// A worker that polls takes at least the time between two polls.
fn is_restless(stream: &Stream) -> bool {
    let Arrivals::Workers { pause, .. } = stream.arrivals else { return false };
    stream.poll.is_none() && pause + stream.latency.usual() < LEAST
}

/// The place in the file that says when they arrive.
fn arrives_at(written: &Spanned<file::StreamEntry>) -> Range<usize> {
    let file::StreamEntry { rate, poisson, ramp, .. } = written.get_ref();
    let text = rate.as_ref().or(poisson.as_ref()).map(Spanned::span);
    text.or_else(|| ramp.as_ref().map(Spanned::span)).unwrap_or_else(|| written.span())
}
