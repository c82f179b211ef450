//! Admission control: a request arrives with what it asks of its pools, and gets a permit, its turn, or a refusal.
//!
//! The [`Scheduler`] decides: pure, `now` an argument, stepped by `poll_timeout` and `handle_timeout`. The lock, the clock and
//! the timer around it are the proxy's.

mod admit;
mod backfill;
mod cause;
mod diagnosis;
mod dispatch;
mod entry;
mod evidence;
mod forecast;
mod headroom;
mod leasing;
mod look;
mod outcome;
mod reload;
mod request;
mod requesters;
mod restart;
mod retries;
mod review;
mod rules;
mod saved;
mod saved_use;
mod snapshot;
mod state;
#[cfg(test)]
mod tests;
mod timers;
mod wait_check;
mod waiters;
mod waits;

pub use cause::{Cause, ReachedLimit};
pub use diagnosis::{Confidence, Diagnosis};
pub use evidence::{Evidence, RefusalBurst, RefusalCounts};
pub use look::Rest;
pub use request::{AdmissionRequest, QueuePosition};
pub use requesters::Requester;
pub use rules::{PoolRules, Rules};
pub use saved_use::{SavedInstanceUse, SavedRetry};
pub use snapshot::{InstanceState, RequestTotals, Snapshot};
pub use state::{Arrival, Decision, Scheduler};
pub use wait_check::{PoolLine, WaitCheck};
pub use waiters::Waiters;
pub use waits::RecentWaits;

pub use crate::queue::ClientId;
pub use crate::refusal::{Reason, Refusal};
