use std::sync::{PoisonError, RwLock};

use crate::config::Config;
use crate::limit::{PoolId, Unit};
use crate::route::RouteId;

/// The pools and routes by their names, which last longer than their numbers.
#[derive(Debug)]
pub(super) struct Names(RwLock<NameLists>);

#[derive(Debug)]
struct NameLists {
    pools: Vec<PoolName>,
    routes: Vec<(RouteId, String)>,
}

/// What tells a pool from others.
#[derive(Debug)]
pub(super) struct PoolName {
    pub(super) pool: String,
    pub(super) unit: Unit,
    has_key: bool,
}

impl Names {
    pub(super) fn new(config: &Config) -> Self {
        Self(RwLock::new(NameLists::of(config)))
    }

    /// Tells what the pool is called.
    pub(super) fn with<T>(&self, pool: PoolId, tell: impl FnOnce(&PoolName) -> T) -> T {
        tell(&self.lists().pools[pool.0])
    }

    /// The pool that is called so and has a key, or none, as this.
    pub(super) fn find(&self, pool: &str, unit: &str, key: &str) -> Option<PoolId> {
        let is_meant =
            |name: &PoolName| name.pool == pool && name.unit_text() == unit && name.has_key != key.is_empty();
        self.lists().pools.iter().position(is_meant).map(PoolId)
    }

    pub(super) fn route(&self, id: RouteId) -> Option<String> {
        self.lists().routes.iter().find(|(route, _)| *route == id).map(|(_, name)| name.clone())
    }

    pub(super) fn find_route(&self, name: &str) -> Option<RouteId> {
        self.lists().routes.iter().find(|(_, route)| route == name).map(|(id, _)| *id)
    }

    fn lists(&self) -> std::sync::RwLockReadGuard<'_, NameLists> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NameLists {
    fn of(config: &Config) -> Self {
        let pools = config.pools.iter().map(|pool| PoolName {
            pool: pool.name.clone(),
            unit: pool.limits.unit,
            has_key: !pool.key.is_empty(),
        });
        let routes = config.routes.routes().map(|(id, route)| (id, route.name.clone()));
        Self { pools: pools.collect(), routes: routes.collect() }
    }
}

impl PoolName {
    pub(super) fn unit_text(&self) -> &'static str {
        match self.unit {
            Unit::Requests => "requests",
            Unit::Tokens => "tokens",
        }
    }
}
