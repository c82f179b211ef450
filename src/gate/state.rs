use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use governor::clock::DefaultClock;
use rustls::ServerConfig;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::StartError;
use super::response::Labels;
use super::sharing::Sharing;
use super::stats::RequestStats;
use crate::admission::Admission;
use crate::client::{ClientQuota, Clients, TypicalLatency};
use crate::config::{Config, Pool};
use crate::hints::Meanings;
use crate::route::Table;
use crate::telemetry::Telemetry;
use crate::upstream::{Budget, Upstream};

/// What all requests share.
pub struct GateState {
    pub(super) routes: Arc<Table>,
    pub(super) pools: Vec<Pool>,
    pub(super) labels: Labels,
    pub(super) clients: Clients,
    pub(super) quota: Option<ClientQuota<DefaultClock>>,
    pub(super) admission: Admission,
    pub(super) upstream: Upstream,
    pub(super) tls: Option<Arc<ServerConfig>>,
    /// How many bytes of one body are read ahead.
    pub(super) buffer: usize,
    /// The bytes that all bodies which were read ahead may take.
    pub(super) bodies: Budget,
    /// How many requests may be in flight.
    pub(super) in_flight: Budget,
    pub(super) typical_latency: TypicalLatency,
    /// What the upstream means by its error codes, where the configuration says so.
    pub(super) meanings: Meanings,
    pub(super) telemetry: Telemetry,
    /// After so long in the queue the log mentions a request.
    pub(super) log_wait: std::time::Duration,
    pub(super) sharing: Sharing,
    pub(super) connections: ConnectionCounter,
    pub(super) stats: RequestStats,
    /// Connections that turned into WebSockets.
    pub(super) relays: TaskTracker,
    /// Ends them, when draining has lasted long enough.
    pub(super) cut: CancellationToken,
}

impl GateState {
    pub(super) fn new(config: &Config) -> Result<Self, StartError> {
        let clients = Clients::new(&config.clients);
        Ok(Self {
            routes: Arc::clone(&config.routes),
            pools: config.pools.clone(),
            labels: Labels::new(&config.routes, &config.pools),
            quota: config.clients.quota.and_then(|rate| ClientQuota::new(rate, DefaultClock::default())),
            admission: Admission::start(config.settings().rules(&clients)),
            clients,
            upstream: Upstream::new(&config.upstream)?,
            tls: config.server.tls.clone(),
            buffer: config.queue.buffer,
            bodies: Budget::new(config.queue.max_bytes),
            in_flight: Budget::new(config.queue.max_in_flight),
            typical_latency: TypicalLatency::new(&config.routes),
            meanings: Meanings::new(config.upstream.refusals.clone()),
            telemetry: Telemetry::open(&config.log)?,
            log_wait: config.queue.log_wait,
            sharing: Sharing::new(&config.routes),
            connections: ConnectionCounter::default(),
            stats: RequestStats::new(&config.routes),
            relays: TaskTracker::new(),
            cut: CancellationToken::new(),
        })
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
