//! Admission control: a request arrives with what it asks of its pools, and gets a permit, its turn, or a refusal.
//!
//! The [`Scheduler`] decides: pure, `now` an argument, stepped by `poll_timeout` and `handle_timeout`. The lock, the clock and
//! the timer around it are the proxy's.

mod answers;
mod applicant;
mod askers;
mod case;
mod diagnosis;
mod entry;
mod evidence;
mod forecast;
mod lessons;
mod look;
mod promises;
mod refusal;
mod reservations;
mod scheduler;
mod snapshot;
mod standing;
#[cfg(test)]
mod tests;
mod turns;

pub use applicant::{Again, Applicant};
pub use askers::Asker;
pub use case::{Bound, Case, Confidence, Diagnosis};
pub use evidence::{Episode, Observed, Refused};
pub use look::Rest;
pub use refusal::{Reason, Refusal};
pub use scheduler::{Arrival, Decision, Rules, Scheduler};
pub use snapshot::{InstanceState, Snapshot, Tally};
pub use standing::Standing;

pub use crate::queue::ClientId;

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
