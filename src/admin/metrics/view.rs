use super::samples::{MetricValue, Samples};
use crate::admin::config_view::ConfigView;
use crate::admin::pool::{PoolStatus, counts};
use crate::admin::status::Status;
use crate::config::Pool;
use crate::gate::{Coalesced, RequestCounts};

/// What metrics come from.
pub(super) struct MetricsView<'a> {
    pub(super) status: &'a Status,
    /// Every route that has had a request, by its name.
    pub(super) routes: Vec<(&'a str, &'a RequestCounts)>,
    pub(super) pools: Vec<PoolView<'a>>,
}

/// A pool with all of its instances: no metric tells those apart, as their keys are not from the configuration.
pub(super) struct PoolView<'a> {
    pub(super) pool: &'a Pool,
    pub(super) instances: Vec<&'a PoolStatus>,
}

impl<'a> MetricsView<'a> {
    pub(super) fn new(config: &'a ConfigView, status: &'a Status, counted: &'a [RequestCounts]) -> Self {
        let routes = config.routes.routes().zip(counted).filter(|(_, counted)| counted.requests() > 0);
        Self {
            status,
            routes: routes.map(|((_, route), counted)| (&*route.name, counted)).collect(),
            pools: config.pools.iter().map(|pool| PoolView::new(pool, status)).collect(),
        }
    }

    /// One value of each pool, if it has one.
    pub(super) fn by_pool<V: Into<MetricValue>>(&self, samples: &mut Samples, of: impl Fn(&PoolView<'_>) -> Option<V>) {
        for pool in &self.pools {
            of(pool).into_iter().for_each(|value| samples.put(pool.labels(), value));
        }
    }

    /// One value of each route.
    pub(super) fn by_route<V: Into<MetricValue>>(&self, samples: &mut Samples, of: impl Fn(&'a RequestCounts) -> V) {
        self.routes.iter().for_each(|&(route, counted)| samples.put([route], of(counted)));
    }

    /// One value of each route that shares calls.
    pub(super) fn by_shared_route(&self, samples: &mut Samples, of: impl Fn(&Coalesced) -> u64) {
        self.status.coalesced.iter().for_each(|shared| samples.put([&*shared.route], of(shared)));
    }
}

impl<'a> PoolView<'a> {
    fn new(pool: &'a Pool, status: &'a Status) -> Self {
        let instances = status.pools.iter().filter(|status| status.name == pool.name && status.counts == counts(pool));
        Self { pool, instances: instances.collect() }
    }

    pub(super) fn labels(&self) -> [&str; 2] {
        [&self.pool.name, counts(self.pool)]
    }

    /// What all instances come to together.
    pub(super) fn sum(&self, of: impl Fn(&PoolStatus) -> u64) -> u64 {
        self.instances.iter().map(|status| of(status)).sum()
    }

    /// The most that any instance has; nothing where none has any.
    pub(super) fn most(&self, of: impl Fn(&PoolStatus) -> Option<f64>) -> Option<f64> {
        self.instances.iter().filter_map(|status| of(status)).max_by(f64::total_cmp)
    }

    /// The least.
    pub(super) fn least(&self, of: impl Fn(&PoolStatus) -> Option<f64>) -> Option<f64> {
        self.instances.iter().filter_map(|status| of(status)).min_by(f64::total_cmp)
    }

    /// How many instances are so.
    pub(super) fn count(&self, is_so: impl Fn(&PoolStatus) -> bool) -> u64 {
        self.instances.iter().filter(|status| is_so(status)).count() as u64
    }
}
