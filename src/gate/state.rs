use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use governor::clock::DefaultClock;
use rustls::ServerConfig;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::answers::FailureStreak;
use super::hops::Hops;
use super::labels::Labels;
use super::observer::{ObservedCounts, Observer};
use super::request_log::{EndedRequest, RequestLog, WaitedFor, WaitingRequest};
use super::sharing::{Coalesced, Sharing};
use super::stats::{RefusalKey, RequestCounts, RequestStats};
use crate::admission::{Admission, ClientId};
use crate::client::{AllowedHosts, ClientQuota, Clients, TypicalLatency};
use crate::config::{Config, Pool};
use crate::hints::Meanings;
use crate::limit::Rate;
use crate::replicas::ReplicaView;
use crate::route::Table;
use crate::telemetry::{OpenError, Telemetry};
use crate::upstream::{Budget, SetupError, Upstream};

/// A gate that serves. It is cheap to clone; all clones are the same gate, under the configuration that was in force when the
/// first of them was made ([`Gate::now`]).
#[derive(Clone)]
pub struct Gate {
    state: Arc<GateState>,
}

/// Why there is no gate.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The upstream cannot be used.
    #[error(transparent)]
    Upstream(#[from] SetupError),
    /// The access log or the traces cannot be written.
    #[error(transparent)]
    Telemetry(#[from] OpenError),
}

/// What all requests share under one configuration. What is counted goes on under the next.
pub struct GateState {
    /// 1 at the start, and one more with each configuration that took over.
    pub(super) generation: u64,
    latest: Arc<LatestGate>,
    pub(super) routes: Arc<Table>,
    /// As the gate was started: names, units and keys, which stay.
    pub(super) pools: Vec<Pool>,
    /// As they are in force.
    shown: Arc<RwLock<Arc<Vec<Pool>>>>,
    pub(super) labels: Labels,
    pub(super) hops: Arc<Hops>,
    pub(super) clients: Clients,
    /// The names and the web pages that the gate adds its key for.
    pub(super) allowed_hosts: AllowedHosts,
    pub(super) quota: Option<Arc<ClientQuota<DefaultClock>>>,
    pub(super) admission: Admission,
    pub(super) upstream: Arc<Upstream>,
    pub(super) tls: Option<Arc<ServerConfig>>,
    /// How many bytes of one body are read ahead.
    pub(super) buffer: usize,
    /// How long a client may send or take nothing of what is under way.
    pub(super) stall: Duration,
    /// The bytes that all bodies which were read ahead may take.
    pub(super) bodies: Budget,
    /// How many requests may be in flight.
    pub(super) in_flight: Budget,
    pub(super) typical_latency: TypicalLatency,
    /// What the upstream means by its error codes, where the configuration says so.
    pub(super) meanings: Meanings,
    pub(super) telemetry: Arc<Telemetry>,
    /// After so long in the queue the log mentions a request.
    pub(super) log_wait: Duration,
    pub(super) sharing: Sharing,
    /// None if nothing is only observed.
    pub(super) observer: Option<Observer>,
    pub(super) connections: Arc<ConnectionCounter>,
    pub(super) stats: RequestStats,
    pub(super) requests: Arc<RequestLog>,
    /// Connections that turned into WebSockets.
    pub(super) relays: TaskTracker,
    /// Ends them, when draining has lasted long enough.
    pub(super) cut: CancellationToken,
    /// How limits are shared with other gates, if they are.
    replicas: Arc<OnceLock<ReplicaView>>,
}

/// The gate under the configuration in force, once that is another than at the start.
#[derive(Default)]
struct LatestGate {
    /// Its generation, so that nothing is locked as long as that is known.
    generation: AtomicU64,
    gate: RwLock<Option<Gate>>,
}

impl GateState {
    pub(super) fn new(config: &Config) -> Result<Self, StartError> {
        let clients = Clients::new(&config.clients);
        let latest = LatestGate { generation: AtomicU64::new(1), gate: RwLock::default() };
        Ok(Self {
            generation: 1,
            latest: Arc::new(latest),
            routes: Arc::clone(&config.routes),
            pools: config.pools.clone(),
            shown: Arc::new(RwLock::new(Arc::new(config.pools.clone()))),
            labels: Labels::new(&config.routes, &config.pools),
            hops: Arc::new(Hops::new()),
            quota: quota(config.clients.quota),
            admission: Admission::start(config.settings().rules(&clients)),
            clients,
            allowed_hosts: config.server.allowed_hosts.clone(),
            upstream: Arc::new(Upstream::new(&config.upstream)?),
            tls: config.server.tls.clone(),
            buffer: config.queue.buffer,
            stall: config.server.stall_timeout,
            bodies: Budget::new(config.queue.max_bytes),
            in_flight: Budget::new(config.queue.max_in_flight),
            typical_latency: TypicalLatency::new(&config.routes),
            meanings: Meanings::new(config.upstream.refusals.clone()),
            telemetry: Arc::new(Telemetry::open(&config.log)?),
            log_wait: config.queue.log_wait,
            sharing: Sharing::new(&config.routes),
            observer: Observer::new(config),
            connections: Arc::default(),
            stats: RequestStats::new(&config.routes),
            requests: Arc::default(),
            relays: TaskTracker::new(),
            cut: CancellationToken::new(),
            replicas: Arc::default(),
        })
    }

    /// Under another configuration, whose pools and routes have the numbers that they have here.
    fn following(&self, config: &Config, is_upstream_changed: bool) -> Result<Self, StartError> {
        let upstream =
            if is_upstream_changed { Arc::new(Upstream::new(&config.upstream)?) } else { Arc::clone(&self.upstream) };
        let is_same_quota = config.clients.quota == self.quota.as_ref().map(|quota| quota.rate());
        Ok(Self {
            generation: self.generation + 1,
            latest: Arc::clone(&self.latest),
            routes: Arc::clone(&config.routes),
            pools: self.pools.clone(),
            shown: Arc::clone(&self.shown),
            labels: Labels::new(&config.routes, &config.pools),
            hops: Arc::clone(&self.hops),
            clients: Clients::new(&config.clients),
            allowed_hosts: config.server.allowed_hosts.clone(),
            quota: if is_same_quota { self.quota.clone() } else { quota(config.clients.quota) },
            admission: self.admission.clone(),
            upstream,
            tls: config.server.tls.clone(),
            buffer: config.queue.buffer,
            stall: config.server.stall_timeout,
            bodies: self.bodies.clone(),
            in_flight: self.in_flight.clone(),
            typical_latency: self.typical_latency.following(&config.routes),
            meanings: Meanings::new(config.upstream.refusals.clone()),
            telemetry: Arc::clone(&self.telemetry),
            log_wait: config.queue.log_wait,
            sharing: self.sharing.following(&config.routes),
            observer: match &self.observer {
                Some(observer) => observer.following(config),
                None => Observer::new(config),
            },
            connections: Arc::clone(&self.connections),
            requests: Arc::clone(&self.requests),
            stats: self.stats.following(&config.routes),
            relays: self.relays.clone(),
            cut: self.cut.clone(),
            replicas: Arc::clone(&self.replicas),
        })
    }
}

fn quota(rate: Option<Rate>) -> Option<Arc<ClientQuota<DefaultClock>>> {
    rate.and_then(|rate| ClientQuota::new(rate, DefaultClock::default())).map(Arc::new)
}

impl Gate {
    /// A gate with this configuration. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`StartError`]: something cannot be used as configured.
    pub fn start(config: &Config) -> Result<Self, StartError> {
        Ok(Self { state: Arc::new(GateState::new(config)?) })
    }

    /// Where requests are logged.
    #[must_use]
    pub fn telemetry(&self) -> &Telemetry {
        &self.state.telemetry
    }

    /// The pools with the limits that are in force.
    #[must_use]
    pub fn shown_pools(&self) -> Arc<Vec<Pool>> {
        Arc::clone(&self.state.shown.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The gate under another configuration, whose pools and routes have the numbers that they have here. It is not in force.
    ///
    /// # Errors
    /// [`StartError`]: something cannot be used as configured.
    pub fn following(&self, config: &Config, is_upstream_changed: bool) -> Result<Self, StartError> {
        Ok(Self { state: Arc::new(self.now().state.following(config, is_upstream_changed)?) })
    }

    /// This configuration takes over, with the gate that [follows](Self::following) by it, for all requests that come from now
    /// on. Those that are under way or wait end under the one that they came under, but for the limits of their pools.
    pub fn take_over(&self, gate: Self, config: &Config) {
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config.pools.clone());
        self.admission().reload(config.settings().rules(&gate.clients));
        let generation = gate.generation;
        *self.latest.gate.write().unwrap_or_else(PoisonError::into_inner) = Some(gate);
        self.latest.generation.store(generation, Ordering::Release);
    }

    /// The gate under the configuration in force.
    #[must_use]
    pub fn now(&self) -> Self {
        self.with_now(Self::clone)
    }

    /// The same, without a clone.
    pub(super) fn with_now<T>(&self, ask: impl FnOnce(&Self) -> T) -> T {
        if self.latest.generation.load(Ordering::Acquire) == self.generation {
            return ask(self);
        }
        let latest = self.latest.gate.read().unwrap_or_else(PoisonError::into_inner).clone();
        ask(latest.as_ref().unwrap_or(self))
    }

    /// Its limits are shared with other gates from now on, and this is how.
    pub fn shares(&self, view: ReplicaView) {
        drop(self.state.replicas.set(view));
    }

    /// How its limits are shared with other gates, if they are.
    #[must_use]
    pub fn replicas(&self) -> Option<&ReplicaView> {
        self.state.replicas.get()
    }

    /// Where requests wait.
    #[must_use]
    pub fn admission(&self) -> &Admission {
        &self.state.admission
    }

    /// What people call a client, if the configuration says it.
    #[must_use]
    pub fn called(&self, client: ClientId) -> Option<String> {
        self.with_now(|gate| gate.clients.called(client).map(str::to_owned))
    }

    /// How many connections of clients there are and have been.
    #[must_use]
    pub fn connections(&self) -> ConnectionCounts {
        self.state.connections.counts()
    }

    /// How many bytes of bodies are buffered, and how many may be.
    #[must_use]
    pub fn buffered(&self) -> (u64, u64) {
        (self.bodies.held(), self.bodies.most())
    }

    /// What came of the requests of each route, in the order of the table.
    #[must_use]
    pub fn by_route(&self) -> Vec<RequestCounts> {
        self.stats.routes()
    }

    /// The responses of each route that were errors, since its last success, in the order of the table.
    #[must_use]
    pub fn errors(&self) -> Vec<FailureStreak> {
        self.stats.errors()
    }

    /// The requests that got no response of the upstream, since the last response.
    #[must_use]
    pub fn obstacles(&self) -> FailureStreak {
        self.stats.obstacles()
    }

    /// What came of the requests of each client that is counted apart, the busiest first; and of all others.
    #[must_use]
    pub fn by_client(&self) -> (Vec<(ClientId, RequestCounts)>, RequestCounts) {
        self.stats.clients()
    }

    /// The last requests that ended, the newest first.
    #[must_use]
    pub fn last_requests(&self) -> Vec<EndedRequest> {
        self.requests.last()
    }

    /// The requests that wait, the oldest first, each with what it waits for.
    #[must_use]
    pub fn waiting_requests(&self) -> Vec<(WaitingRequest, WaitedFor)> {
        self.requests.waiting(self.admission())
    }

    /// How many requests the gate has refused, and why.
    #[must_use]
    pub fn refusals(&self) -> Vec<(RefusalKey, u64)> {
        self.stats.refusals()
    }

    /// Whether the whole gate only observes.
    #[must_use]
    pub fn only_observes(&self) -> bool {
        self.observer.as_ref().is_some_and(Observer::is_whole)
    }

    /// What would have been done with the requests of each route, in the order of the table; nothing where nothing is
    /// observed.
    #[must_use]
    pub fn observed(&self) -> Vec<ObservedCounts> {
        self.observer.as_ref().map(Observer::counts).unwrap_or_default()
    }

    /// How many requests would have been refused, and why.
    #[must_use]
    pub fn observed_refusals(&self) -> Vec<(RefusalKey, u64)> {
        self.observer.as_ref().map(Observer::refusals).unwrap_or_default()
    }

    /// What came of the GETs of each route that shares calls.
    #[must_use]
    pub fn coalesced(&self) -> Vec<Coalesced> {
        self.sharing.coalesced(&self.routes)
    }
}

impl Deref for Gate {
    type Target = GateState;

    fn deref(&self) -> &GateState {
        &self.state
    }
}

/// Counts connections of clients as they come and go.
#[derive(Debug, Default)]
pub(super) struct ConnectionCounter {
    opened: AtomicU64,
    closed: AtomicU64,
}

/// One connection, until it is dropped.
pub(super) struct ConnectionGuard<'c>(&'c ConnectionCounter);

/// How many connections of clients there are and have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionCounts {
    /// Are open.
    pub open: u64,
    /// Were closed.
    pub closed: u64,
}

impl ConnectionCounter {
    pub(super) fn open(&self) -> ConnectionGuard<'_> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        ConnectionGuard(self)
    }

    /// Reads what closed first: whatever is in there has opened, so none is missed that is closing.
    pub(super) fn counts(&self) -> ConnectionCounts {
        let closed = self.closed.load(Ordering::Acquire);
        ConnectionCounts { open: self.opened.load(Ordering::Relaxed).saturating_sub(closed), closed }
    }
}

impl Drop for ConnectionGuard<'_> {
    fn drop(&mut self) {
        self.0.closed.fetch_add(1, Ordering::Release);
    }
}
