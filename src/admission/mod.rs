//! Where requests wait for their turn: the [`Scheduler`] of the core under a lock, with a clock and a timer.

mod commit;
mod driver;
mod leasing;
mod locked;
mod permit;
mod restart;

pub use commit::{Commit, CommitLog};
pub use driver::{Admission, PendingPermit, Turn};
pub use permit::{Acceptance, InFlight, Permit, Place};
pub use restart::SavedState;
pub use tidegate_core::scheduler::*;
