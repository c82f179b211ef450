//! Admission control: a request arrives with what it asks of its pools, and gets a permit, its turn, or a refusal.
//!
//! The [`Scheduler`] decides: pure, `now` an argument, stepped by `poll_timeout` and `handle_timeout`. The lock, the clock and
//! the timer around it are the proxy's.

mod admit;
mod backfill;
mod cause;
mod diagnosis;
mod dispatch;
mod evidence;
mod forecast;
mod look;
mod outcome;
mod request;
mod requesters;
mod retries;
mod saved;
mod snapshot;
mod state;
#[cfg(test)]
mod tests;
mod waiters;

pub use cause::{Cause, Confidence, Diagnosis, ReachedLimit};
pub use evidence::{Evidence, RefusalBurst, RefusalCounts};
pub use look::Rest;
pub use request::{AdmissionRequest, QueuePosition};
pub use requesters::Requester;
pub use snapshot::{InstanceState, RequestTotals, Snapshot};
pub use state::{Arrival, Decision, Rules, Scheduler};
pub use waiters::Waiters;

pub use crate::queue::ClientId;
pub use crate::refusal::{Reason, Refusal};

use std::time::Duration;

/// How a pool treats those who wait for it.
#[derive(Clone, Copy, Debug)]
pub struct PoolRules {
    /// How many may wait for it.
    pub max_waiting: usize,
    /// How much memory those who wait for it may take, in bytes.
    pub max_bytes: u64,
    /// How long a request may wait for it, from arrival to dispatch.
    pub max_wait: Duration,
    /// Nobody waits: what cannot go at once is refused.
    pub refuse_when_full: bool,
}
