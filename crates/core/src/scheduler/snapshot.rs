use std::sync::Arc;
use std::time::{Duration, Instant};

use super::waiters::Waiters;
use super::waits::RecentWaits;
use super::{Diagnosis, Evidence};
use crate::hints::RefusalCause;
use crate::limit::{Fill, PoolId, PoolUsage};

/// What has happened so far, in requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestTotals {
    /// Were given a permit.
    pub granted: u64,
    /// Were refused.
    pub refused: u64,
    /// Left before their turn.
    pub cancelled: u64,
    /// Were given a permit and never sent.
    pub refunded: u64,
    /// Were sent.
    pub sent: u64,
    /// Were given a permit and are over, sent or not.
    pub released: u64,
}

/// The state of the gate at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When.
    pub at: Instant,
    /// How many wait.
    pub waiting: usize,
    /// What has happened so far.
    pub totals: RequestTotals,
    /// Whether the gate is stopping.
    pub draining: bool,
    /// What the upstream has refused so far, of each pool and for each reason.
    pub refusals: Vec<(PoolId, RefusalCause, u64)>,
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
    /// What is used of it.
    pub usage: PoolUsage,
    /// What of its limit in force is used, where there is one.
    pub fill: Option<Fill>,
    /// Which requests wait for it.
    pub waiters: Waiters,
    /// How many they are.
    pub waiting: usize,
    /// When the first who is stopped here goes, where that is known.
    pub head_goes: Option<Instant>,
    /// Since when requests wait longer than was forecast, or none goes because the upstream refused.
    pub stalled_since: Option<Instant>,
    /// How long the next request would wait for it, as far as the rates say: of the client that was asked for, or else of one
    /// with nothing in line.
    pub eta: Duration,
    /// The same for the first clients in `waiters.of`, behind their own requests.
    pub next_of: Vec<Duration>,
    /// How long requests waited for it in the last minute.
    pub waits: RecentWaits,
    /// What was seen of it lately.
    pub evidence: Evidence,
    /// What is the matter with it.
    pub diagnosis: Diagnosis,
}
