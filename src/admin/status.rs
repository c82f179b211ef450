use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::clock::TwoClocks;
use super::config_view::ConfigView;
use super::counts::{ClientStatus, RouteStatus};
use super::event::EventStatus;
use super::observed::ObservedStatus;
use super::pool::{PoolStatus, counts};
use super::recent::RecentAnswers;
use super::trouble::{MetLately, Trouble};
use super::worst::Worst;
use crate::admission::{InstanceState, RequestTotals, Snapshot};
use crate::gate::{Coalesced, ConnectionCounts, Gate, RefusalKey};
use crate::hints::RefusalCause;
use crate::limit::PoolId;
use crate::reload::ReloadStatus;
use crate::replicas::{ReplicaStatus, ReplicaView};

/// What `schema` says; another one where something is gone or means something else.
pub const SCHEMA: u32 = 1;

/// The state of the gate, as `/status` says it. Times are in milliseconds unless the name says otherwise.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Status {
    /// The version of this form: 1. Within one, fields are added and none is taken away.
    pub schema: u32,
    /// Tidegate's own.
    pub version: String,
    /// Where the configuration comes from.
    pub config: String,
    /// The first 16 digits of the SHA-256 of its text.
    pub config_hash: String,
    /// Which part of every limit of the account is this gate's, as in `1/3`; the limits below are this part. Null if all is.
    pub share: Option<String>,
    /// How the limits are shared with other gates through a store; null if they are not.
    pub replicas: Option<ReplicaStatus>,
    /// What became of reloads; null if this gate's configuration cannot be reloaded.
    pub reload: Option<ReloadStatus>,
    /// Since the start.
    pub uptime_s: u64,
    /// When this was, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// The gate is stopping.
    pub draining: bool,
    /// How many requests wait.
    pub waiting: usize,
    /// Connections of clients.
    pub connections: ConnectionsStatus,
    /// What is held of bodies.
    pub buffered: BufferedStatus,
    /// What has happened since the start, in requests.
    pub totals: TotalsStatus,
    /// Every pool instance.
    pub pools: Vec<PoolStatus>,
    /// Every route that has had a request.
    pub routes: Vec<RouteStatus>,
    /// The clients that ask most.
    pub clients: Vec<ClientStatus>,
    /// `enforce`, or `observe` where the whole gate only observes.
    pub mode: String,
    /// What would have been done with the requests to pools that are only observed, by route.
    pub observed: Vec<ObservedStatus>,
    /// What would have been refused for them.
    pub observed_refusals: Vec<RefusalStatus>,
    /// What the gate has refused.
    pub refusals: Vec<RefusalStatus>,
    /// What the upstream has refused.
    pub upstream_refusals: Vec<UpstreamRefusalStatus>,
    /// When the upstream refused, in the last hour and at most a hundred times, the newest last.
    pub events: Vec<EventStatus>,
    /// What came of the GETs of each route that shares them.
    pub coalesced: Vec<Coalesced>,
    /// What is the matter, the worst first; not what is within limits.
    pub worst: Vec<Worst>,
}

/// What has happened since the start, in requests that take from a pool.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TotalsStatus {
    /// Were given a permit.
    pub granted: u64,
    /// Were refused by the gate.
    pub refused: u64,
    /// Left before their turn.
    pub cancelled: u64,
    /// Were given a permit and never sent.
    pub refunded: u64,
    /// Were sent to the upstream.
    pub sent: u64,
    /// Are over.
    pub released: u64,
}

/// Connections of clients.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ConnectionsStatus {
    /// Are there.
    pub open: u64,
    /// Have come and gone since the start.
    pub closed: u64,
}

/// What is held of bodies: of requests, for waiting and for sending again, and of answers that are shared.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BufferedStatus {
    /// So much.
    pub bytes: u64,
    /// Of so much at most.
    pub max_bytes: u64,
}

/// What the gate has refused since the start.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RefusalStatus {
    /// For which pool; nothing where it was none.
    pub pool: Option<String>,
    /// As its answers name it.
    pub code: String,
    /// How many requests.
    pub requests: u64,
}

/// What the upstream has refused since the start, as far as it is put down to a pool.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UpstreamRefusalStatus {
    /// To which pool.
    pub pool: String,
    /// What that counts.
    pub counts: String,
    /// What they mean, as in `[upstream.refusals]`.
    pub cause: String,
    /// How many requests.
    pub requests: u64,
}

impl Status {
    pub(super) fn new(
        config: &ConfigView,
        gate: &Gate,
        recent: &RecentAnswers,
        snapshot: &Snapshot,
        uptime: Duration,
    ) -> Self {
        let clock = TwoClocks::read();
        // Of a pool with a key there is nothing without one.
        let exists = |state: &&InstanceState| state.key.is_empty() == config.pools[state.pool.0].key.is_empty();
        let states = snapshot.instances.iter().filter(exists);
        let mut pools: Vec<PoolStatus> = states.map(|state| PoolStatus::new(config, state, snapshot.at)).collect();
        PoolStatus::tell_siblings(&mut pools);
        let (all, routes) = MetLately::of(config, gate, recent);
        let troubles = Trouble::find(&all, &routes, &pools, clock.now);
        let worst = Worst::all(config, &mut pools, &troubles, clock.now);
        Self {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            config: config.source.clone(),
            config_hash: config.hash.clone(),
            share: config.share.clone(),
            replicas: gate.replicas().map(ReplicaView::status),
            reload: None,
            uptime_s: uptime.as_secs(),
            at_ms: clock.at_ms(),
            draining: snapshot.draining,
            waiting: snapshot.waiting,
            connections: gate.connections().into(),
            buffered: gate.buffered().into(),
            totals: snapshot.totals.into(),
            worst,
            pools,
            routes: RouteStatus::all(config, gate),
            clients: ClientStatus::all(gate),
            mode: if gate.only_observes() { "observe" } else { "enforce" }.to_owned(),
            observed: ObservedStatus::all(config, gate),
            observed_refusals: gate
                .observed_refusals()
                .into_iter()
                .map(|refusal| RefusalStatus::new(config, refusal))
                .collect(),
            refusals: gate.refusals().into_iter().map(|refusal| RefusalStatus::new(config, refusal)).collect(),
            upstream_refusals: snapshot.refusals.iter().map(|&one| UpstreamRefusalStatus::new(config, one)).collect(),
            events: EventStatus::all(config, snapshot, clock),
            coalesced: gate.coalesced(),
        }
    }

    /// The same with the pools of this name only.
    #[must_use]
    pub fn of_pool(mut self, name: &str) -> Self {
        self.pools.retain(|pool| pool.name == name);
        self
    }
}

/// The JSON schema of [`Status`]. A test holds it against the types.
pub const STATUS_SCHEMA: &str = include_str!("../../docs/status.schema.json");

impl From<RequestTotals> for TotalsStatus {
    fn from(totals: RequestTotals) -> Self {
        let RequestTotals { granted, refused, cancelled, refunded, sent, released } = totals;
        Self { granted, refused, cancelled, refunded, sent, released }
    }
}

impl From<ConnectionCounts> for ConnectionsStatus {
    fn from(ConnectionCounts { open, closed }: ConnectionCounts) -> Self {
        Self { open, closed }
    }
}

impl From<(u64, u64)> for BufferedStatus {
    fn from((bytes, max_bytes): (u64, u64)) -> Self {
        Self { bytes, max_bytes }
    }
}

impl RefusalStatus {
    fn new(config: &ConfigView, ((pool, code), requests): (RefusalKey, u64)) -> Self {
        let pool = pool.map(|pool| config.pools[pool.0].name.clone());
        Self { pool, code: code.to_owned(), requests }
    }
}

impl UpstreamRefusalStatus {
    fn new(config: &ConfigView, (pool, cause, requests): (PoolId, RefusalCause, u64)) -> Self {
        let pool = &config.pools[pool.0];
        Self { pool: pool.name.clone(), counts: counts(pool).to_owned(), cause: cause.to_string(), requests }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schema_describes_the_types() {
        let of_types = format!("{:#}\n", schemars::schema_for!(Status).as_value());
        let path = "docs/status.schema.json";
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, &of_types).expect("it can be written");
        }
        assert!(of_types == STATUS_SCHEMA, "{path} is out of date: UPDATE=1 cargo test --lib schema_describes");
    }
}
