use std::net::SocketAddr;
use std::sync::Arc;

use http::Uri;

use crate::config::{Config, Pool};
use crate::limit::PoolId;
use crate::route::Table;

/// What does not change while a gate serves, and is needed to speak of it.
pub(super) struct ConfigView {
    pub(super) pools: Vec<Pool>,
    pub(super) routes: Arc<Table>,
    /// The names of the routes that take from each pool.
    pub(super) routes_of: Vec<Vec<String>>,
    /// The host that requests go to.
    pub(super) upstream: String,
    /// The same as it is written.
    pub(super) upstream_url: String,
    /// Where apps reach the gate, as far as the configuration says, and whether by TLS as well.
    pub(super) listen: SocketAddr,
    pub(super) tls: bool,
    /// How its pools and routes differ from the built-in ones.
    pub(super) changes: Vec<String>,
    /// Where the configuration comes from, and its hash.
    pub(super) source: String,
    pub(super) hash: String,
    /// Which part of the account's limits is this gate's, if not all.
    pub(super) share: Option<String>,
}

/// What stands for a host where the URL names none.
const UPSTREAM: &str = "the upstream";

impl ConfigView {
    pub(super) fn new(config: &Config) -> Self {
        let routes_of = (0..config.pools.len()).map(|pool| routes_of(&config.routes, PoolId(pool))).collect();
        Self {
            pools: config.pools.clone(),
            routes: Arc::clone(&config.routes),
            routes_of,
            upstream: host(&config.upstream.url),
            upstream_url: config.upstream.url.to_string(),
            listen: config.server.listen,
            tls: config.server.tls.is_some(),
            changes: config.changes.iter().map(ToString::to_string).collect(),
            source: config.source.to_string(),
            hash: config.hash.clone(),
            share: (!config.share.is_whole()).then(|| config.share.to_string()),
        }
    }
}

fn host(url: &Uri) -> String {
    let host = url.host().unwrap_or(UPSTREAM);
    url.port_u16().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn routes_of(routes: &Table, pool: PoolId) -> Vec<String> {
    let takes = |id| routes.charges(id).iter().any(|charge| charge.pool == pool);
    routes
        .routes()
        .filter(|&(id, _)| routes.is_in_force(id) && takes(id))
        .map(|(_, route)| route.name.clone())
        .collect()
}
