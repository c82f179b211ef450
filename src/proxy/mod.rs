//! The forwarding proxy: one request from accept to last byte. [`stack`] is the way through, [`server`] and
//! [`connection`] the door.

mod admit;
mod answer;
mod applicant;
mod books;
mod classify;
mod client;
mod coalesce;
mod connection;
mod ending;
mod failure;
mod flight;
mod forward;
mod headers;
mod hold;
mod keepalive;
mod line;
mod outcome;
mod passing;
mod patience;
mod peeked;
mod polling;
mod quota;
mod relay;
mod resend;
mod seen;
mod server;
mod sharing;
mod socket;
mod stack;
mod strict;
mod times;
mod told;
mod under_way;
mod whole;

pub use books::{Counted, Refused};
pub use client::Clients;
pub use failure::describe;
pub use outcome::{Ended, Outcome, Source};
pub use patience::patience;
pub use quota::Quota;
pub use seen::Connections;
pub use server::run;
pub use sharing::Coalesced;
pub use times::Spread;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use governor::clock::DefaultClock;
use rustls::ServerConfig;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admission::{Admission, Rules};
use crate::config::{Config, Pool};
use crate::feedback::Meanings;
use crate::limit::Unit;
use crate::log::{Logs, Unopened};
use crate::route::{Route, RouteId, Table};
use crate::upstream::{Budget, SetupError, Upstream};
use answer::Labels;
use books::Books;
use patience::Usual;
use seen::Doorbell;
use sharing::Sharing;

/// Everything the way through needs, shared by all requests.
#[derive(Clone)]
pub struct Gate {
    shared: Arc<Shared>,
}

struct Shared {
    routes: Arc<Table>,
    pools: Vec<Pool>,
    labels: Labels,
    clients: Clients,
    quota: Option<Quota>,
    admission: Admission,
    upstream: Upstream,
    tls: Option<Arc<ServerConfig>>,
    buffer: usize,
    /// What may be held of bodies, in bytes.
    bodies: Budget,
    /// Who may be under way past the wait.
    under_way: Budget,
    usual: Usual,
    /// What the upstream means by its codes, where that is something else.
    meanings: Meanings,
    /// The routes that take from a pool of tokens, so that their answers are read for what they have cost.
    metered: HashSet<RouteId>,
    /// Who is told of each request.
    logs: Logs,
    log_wait: Duration,
    /// The routes on which those who wait for a stream hear something this often.
    keepalive: HashMap<RouteId, Duration>,
    /// Who shares whose call.
    sharing: Sharing,
    /// Connections as they come and go.
    doorbell: Doorbell,
    /// What has come of all requests.
    books: Books,
    /// Connections that have left HTTP.
    relays: TaskTracker,
    /// Their end, when draining has lasted long enough.
    cut: CancellationToken,
}

/// Why there is no gate.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The upstream cannot be used.
    #[error(transparent)]
    Upstream(#[from] SetupError),
    /// What is told of requests would go nowhere.
    #[error(transparent)]
    Log(#[from] Unopened),
}

impl Gate {
    /// A gate with this configuration. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`StartError`]: something cannot be used as configured.
    pub fn start(config: &Config) -> Result<Self, StartError> {
        let clients = Clients::new(&config.clients);
        let shared = Shared {
            routes: Arc::clone(&config.routes),
            pools: config.pools.clone(),
            labels: Labels::new(&config.routes, &config.pools),
            quota: Quota::new(&config.clients, DefaultClock::default()),
            admission: Admission::start(rules(config, &clients)),
            clients,
            upstream: Upstream::new(&config.upstream)?,
            tls: config.server.tls.clone(),
            buffer: config.queue.buffer,
            bodies: Budget::new(config.queue.max_bytes),
            under_way: Budget::new(config.queue.max_in_flight),
            usual: Usual::new(&config.routes),
            meanings: Meanings::new(config.upstream.refusals.clone()),
            metered: metered(config),
            logs: Logs::open(&config.log)?,
            log_wait: config.queue.log_wait,
            keepalive: config.keepalive.clone(),
            sharing: Sharing::new(&config.coalesce),
            doorbell: Doorbell::default(),
            books: Books::new(&config.routes),
            relays: TaskTracker::new(),
            cut: CancellationToken::new(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Who is told of each request.
    #[must_use]
    pub fn logs(&self) -> &Logs {
        &self.shared.logs
    }

    /// Who goes when.
    #[must_use]
    pub fn admission(&self) -> &Admission {
        &self.shared.admission
    }
}

fn metered(config: &Config) -> HashSet<RouteId> {
    let takes_tokens =
        |route: &Route| route.charges.iter().any(|charge| config.pools[charge.pool.0].limits.unit == Unit::Tokens);
    config.routes.routes().filter(|(_, route)| takes_tokens(route)).map(|(id, _)| id).collect()
}

/// What the scheduler is told of a configuration.
#[must_use]
pub fn rules(config: &Config, clients: &Clients) -> Rules {
    let pools = config.pools.iter().map(|pool| (pool.limits.clone(), pool.rules()));
    Rules {
        pools: pools.collect(),
        max_waiting: config.queue.max_waiting,
        weights: clients.weights().clone(),
        ageing: config.queue.ageing,
    }
}
