//! Configuration: the file as it is written ([`mod@file`]), checked into the program's own valid form ([`Config`]).
//!
//! Whatever is wrong is said at once, all of it, with file, line, column and the mend ([`Invalid`]).

mod check;
mod file;
mod hash;
mod load;
mod pem;
mod redact;
mod report;
mod source;
mod url;

pub use load::LoadError;
pub use report::{Invalid, Problem};
pub use source::Source;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::{RootCertStore, ServerConfig};

use crate::feedback::Cause;
use crate::limit::{Limits, PoolId, Rate, Unit};
use crate::refusal::PoolText;
use crate::route::{KeyPart, RouteId, Table};
use crate::scheduler::PoolRules;

/// The configuration that serves when there is no file, and that `tidegate init` prints.
pub const DEFAULT: &str = include_str!("../../config/default.toml");

/// A valid configuration.
#[derive(Debug)]
pub struct Config {
    /// Where it comes from.
    pub source: Source,
    /// A hash of its text.
    pub hash: String,
    /// The gate's own addresses.
    pub server: Server,
    /// Where requests go.
    pub upstream: UpstreamConfig,
    /// How requests wait.
    pub queue: QueueConfig,
    /// How clients are told apart and what each may send.
    pub clients: ClientsConfig,
    /// What is told of each request.
    pub log: LogConfig,
    /// The pools; [`PoolId`] counts them.
    pub pools: Vec<Pool>,
    /// What matches what.
    pub routes: Arc<Table>,
    /// The routes on which those who wait for a stream are kept alive, and how often they hear something.
    pub keepalive: HashMap<RouteId, Duration>,
    /// The routes on which identical GETs share one call.
    pub coalesce: HashMap<RouteId, CoalesceConfig>,
}

/// The gate's own addresses, and how it stops.
#[derive(Clone, Debug)]
pub struct Server {
    /// For apps.
    pub listen: SocketAddr,
    /// For people and probes; nothing is "off".
    pub admin: Option<SocketAddr>,
    /// How long answers under way may take to end once the gate is told to stop.
    pub drain: Duration,
    /// The gate's own certificate, for apps that speak TLS to it; others go on without.
    pub tls: Option<Arc<ServerConfig>>,
}

/// Where requests go.
#[derive(Clone, Debug)]
pub struct UpstreamConfig {
    /// Scheme, host, port and, if any, the path before every request's own.
    pub url: http::Uri,
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
    pub refusals: Vec<(String, Cause)>,
    /// Where what is learned is kept over a restart.
    pub learned_file: Option<PathBuf>,
}

/// The name of an environment variable that holds a key. It may be the key itself, pasted there by mistake.
#[derive(Clone)]
pub struct KeyVariable {
    name: String,
    place: String,
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

/// How clients are told apart and what each may send.
#[derive(Clone, Debug, Default)]
pub struct ClientsConfig {
    /// What each client may send; nothing is no limit.
    pub quota: Option<Rate>,
    /// What tells clients apart.
    pub by: Vec<ClientKey>,
    /// The share of each that has more than one: by its name, which is what `by` sees of it, or by its label.
    pub weights: Vec<(String, NonZeroU32)>,
    /// Whether a client may go before others that its route puts it behind.
    pub may_raise: bool,
}

/// One part of what tells clients apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientKey {
    /// The value of this header.
    Header(http::HeaderName),
    /// The address the connection comes from.
    Peer,
}

/// How identical GETs share one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoalesceConfig {
    /// How long its answer serves those who come after.
    pub reuse: Duration,
    /// Who would be told what he knows is kept for a while, to see a change.
    pub hold: bool,
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

/// A pool, as far as it counts one unit. One that is written with requests and with tokens is two in a row, of one name.
#[derive(Clone, Debug)]
pub struct Pool {
    /// As it is called in the configuration, in headers and in answers.
    pub name: String,
    /// What it admits.
    pub limits: Limits,
    /// What tells its instances apart.
    pub key: Arc<[KeyPart]>,
    /// How many may wait for it.
    pub max_waiting: usize,
    /// How much of bodies those who wait for it may hold, in bytes.
    pub max_bytes: u64,
    /// How long a request may wait for it, from arrival to dispatch.
    pub max_wait: Duration,
    /// Nobody waits: what cannot go at once is refused.
    pub refuse_when_full: bool,
    /// The part of it that what is polled may have, in hundredths.
    pub poll_share: u8,
    /// Nobody wrote it: requests of no other pool take from it, so that a limit can be learned for each endpoint.
    pub implicit: bool,
}

impl Config {
    /// Whether what is polled takes requests from this pool.
    #[must_use]
    pub fn is_polled(&self, pool: PoolId) -> bool {
        let mut charges = self.coalesce.keys().flat_map(|&id| self.routes.charges(id));
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

impl KeyVariable {
    /// The key, if the variable is set.
    #[must_use]
    pub fn key(&self) -> Option<String> {
        std::env::var(&self.name).ok()
    }

    /// Its name, if there is such a variable; any other may be a secret.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        std::env::var_os(&self.name).map(|_| &*self.name)
    }

    /// Where the configuration names it, as in `tidegate.toml:7:15`.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }
}

impl std::fmt::Debug for KeyVariable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyVariable").field("place", &self.place).finish_non_exhaustive()
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

impl Pool {
    /// How it treats waiting requests.
    #[must_use]
    pub fn rules(&self) -> PoolRules {
        let Self { max_waiting, max_bytes, max_wait, refuse_when_full, .. } = *self;
        PoolRules { max_waiting, max_bytes, max_wait, refuse_when_full }
    }

    /// Its limits as people say them: `300/min, 10/s`, `200000 tokens/min` or, for one without a rate, `50 in flight`.
    #[must_use]
    pub fn limits_text(&self) -> String {
        let in_flight = self.limits.in_flight.map(|most: NonZeroU32| format!("{most} in flight"));
        let written = self.rates().chain(in_flight).collect::<Vec<_>>().join(", ");
        match (written.is_empty(), self.limits.unit) {
            (false, _) => written,
            (true, Unit::Requests) => "a learned limit".to_owned(),
            (true, Unit::Tokens) => "a learned limit of tokens".to_owned(),
        }
    }

    /// Each of its rates, with what is counted where that is not requests.
    pub fn rates(&self) -> impl Iterator<Item = String> {
        self.limits.requests.iter().map(|&rate| self.rate_text(rate))
    }

    /// A rate of what it counts, as people say it: `300/min`, `200000 tokens/min`.
    #[must_use]
    pub fn rate_text(&self, rate: Rate) -> String {
        match self.limits.unit {
            Unit::Requests => rate.to_string(),
            Unit::Tokens => rate.to_string().replacen('/', " tokens/", 1),
        }
    }
}

impl PoolText for Pool {
    fn name(&self) -> &str {
        &self.name
    }

    fn limits(&self) -> String {
        self.limits_text()
    }

    fn max_bytes(&self) -> u64 {
        self.max_bytes
    }
}
