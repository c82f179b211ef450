//! What decides which request goes when, as configured: the input of the gate's scheduler, of the simulator and of the mock
//! server.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::client::{ClientSettings, Clients};
use crate::limit::{Limits, Rate, Unit};
use crate::route::{KeyPart, Table};
use crate::scheduler::{PoolRules, Rules};

/// Routes, pools, clients and the bounds of the queue.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Where they come from, as people call it.
    pub name: String,
    /// Which requests take from which pools.
    pub routes: Arc<Table>,
    /// The pools, in the order that [`PoolId`](crate::limit::PoolId) counts.
    pub pools: Vec<PoolSettings>,
    /// How clients are told apart and what each may send.
    pub clients: ClientSettings,
    /// The number of requests that may wait, in all pools together.
    pub max_waiting: usize,
    /// The number of requests that may be past their wait and not yet finished.
    pub max_in_flight: u64,
    /// The time after which a waiting request of low priority counts as normal.
    pub ageing: Duration,
}

/// A pool as configured, for one unit. A pool with limits on requests and on tokens is two of these in a row, with one name.
#[derive(Clone, Debug)]
pub struct PoolSettings {
    /// Its name in the configuration, in headers and in responses.
    pub name: String,
    /// What it admits.
    pub limits: Limits,
    /// What tells its instances apart.
    pub key: Arc<[KeyPart]>,
    /// The number of requests that may wait for it.
    pub max_waiting: usize,
    /// The bytes that the bodies of requests waiting for it may take.
    pub max_bytes: u64,
    /// How long a request may wait for it, from arrival to dispatch.
    pub max_wait: Duration,
    /// Whether a request is refused where it would have to wait.
    pub refuse_when_full: bool,
    /// The part of it that polls may take, in percent.
    pub poll_share: u8,
    /// Whether it only observes: the gate counts what it would do, and sends the request at once.
    pub is_observed: bool,
    /// Whether it is not in the file: requests of no other pool take from it, so that a limit is learned for each endpoint.
    pub implicit: bool,
}

impl Settings {
    /// The rules of the scheduler.
    #[must_use]
    pub fn rules(&self, clients: &Clients) -> Rules {
        Rules {
            pools: self.pools.iter().map(|pool| (pool.limits.clone(), pool.rules())).collect(),
            max_waiting: self.max_waiting,
            weights: clients.weights().clone(),
            ageing: self.ageing,
        }
    }
}

impl PoolSettings {
    /// How it treats waiting requests.
    #[must_use]
    pub fn rules(&self) -> PoolRules {
        let Self { max_waiting, max_bytes, max_wait, refuse_when_full, .. } = *self;
        PoolRules { max_waiting, max_bytes, max_wait, refuse_when_full }
    }

    /// A pool with these limits, without a key, for which any number of requests wait for any time.
    #[must_use]
    pub fn new(name: &str, limits: Limits) -> Self {
        Self {
            name: name.to_owned(),
            limits,
            key: [].into(),
            max_waiting: usize::MAX,
            max_bytes: u64::MAX,
            max_wait: Duration::MAX,
            refuse_when_full: false,
            poll_share: 50,
            is_observed: false,
            implicit: false,
        }
    }

    /// Its limits in words: `300/min, 10/s`, `200000 tokens/min`, or `50 in flight` for a pool without a rate.
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

    /// Its rates in words.
    pub fn rates(&self) -> impl Iterator<Item = String> {
        self.limits.requests.iter().map(|&rate| self.rate_text(rate))
    }

    /// A rate of its unit in words: `300/min`, `200000 tokens/min`.
    #[must_use]
    pub fn rate_text(&self, rate: Rate) -> String {
        match self.limits.unit {
            Unit::Requests => rate.to_string(),
            Unit::Tokens => rate.to_string().replacen('/', " tokens/", 1),
        }
    }
}
