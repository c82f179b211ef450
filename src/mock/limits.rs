use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use serde::Serialize;

use super::Options;
use super::meter::Meter;
use crate::config::{Config, Pool};
use crate::limit::PoolId;
use crate::route::{Ask, Facts, Found, Table};

/// The limits of the stand-in: those of the configuration, enforced its own way.
#[derive(Debug)]
pub(super) struct Limits {
    routes: Arc<Table>,
    pools: Vec<Pool>,
    options: Options,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    instances: IndexMap<(PoolId, Option<Box<str>>), Instance>,
    admitted: u64,
    denied: u64,
    first_and_last: Option<(Instant, Instant)>,
    chance: Option<fastrand::Rng>,
}

#[derive(Debug)]
struct Instance {
    meters: Vec<Meter>,
    admitted: u64,
    denied: u64,
}

/// A request over a limit.
#[derive(Debug)]
pub(super) struct Denied {
    /// The limit it is over.
    pub(super) limit: crate::limit::Rate,
    /// The pool is counted for each model.
    pub(super) by_model: bool,
    /// When there may be room again.
    pub(super) again_in: Duration,
}

/// What `/__mock/stats` says.
#[derive(Debug, Serialize)]
pub struct Stats {
    /// Requests that were let in.
    pub admitted: u64,
    /// Requests that were refused.
    pub denied: u64,
    /// From the first arrival to the last, in milliseconds.
    pub elapsed_ms: u64,
    /// Every limit of every pool that a request has come for.
    pub pools: Vec<PoolStats>,
}

/// One limit of a pool.
#[derive(Debug, Serialize)]
pub struct PoolStats {
    /// The pool, as in the configuration.
    pub pool: String,
    /// Which instance of it.
    pub key: Option<String>,
    /// The limit, as in the configuration.
    pub limit: String,
    /// How long its window is, scaled, in milliseconds.
    pub window_ms: u64,
    /// Requests that were let in.
    pub admitted: u64,
    /// Requests that were refused, by this pool or another of theirs.
    pub denied: u64,
    /// The most that arrived in any trailing window, refused or not.
    pub most_in_window: u32,
}

impl Limits {
    pub(super) fn new(config: &Config, options: Options) -> Self {
        let (routes, pools) = (Arc::clone(&config.routes), config.pools.clone());
        Self { routes, pools, options, counts: Mutex::default() }
    }

    pub(super) fn find(&self, method: &str, path: &str) -> Found {
        self.routes.find(method, path)
    }

    pub(super) fn reads_body(&self, found: &Found) -> bool {
        self.routes.reads_body(found)
    }

    /// A request arrives: it takes from all of its pools, or is refused by the one that is full the longest.
    pub(super) fn arrive(&self, now: Instant, found: &Found, facts: &dyn Facts) -> Result<(), Denied> {
        let costs = self.routes.asks(found, facts).into_iter().fold(Costs::new(), merge);
        let counts = &mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.first_and_last = Some((counts.first_and_last.map_or(now, |(first, _)| first), now));
        let mut denied = None;
        for ((pool, key), &cost) in &costs {
            let instance = self.instance(counts, now, *pool, key.as_deref());
            for (meter, &limit) in instance.meters.iter_mut().zip(&self.pools[pool.0].limits.requests) {
                meter.arrive(now, cost);
                let by_model = self.pools[pool.0].key.iter().any(|part| part.to_string() == "body.model");
                let verdict = meter.room(now, cost).map_err(|again_in| Denied { limit, by_model, again_in });
                denied = [denied, verdict.err()].into_iter().flatten().max_by_key(|denied| denied.again_in);
            }
        }
        let admitted = denied.is_none();
        for (key, &cost) in &costs {
            let instance = &mut counts.instances[key];
            *(if admitted { &mut instance.admitted } else { &mut instance.denied }) += 1;
            if admitted || self.options.count_denied {
                instance.meters.iter_mut().for_each(|meter| meter.count(now, cost));
            }
        }
        *(if admitted { &mut counts.admitted } else { &mut counts.denied }) += 1;
        denied.map_or(Ok(()), Err)
    }

    /// A request is refused for another reason than its pools.
    pub(super) fn refuse(&self) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).denied += 1;
    }

    pub(super) fn stats(&self) -> Stats {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let pools = counts.instances.iter().flat_map(|((pool, key), instance)| {
            let pool = &self.pools[pool.0];
            let limits = instance.meters.iter().zip(&pool.limits.requests);
            limits.map(|(meter, limit)| PoolStats {
                pool: pool.name.clone(),
                key: key.as_deref().map(str::to_owned),
                limit: limit.to_string(),
                window_ms: millis(meter.per()),
                admitted: instance.admitted,
                denied: instance.denied,
                most_in_window: meter.most(),
            })
        });
        let elapsed = counts.first_and_last.map_or(Duration::ZERO, |(first, last)| last - first);
        Stats { admitted: counts.admitted, denied: counts.denied, elapsed_ms: millis(elapsed), pools: pools.collect() }
    }

    /// Forgets every arrival.
    pub(super) fn reset(&self) {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner) = Counts::default();
    }

    fn instance<'c>(&self, counts: &'c mut Counts, now: Instant, pool: PoolId, key: Option<&str>) -> &'c mut Instance {
        let chance = counts.chance.get_or_insert_with(|| fastrand::Rng::with_seed(self.options.seed));
        counts.instances.entry((pool, key.map(Into::into))).or_insert_with(|| {
            let limits = self.pools[pool.0].limits.requests.iter();
            let meters = limits.map(|&limit| Meter::new(limit, &self.options, now, chance.f64()));
            Instance { meters: meters.collect(), admitted: 0, denied: 0 }
        })
    }
}

type Costs = IndexMap<(PoolId, Option<Box<str>>), u32>;

fn merge(mut costs: Costs, ask: Ask) -> Costs {
    *costs.entry((ask.pool, ask.key)).or_default() += ask.cost.unwrap_or(1);
    costs
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
