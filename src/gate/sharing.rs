use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::shared::{Origin, SharedCall, SharedResponse};
use crate::coalesce::{Coalescer, MOST};
use crate::limit::PoolId;
use crate::route::{Route, RouteId, Table, resources};

/// Which requests share a call: the [`Coalescer`] of the core under a lock, and what came of it.
pub(super) struct Sharing {
    calls: Arc<SharedCalls>,
    /// By the route's place in the table; none where the route does not share.
    routes: Vec<Option<Arc<ShareCounters>>>,
}

struct SharedCalls {
    coalescer: Mutex<GateCoalescer>,
    /// The calls and responses in there, so that a write which changes none need not lock.
    tracked: AtomicUsize,
}

/// A pool instance pays for polls, a [`SharedCall`] can be joined, and a [`SharedResponse`] is the answer.
type GateCoalescer = Coalescer<(PoolId, Option<Box<str>>), Arc<SharedCall>, Arc<SharedResponse>>;

/// The coalescer while it is locked.
pub(super) struct LockedCoalescer<'s> {
    coalescer: MutexGuard<'s, GateCoalescer>,
    tracked: &'s AtomicUsize,
}

/// What came of the GETs of one route.
#[derive(Default)]
pub(super) struct ShareCounters {
    pub(super) asked: Counter,
    pub(super) calls: Counter,
    joined: Counter,
    reused: Counter,
    pub(super) held: Counter,
    paced: Counter,
}

#[derive(Default)]
pub(super) struct Counter(AtomicU64);

/// What came of the GETs of a route that shares calls, since the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Coalesced {
    /// The route, as it is written in the configuration.
    pub route: String,
    /// Requests of clients.
    pub asked: u64,
    /// Calls that went on to the upstream, or wait for that.
    pub calls: u64,
    /// Requests that got a response without a call of their own: joined and reused together.
    pub saved: u64,
    /// Requests that got the response of a call under way when they arrived.
    pub joined: u64,
    /// Requests that got a response that had come before them.
    pub reused: u64,
    /// Requests held for a while to see a change.
    pub held: u64,
    /// Calls that waited so that polls keep to their share of the pools.
    pub paced: u64,
}

impl Sharing {
    pub(super) fn new(table: &Table) -> Self {
        let counters = |(_, route): (RouteId, &Route)| route.coalesce.map(|_| Arc::default());
        let routes = table.routes().map(counters).collect();
        let calls = SharedCalls { coalescer: Mutex::new(Coalescer::new(MOST)), tracked: AtomicUsize::new(0) };
        Self { calls: Arc::new(calls), routes }
    }

    /// The same calls and counters, for the routes of a table that follows this one's.
    pub(super) fn following(&self, table: &Table) -> Self {
        let known = |id: RouteId| self.routes.get(id.0).cloned().flatten().unwrap_or_default();
        let routes = table.routes().map(|(id, route)| route.coalesce.map(|_| known(id))).collect();
        Self { calls: Arc::clone(&self.calls), routes }
    }

    /// Never held over an `.await`.
    pub(super) fn lock(&self) -> LockedCoalescer<'_> {
        let coalescer = self.calls.coalescer.lock().unwrap_or_else(PoisonError::into_inner);
        LockedCoalescer { coalescer, tracked: &self.calls.tracked }
    }

    /// The counters of a route, if it shares calls.
    pub(super) fn counters(&self, route: RouteId) -> Option<&ShareCounters> {
        self.routes[route.0].as_deref()
    }

    pub(super) fn coalesced(&self, table: &Table) -> Vec<Coalesced> {
        let counters = table.routes().filter_map(|(id, route)| Some((route, self.counters(id)?)));
        let coalesced = counters.map(|(route, counters)| Coalesced {
            route: route.name.clone(),
            asked: counters.asked.get(),
            calls: counters.calls.get(),
            saved: counters.joined.get() + counters.reused.get(),
            joined: counters.joined.get(),
            reused: counters.reused.get(),
            held: counters.held.get(),
            paced: counters.paced.get(),
        });
        let mut all: Vec<Coalesced> = coalesced.collect();
        all.sort_by(|one, other| one.route.cmp(&other.route));
        all
    }

    /// A write to this path begins, or has been answered. Most change nothing that is shared.
    pub(super) fn invalidate(&self, path: &str) {
        if self.calls.tracked.load(Ordering::SeqCst) > 0 {
            let changed = resources(path);
            let mut coalescer = self.lock();
            changed.iter().for_each(|resource| coalescer.invalidate(resource));
        }
    }
}

impl Deref for LockedCoalescer<'_> {
    type Target = GateCoalescer;

    fn deref(&self) -> &GateCoalescer {
        &self.coalescer
    }
}

impl DerefMut for LockedCoalescer<'_> {
    fn deref_mut(&mut self) -> &mut GateCoalescer {
        &mut self.coalescer
    }
}

/// Before it is unlocked, so that a write which comes after sees what it may change.
impl Drop for LockedCoalescer<'_> {
    fn drop(&mut self) {
        self.tracked.store(self.coalescer.len(), Ordering::SeqCst);
    }
}

impl ShareCounters {
    /// A call begins, after so long that polls keep to their share.
    pub(super) fn leads(&self, after: Duration) {
        self.calls.add();
        if !after.is_zero() {
            self.paced.add();
        }
    }

    /// A client got a shared response.
    pub(super) fn count(&self, origin: Origin) {
        match origin {
            Origin::Own => {}
            Origin::Joined => self.joined.add(),
            Origin::Reused => self.reused.add(),
        }
    }
}

impl Counter {
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
