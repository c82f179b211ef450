use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Diagnosis, Observed};
use crate::limit::{PoolId, PoolUsage};

/// What has happened so far, in requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Were given a permit.
    pub granted: u64,
    /// Were refused.
    pub refused: u64,
    /// Left before their turn.
    pub cancelled: u64,
    /// Were given a permit and never sent.
    pub given_back: u64,
    /// Were sent.
    pub sent: u64,
    /// Were given a permit and are over, sent or not.
    pub landed: u64,
}

/// The state of the gate at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When.
    pub at: Instant,
    /// How many wait.
    pub waiting: usize,
    /// What has happened so far.
    pub tally: Tally,
    /// Whether the gate is stopping.
    pub draining: bool,
    /// Every pool instance.
    pub instances: Vec<InstanceState>,
}

/// One pool instance at one moment.
#[derive(Clone, Debug)]
pub struct InstanceState {
    /// Its pool.
    pub pool: PoolId,
    /// Its key; empty where the pool has none.
    pub key: Arc<str>,
    /// What is taken.
    pub taken: PoolUsage,
    /// How many wait that need it.
    pub waiting: usize,
    /// How long one who comes now would wait for it, as far as the rates say.
    pub eta: Duration,
    /// What was seen of it lately.
    pub observed: Observed,
    /// What is the matter with it.
    pub diagnosis: Diagnosis,
}
