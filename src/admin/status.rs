use std::cmp::Reverse;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::diagnosis::{CaseName, DiagnosisStatus, LearnedStatus, millis};
use crate::admission::{InstanceState, Snapshot, Tally};
use crate::config::Pool;
use crate::limit::Unit;
use crate::proxy::Coalesced;
use crate::route::Table;

/// The state of the gate, as `/status` says it. Times are in milliseconds unless the name says otherwise.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// Tidegate's own.
    pub version: String,
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
    /// What is the matter, the worst first; not what is within limits.
    pub worst: Vec<Worst>,
}

/// Something that is the matter with a pool instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Worst {
    /// As the pool is called in the configuration.
    pub name: String,
    /// Which instance of it; nothing where it has only one.
    pub key: Option<String>,
    /// What is the matter.
    pub case: CaseName,
    /// The same in a sentence or two.
    pub text: String,
}

/// What has happened since the start, in requests that take from a pool.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Serialize, Deserialize)]
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
    /// What it counts: `requests`, or `tokens` of a model.
    pub counts: String,
    /// What has been learned of it, and is in force beside the configuration.
    pub learned: Option<LearnedStatus>,
    /// What is the matter with it.
    pub diagnosis: DiagnosisStatus,
}

/// One limit of a pool instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LimitStatus {
    /// As it is written.
    pub limit: String,
    /// What the trailing window holds.
    pub used: u64,
}

/// How much of what is the matter is named for the whole gate.
const NAMED: usize = 20;

impl Status {
    pub(super) fn new(config: &str, uptime: Duration, pools: &[Pool], routes: &Table, now: &Snapshot) -> Self {
        // Of a pool with a key there is nothing without one.
        let exists = |state: &&InstanceState| state.key.is_empty() == pools[state.pool.0].key.is_empty();
        let states = now.instances.iter().filter(exists);
        let pools: Vec<PoolStatus> = states.map(|state| PoolStatus::new(pools, routes, state, now.at)).collect();
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            config: config.to_owned(),
            uptime_s: uptime.as_secs(),
            draining: now.draining,
            waiting: now.waiting,
            tally: now.tally.into(),
            worst: worst(&pools),
            pools,
            coalesced: Vec::new(),
        }
    }
}

fn worst(pools: &[PoolStatus]) -> Vec<Worst> {
    let mut worst: Vec<&PoolStatus> =
        pools.iter().filter(|pool| pool.diagnosis.case > CaseName::NotEnoughEvidence).collect();
    worst.sort_by_key(|pool| Reverse(pool.diagnosis.case));
    let named = |pool: &PoolStatus| {
        let DiagnosisStatus { case, text, .. } = &pool.diagnosis;
        Worst { name: pool.name.clone(), key: pool.key.clone(), case: *case, text: text.clone() }
    };
    worst.into_iter().take(NAMED).map(named).collect()
}

impl From<Tally> for TallyStatus {
    fn from(tally: Tally) -> Self {
        let Tally { granted, refused, cancelled, given_back, sent, landed } = tally;
        Self { granted, refused, cancelled, given_back, sent, landed }
    }
}

impl PoolStatus {
    /// As people speak of it: the pool, which instance of it, and what it counts where that is not requests.
    #[must_use]
    pub fn label(&self) -> String {
        let parts = self.key.iter().flat_map(|key| key.split(' ')).filter(|part| *part != "-");
        let key: String = parts.flat_map(|part| [" ", part]).collect();
        let counts = if self.counts == "requests" { String::new() } else { format!(" ({})", self.counts) };
        format!("{}{key}{counts}", self.name)
    }

    fn new(pools: &[Pool], routes: &Table, state: &InstanceState, now: Instant) -> Self {
        let (pool, limits) = (&pools[state.pool.0], state.taken.windows.iter());
        Self {
            name: pool.name.clone(),
            key: (!state.key.is_empty()).then(|| state.key.to_string()),
            limits: limits.map(|&(limit, used)| LimitStatus { limit: limit.to_string(), used }).collect(),
            held: state.taken.held,
            in_flight: state.taken.in_flight,
            waiting: state.waiting,
            eta_ms: millis(state.eta),
            counts: if pool.limits.unit == Unit::Tokens { "tokens" } else { "requests" }.to_owned(),
            learned: state.taken.learned.as_ref().map(|learned| LearnedStatus::new(pool, learned, now)),
            diagnosis: DiagnosisStatus::new(pool, routes, state, now),
        }
    }
}
