//! Configuration: the file as it is written ([`mod@file`]), checked into the program's own valid form ([`Config`]).
//!
//! Whatever is wrong is said at once, all of it, with file, line, column and the mend ([`Invalid`](crate::problem::Invalid)).

mod change;
mod check;
mod difference;
mod environment;
mod exposure;
mod file;
mod hash;
mod key_variable;
mod load;
mod overlay;
mod pem;
mod proxy;
mod redact;
mod schema;
mod shared_store;
mod source;
mod spanned;
mod url;
mod variables;

pub use crate::settings::PoolSettings as Pool;
pub use change::Change;
pub use difference::{Difference, NeedsRestart};
pub use environment::Environment;
pub use exposure::exposures;
pub use key_variable::KeyVariable;
pub use load::LoadError;
pub use proxy::{ProxyChoice, ProxyUrl};
pub use schema::SCHEMA;
pub use shared_store::{InvalidStoreUrl, SharedStore, StorePassword, StoreUrl};
pub use source::Source;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::{RootCertStore, ServerConfig};

use crate::client::{AllowedHosts, ClientSettings};
use crate::hints::RefusalCause;
use crate::limit::{Learn, PoolId, Rate, Share, Unit};
use crate::meter::scaled;
use crate::route::Table;
use crate::settings::Settings;

/// The configuration that serves when there is no file, and that `tidegate init` prints.
pub const DEFAULT: &str = include_str!("../../config/default.toml");

/// A valid configuration.
#[derive(Debug)]
pub struct Config {
    /// Where it comes from.
    pub source: Source,
    /// A hash of its text.
    pub hash: String,
    /// The environment variables that it uses.
    pub environment: Vec<String>,
    /// How its pools and routes differ from the built-in ones.
    pub changes: Vec<Change>,
    /// The whole gate only observes: it counts what it would do, and sends every request at once.
    pub is_observed: bool,
    /// The gate's own addresses.
    pub server: Server,
    /// Where requests go.
    pub upstream: UpstreamConfig,
    /// How requests wait.
    pub queue: QueueConfig,
    /// How clients are told apart and what each may send.
    pub clients: ClientSettings,
    /// What is told of each request.
    pub log: LogConfig,
    /// What is kept over a restart.
    pub store: StoreConfig,
    /// Where limits are shared with other gates, if they are.
    pub shared: Option<SharedStore>,
    /// Which part of every limit of the account is this gate's.
    pub share: Share,
    /// The pools; [`PoolId`] counts them.
    pub pools: Vec<Pool>,
    /// What matches what.
    pub routes: Arc<Table>,
}

/// The gate's own addresses, and how it stops.
#[derive(Clone, Debug)]
pub struct Server {
    /// For apps.
    pub listen: SocketAddr,
    /// For people and probes; nothing is "off".
    pub admin: Option<SocketAddr>,
    /// The names that the gate goes by, and the web pages that may use it, beside its own addresses.
    pub allowed_hosts: AllowedHosts,
    /// How long answers under way may take to end once the gate is told to stop.
    pub drain: Duration,
    /// How long a client may send or take nothing of what is under way.
    pub stall_timeout: Duration,
    /// Whether the file is reloaded when it changes.
    pub watch: bool,
    /// The gate's own certificate, for apps that speak TLS to it; others go on without.
    pub tls: Option<Arc<ServerConfig>>,
}

/// Where requests go.
#[derive(Clone, Debug)]
pub struct UpstreamConfig {
    /// Scheme, host, port and, if any, the path before every request's own.
    pub url: http::Uri,
    /// Whether it is reached through a proxy.
    pub proxy: ProxyChoice,
    /// The environment variable that holds the key which the gate adds.
    pub api_key_env: Option<KeyVariable>,
    /// How long a connection may take to be made, TLS included.
    pub connect_timeout: Duration,
    /// How long the head of an answer may take.
    pub response_timeout: Duration,
    /// HTTP/2 over this many connections; HTTP/1.1 if nothing.
    pub http2_connections: Option<NonZeroUsize>,
    /// The only certificate authorities to be trusted; the system's if nothing.
    pub authorities: Option<Arc<RootCertStore>>,
    /// What a refusal means here that has this code, or this type where it has no code.
    pub refusals: Vec<(String, RefusalCause)>,
}

/// How requests wait.
#[derive(Clone, Copy, Debug)]
pub struct QueueConfig {
    /// How many may wait, in all.
    pub max_waiting: usize,
    /// How much may be held of bodies, in all, in bytes: until they are sent, or taken where they may be sent again.
    pub max_bytes: u64,
    /// How many may be under way past their wait, in all.
    pub max_in_flight: u64,
    /// How long who is low waits before it counts as normal.
    pub ageing: Duration,
    /// How long a request waits before the log says so.
    pub log_wait: Duration,
    /// How much of a body is read while its request waits, so that a client that leaves is seen to. A whole one of up to
    /// so much is kept to be sent again, while half of `max_bytes` is free.
    pub buffer: usize,
}

/// What is kept over a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// Where.
    pub path: StorePath,
    /// Whether a start that finds nothing there takes every limit for used up.
    pub starts_full: bool,
}

/// Where the state is kept over a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StorePath {
    /// Where the platform keeps such things.
    #[default]
    Usual,
    /// Nowhere.
    Off,
    /// In this file.
    File(PathBuf),
}

/// What is told of each request, beside the log.
#[derive(Clone, Debug, Default)]
pub struct LogConfig {
    /// A line for each, at its end; nothing is "off".
    pub access: Option<AccessLogConfig>,
    /// Where its traces go, over OTLP; nothing is off.
    pub otlp: Option<Collector>,
}

/// The access log.
#[derive(Clone, Debug)]
pub struct AccessLogConfig {
    /// How a line is written.
    pub format: AccessFormat,
    /// The file it is appended to; standard output if nothing.
    pub file: Option<PathBuf>,
    /// The share that is written of those that passed at once, 0.0 to 1.0. All others are.
    pub sample: f64,
}

/// How a line of the access log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessFormat {
    /// For people.
    Text,
    /// An object.
    Json,
}

/// Where traces go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collector {
    traces: http::Uri,
}

impl Config {
    /// The part that decides which request goes when.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            name: self.source.to_string(),
            routes: Arc::clone(&self.routes),
            pools: self.pools.clone(),
            clients: self.clients.clone(),
            max_waiting: self.queue.max_waiting,
            max_in_flight: self.queue.max_in_flight,
            ageing: self.queue.ageing,
        }
    }

    /// The gate's own address, if that is where its upstream's URL leads.
    #[must_use]
    pub fn own_upstream(&self) -> Option<SocketAddr> {
        let own = [Some(self.server.listen), self.server.admin].into_iter().flatten();
        own.into_iter().find(|&own| url::leads_to(&self.upstream.url, own))
    }

    /// Shrinks all windows to an upstream's whose minute is shorter, as that of `mock --minute` is. `of_models` are the limits
    /// that every model has there; a pool by model that has none takes them.
    pub fn shrink(&mut self, minute: Duration, of_models: &[(Unit, Rate)]) {
        for Pool { limits, .. } in &mut self.pools {
            if limits.learn == Learn::Discover {
                limits.requests =
                    of_models.iter().filter(|(unit, _)| *unit == limits.unit).map(|&(_, rate)| rate).collect();
                limits.learn = if limits.requests.is_empty() { Learn::Discover } else { Learn::Tighten };
            }
            limits.requests.iter_mut().for_each(|rate| *rate = rate.in_minutes_of(minute));
            limits.margin = scaled(limits.margin, minute);
        }
        self.clients.quota = self.clients.quota.map(|quota| quota.in_minutes_of(minute));
    }

    /// Whether what is polled takes requests from this pool.
    #[must_use]
    pub fn is_polled(&self, pool: PoolId) -> bool {
        let coalesced = self.routes.routes().filter(|(_, route)| route.coalesce.is_some());
        let mut charges = coalesced.flat_map(|(id, _)| self.routes.charges(id));
        self.pools[pool.0].limits.unit == Unit::Requests && charges.any(|charge| charge.pool == pool)
    }
}

impl UpstreamConfig {
    /// Sends requests somewhere else.
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub fn set_url(&mut self, url: &str) -> Result<(), String> {
        self.url = url::parse_upstream(url)?;
        Ok(())
    }
}

impl Collector {
    /// The one at this URL, which `/v1/traces` is put after, as every OTLP exporter does.
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub fn new(base: &str) -> Result<Self, String> {
        let base = url::parse(base)?;
        Self::of_traces(&format!("{}/v1/traces", base.to_string().trim_end_matches('/')))
    }

    /// The one whose traces go to this very URL.
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub fn of_traces(url: &str) -> Result<Self, String> {
        Ok(Self { traces: url::parse(url)? })
    }

    /// Where it takes traces.
    #[must_use]
    pub fn traces(&self) -> &http::Uri {
        &self.traces
    }
}
