use std::time::Duration;

use serde::Serialize;

use crate::admission::{InstanceState, Snapshot, Tally};
use crate::config::Pool;
use crate::proxy::Coalesced;

/// The state of the gate, as `/status` says it. Times are in milliseconds unless the name says otherwise.
#[derive(Debug, Serialize)]
pub struct Status {
    /// Tidegate's own.
    pub version: &'static str,
    /// Where the configuration comes from.
    pub config: String,
    /// Since the start.
    pub uptime_s: u64,
    /// The gate is stopping.
    pub draining: bool,
    /// How many requests wait.
    pub waiting: usize,
    /// What has happened since the start, in requests.
    pub tally: TallyStatus,
    /// Every pool instance.
    pub pools: Vec<PoolStatus>,
    /// What came of the GETs of each route that shares them.
    pub coalesced: Vec<Coalesced>,
}

/// What has happened since the start, in requests that take from a pool.
#[derive(Debug, Serialize)]
pub struct TallyStatus {
    /// Were given a permit.
    pub granted: u64,
    /// Were refused by the gate.
    pub refused: u64,
    /// Left before their turn.
    pub cancelled: u64,
    /// Were given a permit and never sent.
    pub given_back: u64,
    /// Were sent to the upstream.
    pub sent: u64,
    /// Are over.
    pub landed: u64,
}

/// One pool instance.
#[derive(Debug, Serialize)]
pub struct PoolStatus {
    /// As it is called in the configuration.
    pub name: String,
    /// Which instance of the pool; nothing where it has only one.
    pub key: Option<String>,
    /// Each limit, and what of it is used.
    pub limits: Vec<LimitStatus>,
    /// Granted and not sent yet (cost).
    pub held: u64,
    /// Granted and not over yet (requests).
    pub in_flight: u32,
    /// How many requests wait for it.
    pub waiting: usize,
    /// How long one that comes now would wait.
    pub eta_ms: u64,
}

/// One limit of a pool instance.
#[derive(Debug, Serialize)]
pub struct LimitStatus {
    /// As it is written.
    pub limit: String,
    /// What the trailing window holds.
    pub used: u64,
}

impl Status {
    pub(super) fn new(config: &str, uptime: Duration, pools: &[Pool], now: &Snapshot) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            config: config.to_owned(),
            uptime_s: uptime.as_secs(),
            draining: now.draining,
            waiting: now.waiting,
            tally: now.tally.into(),
            pools: now.instances.iter().map(|state| PoolStatus::new(pools, state)).collect(),
            coalesced: Vec::new(),
        }
    }
}

impl From<Tally> for TallyStatus {
    fn from(tally: Tally) -> Self {
        let Tally { granted, refused, cancelled, given_back, sent, landed } = tally;
        Self { granted, refused, cancelled, given_back, sent, landed }
    }
}

impl PoolStatus {
    fn new(pools: &[Pool], state: &InstanceState) -> Self {
        let limits = state.taken.windows.iter();
        Self {
            name: pools[state.pool.0].name.clone(),
            key: (!state.key.is_empty()).then(|| state.key.to_string()),
            limits: limits.map(|&(limit, used)| LimitStatus { limit: limit.to_string(), used }).collect(),
            held: state.taken.held,
            in_flight: state.taken.in_flight,
            waiting: state.waiting,
            eta_ms: u64::try_from(state.eta.as_millis()).unwrap_or(u64::MAX),
        }
    }
}
