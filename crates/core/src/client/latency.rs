use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::route::{RouteId, Table};

/// How long the upstream typically takes on each route, from the request's dispatch to the head of the response.
#[derive(Debug)]
pub struct TypicalLatency {
    /// In microseconds; zero before the first response.
    routes: Vec<AtomicU64>,
}

/// One over the weight of a new response, as in TCP's round-trip time (RFC 6298 §2).
const MEMORY: u64 = 8;

impl TypicalLatency {
    /// For the routes of this table.
    #[must_use]
    pub fn new(routes: &Table) -> Self {
        Self { routes: routes.routes().map(|_| AtomicU64::new(0)).collect() }
    }

    /// The same for the routes of a table that follows this one's.
    #[must_use]
    pub fn following(&self, routes: &Table) -> Self {
        let known = |at: usize| self.routes.get(at).map_or(0, |typical| typical.load(Ordering::Relaxed));
        Self { routes: routes.routes().map(|(id, _)| AtomicU64::new(known(id.0))).collect() }
    }

    /// A response took this long. Of two that arrive at the same time one may be lost, which the estimate can bear.
    pub fn record(&self, route: RouteId, took: Duration) {
        let (typical, took) = (&self.routes[route.0], u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1));
        let before = typical.load(Ordering::Relaxed);
        let after = if before == 0 { took } else { before - before / MEMORY + took / MEMORY };
        typical.store(after, Ordering::Relaxed);
    }

    /// The typical latency of a route; zero before its first response.
    #[must_use]
    pub fn of(&self, route: RouteId) -> Duration {
        Duration::from_micros(self.routes[route.0].load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typical_latency_follows_the_responses() {
        let (typical, route) = (TypicalLatency::new(&Table::default()), RouteId::default());
        assert_eq!(typical.of(route), Duration::ZERO);
        typical.record(route, Duration::from_millis(800));
        assert_eq!(typical.of(route), Duration::from_millis(800));
        typical.record(route, Duration::from_millis(1_600));
        assert_eq!(typical.of(route), Duration::from_millis(900));
        (0..100).for_each(|_| typical.record(route, Duration::from_millis(100)));
        assert!(typical.of(route) < Duration::from_millis(101), "{:?}", typical.of(route));
    }
}
