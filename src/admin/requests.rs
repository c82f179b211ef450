//! The requests that wait, each with what it waits for, and the last that ended: `/requests`.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};

use super::AdminState;
use super::clock::TwoClocks;
use super::config_view::ConfigView;
use super::diagnosis::millis;
use super::pool::{counts, label};
use crate::client::Clients;
use crate::gate::{EndedRequest, Gate, KEPT, WaitedFor, WaitingRequest};
use crate::route::method_name;

/// The requests that wait, and the last that ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RequestsStatus {
    /// When this was, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Those in the queue, the oldest first; at most 200.
    pub waiting: Vec<WaitingStatus>,
    /// Those that ended, the newest first, of the last 200.
    pub ended: Vec<EndedStatus>,
}

/// A request in the queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WaitingStatus {
    /// As it is written in the configuration.
    pub route: String,
    /// Its client, by its label.
    pub client: String,
    /// Its client's name of `[clients.names]`; null if it has none.
    pub name: Option<String>,
    /// When it arrived, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// For how long it has waited.
    pub waited_ms: u64,
    /// What it waits for.
    pub waits_for: PoolName,
    /// How many requests of its client that wait for the same came before it.
    pub ahead: usize,
    /// How many requests wait for the same, itself among them.
    pub waiting: usize,
}

/// A request that is over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EndedStatus {
    /// Counts the requests that ended, from 1.
    pub number: u64,
    /// When it ended, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Its method.
    pub method: String,
    /// Its route, as it is written in the configuration.
    pub route: String,
    /// Its client, by its label.
    pub client: String,
    /// Its client's name of `[clients.names]`; null if it has none.
    pub name: Option<String>,
    /// How it ended: `passed`, `refused` by the gate, `failed` at the upstream, or `left` by its client.
    pub ended: String,
    /// The status that the client got; null if it left before.
    pub status: Option<u16>,
    /// The gate's error code, if the gate answered.
    pub code: Option<String>,
    /// Whose answer it got: `upstream`, `tidegate`, or `coalesced` where it was another request's.
    pub source: Option<String>,
    /// How often it was sent.
    pub attempts: u32,
    /// How long it waited in the queue.
    pub wait_ms: u64,
    /// From its last sending to the last byte of the response; null if it was not sent.
    pub upstream_ms: Option<u64>,
    /// From its head to its end.
    pub total_ms: u64,
    /// What it waited for first, or which pool refused it; null if neither.
    pub pool: Option<PoolName>,
}

/// A pool instance by its names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PoolName {
    /// As the pool is called in the configuration.
    pub name: String,
    /// Which instance of it; null where it has only one.
    pub key: Option<String>,
    /// What it counts: `requests`, or `tokens` of a model.
    pub counts: String,
    /// As people speak of it.
    pub label: String,
}

/// Which requests are meant, if not all.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    client: Option<String>,
    route: Option<String>,
    pool: Option<String>,
}

pub(super) async fn requests(
    State(admin): State<Arc<AdminState>>,
    Query(wanted): Query<Wanted>,
) -> Json<RequestsStatus> {
    Json(RequestsStatus::new(&admin.views().config, &admin.gate, &wanted))
}

impl RequestsStatus {
    fn new(config: &ConfigView, gate: &Gate, wanted: &Wanted) -> Self {
        let clock = TwoClocks::read();
        let waiting = WaitingStatus::all(config, gate, clock).into_iter();
        let ended = gate.last_requests();
        let ended = ended.iter().map(|request| EndedStatus::new(config, gate, request, clock));
        Self {
            at_ms: clock.at_ms(),
            waiting: waiting
                .filter(|one| wanted.takes(&one.client, &one.route, Some(&one.waits_for)))
                .take(KEPT)
                .collect(),
            ended: ended.filter(|one| wanted.takes(&one.client, &one.route, one.pool.as_ref())).collect(),
        }
    }
}

impl WaitingStatus {
    fn all(config: &ConfigView, gate: &Gate, clock: TwoClocks) -> Vec<Self> {
        let requests: Vec<(WaitingRequest, WaitedFor)> = gate.waiting_requests();
        let mut waiting: HashMap<&WaitedFor, usize> = HashMap::new();
        requests.iter().for_each(|(_, pool)| *waiting.entry(pool).or_default() += 1);
        let mut of_client = HashMap::new();
        let told = requests.iter().map(|(request, pool)| {
            let before: &mut usize = of_client.entry((request.client, pool)).or_default();
            let ahead = *before;
            *before += 1;
            let arrived = request.arrived.into_std();
            Self {
                route: config.routes.route(request.route).name.clone(),
                client: Clients::label(request.client),
                name: gate.called(request.client),
                at_ms: clock.ms_at(arrived),
                waited_ms: millis(clock.now.saturating_duration_since(arrived)),
                waits_for: PoolName::new(config, pool),
                ahead,
                waiting: waiting[pool],
            }
        });
        told.collect()
    }
}

impl EndedStatus {
    fn new(config: &ConfigView, gate: &Gate, request: &EndedRequest, clock: TwoClocks) -> Self {
        let EndedRequest { number, at, outcome, waited_for } = request;
        let refused_by = outcome.pool.map(|pool| (pool, Arc::from("")));
        let pool = waited_for.clone().or(refused_by);
        Self {
            number: *number,
            at_ms: clock.ms_at(at.into_std()),
            method: method_name(outcome.method.as_str()).to_owned(),
            route: config.routes.route(outcome.route).name.clone(),
            client: Clients::label(outcome.client),
            name: gate.called(outcome.client),
            ended: outcome.end.name().to_owned(),
            status: outcome.status,
            code: outcome.code.map(str::to_owned),
            source: outcome.source.map(|source| source.name().to_owned()),
            attempts: outcome.attempts,
            wait_ms: millis(outcome.wait),
            upstream_ms: outcome.upstream.map(millis),
            total_ms: millis(outcome.total),
            pool: pool.map(|pool| PoolName::new(config, &pool)),
        }
    }
}

impl PoolName {
    fn new(config: &ConfigView, (pool, key): &WaitedFor) -> Self {
        let pool = &config.pools[pool.0];
        Self {
            name: pool.name.clone(),
            key: (!key.is_empty()).then(|| key.to_string()),
            counts: counts(pool).to_owned(),
            label: label(&pool.name, key, counts(pool)),
        }
    }
}

impl Wanted {
    fn takes(&self, client: &str, route: &str, pool: Option<&PoolName>) -> bool {
        let is = |wanted: &Option<String>, own: &str| wanted.as_deref().is_none_or(|wanted| wanted == own);
        let of_pool = self
            .pool
            .as_deref()
            .is_none_or(|wanted| pool.is_some_and(|pool| pool.name == wanted || pool.label == wanted));
        is(&self.client, client) && is(&self.route, route) && of_pool
    }
}
