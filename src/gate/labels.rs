use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::outcome::millis;
use crate::config::Pool;
use crate::route::{RouteId, Table};

/// What every response says of its route, made once.
pub(super) struct Labels {
    routes: Vec<RouteLabels>,
}

struct RouteLabels {
    route: Option<HeaderValue>,
    pools: Option<HeaderValue>,
}

const ROUTE: HeaderName = HeaderName::from_static("x-tidegate-route");
const POOLS: HeaderName = HeaderName::from_static("x-tidegate-pools");
const WAIT_MS: HeaderName = HeaderName::from_static("x-tidegate-wait-ms");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

impl Labels {
    pub(super) fn new(routes: &Table, pools: &[Pool]) -> Self {
        let labels = routes.routes().map(|(_, route)| {
            let mut names: Vec<&str> = route.charges.iter().map(|charge| &*pools[charge.pool.0].name).collect();
            names.dedup();
            let pools = (!names.is_empty()).then(|| HeaderValue::try_from(names.join(", ")).ok()).flatten();
            RouteLabels { route: HeaderValue::try_from(&route.name).ok(), pools }
        });
        Self { routes: labels.collect() }
    }

    /// The pools of a route, as its responses name them.
    pub(super) fn pools(&self, route: RouteId) -> &str {
        self.routes[route.0].pools.as_ref().and_then(|pools| pools.to_str().ok()).unwrap_or_default()
    }

    pub(super) fn add_to(&self, headers: &mut HeaderMap, route: RouteId, waited: Duration) {
        let RouteLabels { route, pools } = &self.routes[route.0];
        set_or_remove(headers, &ROUTE, route.as_ref());
        set_or_remove(headers, &POOLS, pools.as_ref());
        let (wait_ms, timing) = if waited.is_zero() {
            (HeaderValue::from_static("0"), HeaderValue::from_static("tidegate;dur=0.0"))
        } else {
            let timing = HeaderValue::try_from(format!("tidegate;dur={:.1}", waited.as_secs_f64() * 1e3));
            (HeaderValue::from(millis(waited)), timing.expect("a number"))
        };
        headers.insert(WAIT_MS, wait_ms);
        headers.append(SERVER_TIMING, timing);
    }
}

/// Replaces what a gate further up may have said.
fn set_or_remove(headers: &mut HeaderMap, name: &HeaderName, value: Option<&HeaderValue>) {
    match value {
        Some(value) => drop(headers.insert(name, value.clone())),
        None => drop(headers.remove(name)),
    }
}
