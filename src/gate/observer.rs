use std::collections::BTreeMap;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::stats::RefusalKey;
use crate::config::Config;
use crate::route::{Asks, RouteId};

/// Which pools are observed, and what they would have done.
pub(super) struct Observer {
    /// The whole gate is observed: what holds or refuses requests beside the pools does not either.
    is_whole: bool,
    /// By the pool's place.
    pools: Vec<bool>,
    /// By the route's place in the table.
    routes: Vec<Arc<ObservedCounter>>,
    refusals: Arc<Mutex<BTreeMap<RefusalKey, u64>>>,
    /// A wait that is worth a line in the log.
    log_wait: Duration,
}

#[derive(Default)]
struct ObservedCounter {
    waited: AtomicU64,
    waited_us: AtomicU64,
    refused: AtomicU64,
}

/// What the gate would have done with requests of one route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ObservedCounts {
    /// Would have waited, and then gone.
    pub waited: u64,
    /// All their waits together.
    pub wait: Duration,
    /// Would have been refused.
    pub refused: u64,
}

impl Observer {
    /// None if nothing is observed.
    pub(super) fn new(config: &Config) -> Option<Self> {
        let pools: Vec<bool> = config.pools.iter().map(|pool| pool.is_observed).collect();
        (config.is_observed || pools.contains(&true)).then(|| Self {
            is_whole: config.is_observed,
            pools,
            routes: config.routes.routes().map(|_| Arc::default()).collect(),
            refusals: Arc::default(),
            log_wait: config.queue.log_wait,
        })
    }

    /// The same counters, under a configuration that follows this one's.
    pub(super) fn following(&self, config: &Config) -> Option<Self> {
        let known = |(id, _): (RouteId, _)| self.routes.get(id.0).cloned().unwrap_or_default();
        let (routes, refusals) = (config.routes.routes().map(known).collect(), Arc::clone(&self.refusals));
        Self::new(config).map(|new| Self { routes, refusals, ..new })
    }

    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Takes out what is asked of observed pools.
    pub(super) fn split(&self, asks: &mut Asks) -> Asks {
        let (observed, enforced) = mem::take(asks).into_iter().partition(|ask| self.pools[ask.pool.0]);
        *asks = enforced;
        observed
    }

    /// What would have been done, by the route's place in the table.
    pub(super) fn counts(&self) -> Vec<ObservedCounts> {
        let counts = |counter: &ObservedCounter| ObservedCounts {
            waited: counter.waited.load(Ordering::Relaxed),
            wait: Duration::from_micros(counter.waited_us.load(Ordering::Relaxed)),
            refused: counter.refused.load(Ordering::Relaxed),
        };
        self.routes.iter().map(|counter| counts(counter)).collect()
    }

    /// How many would have been refused, by what.
    pub(super) fn refusals(&self) -> Vec<(RefusalKey, u64)> {
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.iter().map(|(&refused, &requests)| (refused, requests)).collect()
    }

    /// A request would have waited for so long; whether that is worth a line in the log.
    pub(super) fn would_wait(&self, route: RouteId, wait: Duration) -> bool {
        let counter = &self.routes[route.0];
        counter.waited.fetch_add(1, Ordering::Relaxed);
        counter.waited_us.fetch_add(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        wait >= self.log_wait
    }

    /// A request would have been refused.
    pub(super) fn would_refuse(&self, route: RouteId, refused: RefusalKey) {
        self.routes[route.0].refused.fetch_add(1, Ordering::Relaxed);
        *self.refusals.lock().unwrap_or_else(PoisonError::into_inner).entry(refused).or_default() += 1;
    }
}
