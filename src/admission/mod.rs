//! Where requests wait for their turn: the [`Scheduler`] of the core under a lock, with a clock and a timer.

mod driver;
mod permit;

pub use driver::{Admission, QueuedRequest, Turn};
pub use permit::{InFlight, Permit, Place};
pub use tidegate_core::scheduler::*;
