//! Rate limiting: may it go now, or not until when.
//!
//! Everything here is arithmetic on numbers it is given: `now` is an argument, and nothing waits. A [`Pool`] puts the
//! limits of one allotment together; the [`Ledger`] holds every pool instance and takes from all pools of a request or
//! from none.
//!
//! A place in a pool has one life: it is **held** from the grant, **spent** when the request's head is written to the
//! upstream (that instant is the one that counts, as it is the nearest to the one the upstream counts), and **in flight**
//! until the last byte of the answer. A held place that was never sent is given back.

mod fill;
mod learned;
mod learning;
mod ledger;
mod pace;
mod pool;
mod rate;
mod recall;
#[cfg(test)]
pub(crate) mod tests;
mod window;

pub use fill::Fill;
pub use learned::{Finding, Kept, LearnedUsage, Lesson, Outdated};
pub use learning::{Fit, Level, Told};
pub use ledger::{Charge, InstanceId, Ledger, PoolId, Usage};
pub use pool::{Learn, Limits, Pool, PoolUsage, Reserved, Shape, Unit};
pub use rate::{ParseRateError, Rate};
pub use recall::KeptLesson;

use std::time::Instant;

/// Why a request may not go at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotYet {
    /// Not before this instant, and at it, unless somebody else takes the place first.
    Until(Instant),
    /// Not before a place that is held or in flight comes free; nobody can say when.
    Freed,
}

/// The request can never go: it costs more than the limit admits in a whole window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Never {
    /// The limit it exceeds.
    pub limit: Rate,
}

/// Stands in a key between a model and a service tier that has limits of its own. No name of a model that was seen has it.
pub const TIER: char = '+';
