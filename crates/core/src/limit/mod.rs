//! Rate limiting: may it go now, or not until when.
//!
//! Everything here is arithmetic on numbers it is given: `now` is an argument, and nothing waits. A `Pool` puts the
//! limits of one allotment together; the [`Ledger`] holds every pool instance and takes from all pools of a request or
//! from none.
//!
//! A place in a pool has one life. A request **reserves** it when it is granted and **commits** it as its head is written to
//! the upstream: that instant counts, as it is the nearest to the one that the upstream counts. A request that is never sent
//! **refunds** it. In both cases the request is **in flight** until it **releases** the place, with the last byte of the
//! response.

mod learned;
mod ledger;
mod pace;
mod pool;
mod rate;
mod share;
mod stock;
mod stocks;
#[cfg(test)]
pub(crate) mod tests;
mod window;

pub use learned::{EstimateView, LearnedUsage, Outdated, SavedEstimate, SavedLimit};
pub use ledger::{Called, Charge, InstanceId, InstanceUsage, Ledger, NamedCharges, PoolId, SavedInstance, SavedPool};
#[cfg(test)]
pub(crate) use pool::Pool;
pub use pool::{
    Fill, FillLevel, Hint, LaterCharge, Learn, Limits, PoolUsage, SavedPace, SavedUsage, SavedWindow, Shape, Unit,
};
pub use rate::{ParseRateError, Rate};
pub use share::{ParseShareError, Share};
pub use stock::{Demand, Source, TurnTime};

use std::time::Instant;

/// Why a request may not go at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotYet {
    /// Not before this instant; at it, unless another request takes the place first.
    Until(Instant),
    /// Not before a reserved place or one in flight comes free. When that is cannot be known.
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
