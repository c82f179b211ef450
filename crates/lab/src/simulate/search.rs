use std::num::NonZeroU32;
use std::time::Duration;

use super::report::SimulationReport;

/// One number of workers that was tried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SearchStep {
    /// The number.
    pub workers: NonZeroU32,
    /// The 95th percentile of the wait, in milliseconds.
    pub wait_p95_ms: f64,
    /// Requests refused.
    pub refused: u64,
    /// Requests answered.
    pub answered: u64,
    /// Whether no request was refused, and the wait is within its bound.
    pub fits: bool,
}

/// The most that is tried. A guess: nobody runs more.
const MOST: u32 = 1 << 20;

/// The largest number of workers without a refusal and with a 95th percentile of the waits within this bound: doubled
/// until it is too large, then bisected. Calls `told` with each step. `None` if one worker is too many.
pub fn most_workers(
    bound: Duration,
    mut simulate: impl FnMut(NonZeroU32) -> SimulationReport,
    mut told: impl FnMut(SearchStep),
) -> Option<NonZeroU32> {
    let mut fits = |workers: u32| {
        let workers = NonZeroU32::new(workers)?;
        let report = simulate(workers);
        let (wait_p95_ms, refused) = (report.whole.wait_ms.p95, report.refused());
        let fits = refused == 0 && wait_p95_ms <= bound.as_secs_f64() * 1_000.0;
        told(SearchStep { workers, wait_p95_ms, refused, answered: report.whole.served + report.whole.shared, fits });
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
