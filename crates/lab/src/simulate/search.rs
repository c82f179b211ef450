use std::num::NonZeroU32;
use std::time::Duration;

use super::report::Report;

/// A number that was tried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tried {
    /// Which.
    pub workers: NonZeroU32,
    /// The 95th percentile of the wait, in milliseconds.
    pub wait_p95_ms: f64,
    /// How many were refused.
    pub refused: u64,
    /// What was done in all.
    pub answered: u64,
    /// Whether nobody was refused and the wait is within its bound.
    pub fits: bool,
}

/// Nobody runs more. A guess.
const MOST: u32 = 1 << 20;

/// The largest number of workers of whom nobody is refused, and of 100 waits 95 are within this bound: doubled until it is
/// too large, and then halved in between. Each that is tried is told; nothing if not even one fits.
pub fn most_workers(
    bound: Duration,
    mut simulate: impl FnMut(NonZeroU32) -> Report,
    mut told: impl FnMut(Tried),
) -> Option<NonZeroU32> {
    let mut fits = |workers: u32| {
        let workers = NonZeroU32::new(workers)?;
        let report = simulate(workers);
        let (wait_p95_ms, refused) = (report.whole.wait_ms.p95, report.refused());
        let fits = refused == 0 && wait_p95_ms <= bound.as_secs_f64() * 1_000.0;
        told(Tried { workers, wait_p95_ms, refused, answered: report.whole.served + report.whole.shared, fits });
        fits.then_some(workers)
    };
    let (mut most, mut too_many) = (None, 1);
    while too_many < MOST
        && let Some(workers) = fits(too_many)
    {
        (most, too_many) = (Some(workers), too_many * 2);
    }
    let mut least = most?.get();
    while least + 1 < too_many {
        let middle = least.midpoint(too_many);
        match fits(middle) {
            Some(workers) => (most, least) = (Some(workers), middle),
            None => too_many = middle,
        }
    }
    most
}
