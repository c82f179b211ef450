//! What would not end in anybody's lifetime.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;

use super::file;
use super::values::Problems;
use crate::simulate::arrivals::per_second;
use crate::simulate::traffic::{Arrivals, Stream};

/// So many requests of a stream take minutes. A guess: nobody waits for more.
const MOST: f64 = 100_000_000.0;

/// A worker that takes less time for a request may stand still in time.
const LEAST: Duration = Duration::from_millis(1);

impl Problems {
    pub(super) fn bound(&mut self, stream: &Stream, written: &Spanned<file::Stream>) {
        let come = requests(stream);
        if come > MOST {
            let mend = "lower the rate or the number, or shorten the duration: 100 million are simulated at most";
            self.note("too many requests", arrives_at(written), format!("{come:.0} would come"), mend);
        }
        if is_restless(stream) {
            let at = written.get_ref().latency.as_ref().map_or_else(|| written.span(), Spanned::span);
            let mend = "give the workers a pause or the upstream a latency, of 1ms together or more";
            self.note("workers that take no time", at, "a worker would begin anew for ever, at one moment", mend);
        }
    }
}

/// How many come, or come at first.
fn requests(stream: &Stream) -> f64 {
    let lasts = stream.until.saturating_sub(stream.from).as_secs_f64();
    match &stream.arrivals {
        Arrivals::Even(rate) | Arrivals::Poisson(rate) => per_second(*rate) * lasts,
        Arrivals::Ramp(first, last) => f64::midpoint(per_second(*first), per_second(*last)) * lasts,
        Arrivals::Burst(count) | Arrivals::Workers { workers: count, .. } => f64::from(count.get()),
        // What was recorded came once.
        Arrivals::Listed(_) => 0.0,
    }
}

/// Who polls takes the time between polls.
fn is_restless(stream: &Stream) -> bool {
    let Arrivals::Workers { pause, .. } = stream.arrivals else { return false };
    stream.poll.is_none() && pause + stream.latency.usual() < LEAST
}

/// Where it is written when they come.
fn arrives_at(written: &Spanned<file::Stream>) -> Range<usize> {
    let file::Stream { rate, poisson, ramp, .. } = written.get_ref();
    let text = rate.as_ref().or(poisson.as_ref()).map(Spanned::span);
    text.or_else(|| ramp.as_ref().map(Spanned::span)).unwrap_or_else(|| written.span())
}
