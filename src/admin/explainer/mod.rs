//! What would become of a request, said before it is sent.

mod fare;
mod other;
mod others;

pub use other::{ForOther, Other};

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use indexmap::IndexMap;
use serde::Serialize;

use super::diagnosis::{DiagnosisStatus, LearnedStatus, millis};
use super::wait_forecast::{RefusalExample, WaitForecast, span};
use super::{LimitStatus, PoolStatus, Status, WaitingFor};
use crate::client::{Clients, Sender, patience};
use crate::config::{Config, Pool};
use crate::limit::Unit;
use crate::route::{Ask, Body, Facts, Found, Table};
use crate::upstream::BasePath;

/// A request as somebody describes it.
#[derive(Debug)]
pub struct Sketch<'b> {
    /// Its method.
    pub method: String,
    /// Its path, with or without a query; a whole URL will do.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Where it comes from.
    pub peer: IpAddr,
    /// Its body, as far as that can be read.
    pub body: Option<Body<'b>>,
}

/// What says of a request what would become of it.
#[derive(Debug)]
pub struct Explainer {
    pub(super) pools: Vec<Pool>,
    routes: Arc<Table>,
    clients: Clients,
    upstream: String,
    base: BasePath,
    /// How many may wait, in all.
    pub(super) max_waiting: usize,
}

/// What would become of a request. Times are in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The route that it goes by.
    pub route: String,
    /// The other routes that match it, the one that would take it next first.
    pub over: Vec<Over>,
    /// Those that it has to servers that read its path in another way; it takes from their pools as well.
    pub read_as: Vec<String>,
    /// The path lacks the `/v1` that the route has, and the gate puts it there.
    pub lacks_v1: bool,
    /// Where it would be sent.
    pub upstream: String,
    /// Whose it is, by its label.
    pub client: String,
    /// Its name of `[clients.names]`; null if it has none.
    pub name: Option<String>,
    /// How many shares he has where others have one.
    pub weight: u32,
    /// Before whom it goes.
    pub priority: String,
    /// How long he waits by his own account, where answers take no time.
    pub patience_ms: Option<u64>,
    /// How long it waits at most; nothing where it does not wait.
    pub max_wait_ms: Option<u64>,
    /// What it takes from which pools, all of them or none.
    pub pools: Vec<Taken>,
    /// What it takes of the pool that nobody wrote, in which limits are learned.
    pub unlisted: Vec<Taken>,
    /// How it would fare if it came now; nothing where no gate that runs was asked.
    pub now: Option<WaitForecast>,
    /// How it would fare for each client, or with each account, that the gate that runs knows there, if that was asked for.
    pub each: Vec<ForOther>,
    /// What a refusal looks like: what it would meet now or, if that is none, an example; nothing where none can be.
    pub refusal: Option<RefusalExample>,
}

/// A route that matches as well, and why it is not taken.
#[derive(Clone, Debug, Serialize)]
pub struct Over {
    /// As it is written.
    pub route: String,
    /// Why, in words.
    pub because: String,
}

/// What a request takes from a pool.
#[derive(Clone, Debug, Serialize)]
pub struct Taken {
    /// As it is called in the configuration.
    pub pool: String,
    /// Each part of its key, with its value.
    pub key: IndexMap<String, String>,
    /// How much.
    pub cost: u32,
    /// Of what, in words.
    pub of: String,
    /// Each rate that is written.
    pub limits: Vec<String>,
    /// How many may be in flight.
    pub in_flight: Option<u32>,
    /// `queue`, or `refuse`: nobody waits.
    pub when_full: &'static str,
    /// How many may wait for it.
    pub max_waiting: usize,
    /// How long one may wait for it.
    pub max_wait_ms: u64,
    /// How it is, if a gate that runs knows it.
    #[serde(flatten)]
    pub live: Option<Live>,
    #[serde(skip)]
    pub(super) ask: Ask,
}

/// A pool instance of a gate that runs, as far as it matters to whoever comes.
#[derive(Clone, Debug, Serialize)]
pub struct Live {
    /// As people speak of it.
    pub label: String,
    /// How full it is, in words.
    pub text: String,
    /// Each limit, and what of it is used.
    pub used: Vec<LimitStatus>,
    /// How many are granted and not over yet.
    pub in_flight_now: u32,
    /// How many wait for it.
    pub waiting: usize,
    /// The same by client.
    pub waiting_for: Vec<WaitingFor>,
    /// How long one who comes now would wait for it.
    pub eta_ms: u64,
    /// What has been learned of it.
    pub learned: Option<LearnedStatus>,
    /// What is the matter with it.
    pub diagnosis: DiagnosisStatus,
}

impl Explainer {
    /// One that knows this configuration.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            pools: config.pools.clone(),
            routes: Arc::clone(&config.routes),
            clients: Clients::new(&config.clients),
            upstream: config.upstream.url.to_string(),
            base: BasePath::of(&config.upstream.url),
            max_waiting: config.queue.max_waiting,
        }
    }

    /// Whose it is, by its label.
    #[must_use]
    pub fn client(&self, sketch: &Sketch<'_>) -> String {
        Clients::label(self.clients.identify(sketch.sender()))
    }

    /// What would become of a request at a gate that is in this state, if one runs.
    #[must_use]
    pub fn explain(&self, sketch: &Sketch<'_>, status: Option<&Status>) -> Explanation {
        self.explain_for(sketch, status, &Other::default())
    }

    /// The same for a request of another client, or with another account, than the sketch says.
    pub(super) fn explain_for(&self, sketch: &Sketch<'_>, status: Option<&Status>, other: &Other) -> Explanation {
        let found = self.routes.find(&sketch.method, self.path(sketch));
        let asks = self.routes.asks(&found, sketch).into_iter().map(|ask| self.with_account(ask, other));
        let taken = asks.map(|ask| self.taken(ask, status));
        let (unlisted, pools): (Vec<Taken>, Vec<Taken>) =
            taken.partition(|taken| self.pools[taken.ask.pool.0].implicit);
        let named = other.client.as_deref().map(Clients::named);
        let who = named.unwrap_or_else(|| self.clients.identify(sketch.sender()));
        let patience = patience(&sketch.headers, Duration::ZERO);
        let max_wait = self.max_wait(if pools.is_empty() { &unlisted } else { &pools }, patience);
        let all = || pools.iter().chain(&unlisted);
        Explanation {
            route: self.name(&found),
            over: self.over(sketch),
            read_as: found.others().map(|route| self.routes.route(route).name.clone()).collect(),
            lacks_v1: found.lacks_v1() && self.base.adds_v1(),
            upstream: self.upstream.clone(),
            client: Clients::label(who),
            name: self.clients.called(who).map(str::to_owned),
            weight: self.clients.weight(who).get(),
            priority: self.clients.priority(self.routes.priority(&found), &sketch.headers).to_string(),
            patience_ms: patience.map(millis),
            max_wait_ms: max_wait.map(millis),
            now: status.map(|status| self.fare(&all().collect::<Vec<_>>(), &Clients::label(who), max_wait, status)),
            each: Vec::new(),
            refusal: self.refusal(&pools, all(), max_wait, status),
            pools,
            unlisted,
        }
    }

    /// What routes are found by: the path after the upstream's base path.
    fn path<'s>(&self, sketch: &'s Sketch<'_>) -> &'s str {
        let path = sketch.path_alone();
        self.base.after(path).unwrap_or(path)
    }

    fn name(&self, found: &Found) -> String {
        self.routes.route(found.route()).name.clone()
    }

    fn over(&self, sketch: &Sketch<'_>) -> Vec<Over> {
        let beaten = self.routes.beaten(&sketch.method, self.path(sketch)).into_iter();
        let over = beaten.map(|beaten| Over {
            route: self.routes.route(beaten.route).name.clone(),
            because: beaten.because.to_string(),
        });
        over.collect()
    }

    fn taken(&self, ask: Ask, status: Option<&Status>) -> Taken {
        let pool = &self.pools[ask.pool.0];
        let values = ask.key.iter().flat_map(|key| key.split(' ')).map(str::to_owned);
        Taken {
            pool: pool.name.clone(),
            key: pool.key.iter().map(ToString::to_string).zip(values).collect(),
            cost: ask.cost.unwrap_or_else(|| pool.limits.capacity()),
            of: pool.limits_text(),
            limits: pool.rates().collect(),
            in_flight: pool.limits.in_flight.map(Into::into),
            when_full: if pool.refuse_when_full { "refuse" } else { "queue" },
            max_waiting: pool.max_waiting,
            max_wait_ms: millis(pool.max_wait),
            live: status.and_then(|status| instance(status, pool, &ask)).map(Live::new),
            ask,
        }
    }

    /// For a pool that lets nobody wait it is another that is waited for.
    fn max_wait(&self, taken: &[Taken], patience: Option<Duration>) -> Option<Duration> {
        let pools = taken.iter().map(|taken| &self.pools[taken.ask.pool.0]);
        let most = pools.filter(|pool| !pool.refuse_when_full).map(|pool| pool.max_wait).min()?;
        Some(patience.map_or(most, |patience| patience.min(most)))
    }
}

/// What a gate that runs knows of an instance; nothing where nobody has asked for it yet.
fn instance<'s>(status: &'s Status, pool: &Pool, ask: &Ask) -> Option<&'s PoolStatus> {
    let counts = if pool.limits.unit == Unit::Tokens { "tokens" } else { "requests" };
    let is_meant = |known: &&PoolStatus| {
        known.name == pool.name && known.counts == counts && known.key.as_deref() == ask.key.as_deref()
    };
    status.pools.iter().find(is_meant)
}

impl Live {
    fn new(status: &PoolStatus) -> Self {
        Self {
            label: status.label(),
            text: figures(status),
            used: status.limits.clone(),
            in_flight_now: status.in_flight,
            waiting: status.waiting,
            waiting_for: status.waiting_for.clone(),
            eta_ms: status.eta_ms,
            learned: status.learned.clone(),
            diagnosis: status.diagnosis.clone(),
        }
    }
}

fn figures(PoolStatus { in_force, in_flight, waiting, eta_ms, .. }: &PoolStatus) -> String {
    let used = in_force.iter().map(|limit| format!("{} of {} used", limit.used, limit.limit));
    let taken = used.chain([format!("{in_flight} in flight"), format!("{waiting} waiting")]);
    let room = if *eta_ms == 0 { "there is room".to_owned() } else { format!("room in {}", span(*eta_ms)) };
    format!("{}; {room}", taken.collect::<Vec<_>>().join(", "))
}

impl Sketch<'_> {
    /// Without the query, nor scheme and host, which only a URL has.
    fn path_alone(&self) -> &str {
        let alone = self.path.split(['?', '#']).next().unwrap_or_default();
        let url = alone.split_once("://").filter(|_| !alone.starts_with('/'));
        url.map_or(alone, |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]))
    }
}

impl Sketch<'_> {
    fn query_alone(&self) -> Option<&str> {
        self.path.split('#').next().and_then(|path| path.split_once('?')).map(|(_, query)| query)
    }

    fn sender(&self) -> Sender<'_> {
        Sender { headers: &self.headers, query: self.query_alone(), peer: self.peer }
    }
}

impl Facts for Sketch<'_> {
    fn query(&self) -> Option<&str> {
        self.query_alone()
    }

    fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.get(name).map(HeaderValue::as_bytes)
    }

    fn body(&self) -> Option<&Body<'_>> {
        self.body.as_ref()
    }
}
