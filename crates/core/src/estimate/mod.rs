//! Which limit is it: what the upstream's refusals mean, and what to do about them.
//!
//! The [`Estimator`] is fed with every event of admission. Each pool instance, and the whole upstream, has a record of how
//! much there already was, by several indicators, when a request was sent that the upstream accepted or refused. A
//! hypothesis is an indicator (so many in a window, so many in flight, a bucket, or none) and a view (the pool, a route,
//! each value of a key). It is scored on all of the record by its marginal likelihood; what explains it best is kept to.
//!
//! The scheduler does not use it yet: limits are still learned and named by `limit::learned` and `scheduler::diagnosis`.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "counts of requests and nanoseconds of a hundred days, for statistics"
)]

mod book;
mod challenge;
mod control;
mod estimator;
mod flight;
mod histogram;
mod hypothesis;
mod lens;
mod record;
mod sample;
mod subject;
#[cfg(test)]
mod tests;
mod traffic;
mod verdict;
mod words;

pub use estimator::{Clearance, Estimator};
pub use flight::Flight;
pub use subject::{KeyKind, Subject};
pub use verdict::{
    Certainty, Estimate, EvidenceCount, LimitAction, LimitCase, LimitFigure, LimitScope, LimitUnit, ScopeKind,
};
pub use words::{Failure, RefusalSaid, SaidKind};

use std::time::Duration;

/// How many windows are counted in: the usual ones, and last the configured one.
const WINDOWS: usize = 4;
/// What a limit may be of: what is in a window, in flight, or missing in a bucket.
const INDICATORS: usize = WINDOWS + 2;
const IN_FLIGHT: usize = WINDOWS;
const BACKLOG: usize = WINDOWS + 1;

/// How much there is already, by each indicator.
type Levels = [u16; INDICATORS];

/// What is configured for a pool instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfiguredLimit {
    /// How many in a window, where a limit is configured.
    pub amount: Option<u32>,
    /// The window.
    pub per: Duration,
}
