use http::Method;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::flight::Flight;
use super::headers::for_upstream;
use super::passing::{Arrived, Routed};
use super::whole::{Way, Whole};
use crate::coalesce::{Board, Key, MOST, Polls, wants_its_own};
use crate::config::CoalesceConfig;
use crate::limit::PoolId;
use crate::route::{RouteId, Table, resources};

/// Who shares whose call.
pub(super) struct Sharing {
    board: Mutex<Calls>,
    polls: Mutex<Polled>,
    routes: HashMap<RouteId, Arc<Shares>>,
}

/// What is polled, by the pool instances that pay for it.
pub(super) type Polled = Polls<(PoolId, Option<Box<str>>)>;

/// What is under way, and what has just come.
pub(super) type Calls = Board<Flight, Arc<Whole>>;

/// How a route shares, and what came of it.
pub(super) struct Shares {
    pub(super) how: CoalesceConfig,
    pub(super) asked: Counter,
    pub(super) calls: Counter,
    pub(super) joined: Counter,
    pub(super) reused: Counter,
    pub(super) held: Counter,
    pub(super) paced: Counter,
}

/// How many there have been.
#[derive(Default)]
pub(super) struct Counter(AtomicU64);

/// What came of the GETs of a route that shares them, since the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Coalesced {
    /// As it is written in the configuration.
    pub route: String,
    /// Were asked for by clients.
    pub asked: u64,
    /// Went on to the upstream, or wait for that.
    pub calls: u64,
    /// Had their answer without a call of their own: joined and reused together.
    pub saved: u64,
    /// Had the answer of a call that was under way when they came.
    pub joined: u64,
    /// Had an answer that had come before them.
    pub reused: u64,
    /// Were kept for a while to see a change.
    pub held: u64,
    /// Calls that waited so that polling keeps to its share of their pools.
    pub paced: u64,
}

/// What may be asked for under one key.
pub(super) struct Shareable {
    pub(super) resource: String,
    pub(super) key: Key,
    pub(super) shares: Arc<Shares>,
}

impl Sharing {
    pub(super) fn new(routes: &HashMap<RouteId, CoalesceConfig>) -> Self {
        let routes = routes.iter().map(|(id, how)| (*id, Arc::new(Shares::new(*how)))).collect();
        Self { board: Mutex::new(Board::new(MOST)), polls: Mutex::new(Polls::new(MOST)), routes }
    }

    /// Never held over an `.await`.
    pub(super) fn board(&self) -> MutexGuard<'_, Calls> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Never held over an `.await`, nor together with the board.
    pub(super) fn polls(&self) -> MutexGuard<'_, Polled> {
        self.polls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn of(&self, route: RouteId) -> Option<&Arc<Shares>> {
        self.routes.get(&route)
    }

    /// Whether a request of this method may change what others share.
    pub(super) fn may_end_by(&self, method: &Method) -> bool {
        !self.routes.is_empty() && ![Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
    }

    /// A write to this path begins, or has been answered. Most have nothing to end.
    pub(super) fn wrote(&self, path: &str) {
        if self.board().count() == 0 {
            return;
        }
        let changed = resources(path);
        let mut board = self.board();
        changed.iter().for_each(|resource| board.wrote(resource));
    }

    pub(super) fn coalesced(&self, table: &Table) -> Vec<Coalesced> {
        let coalesced = |(id, shares): (&RouteId, &Arc<Shares>)| Coalesced {
            route: table.route(*id).name.clone(),
            asked: shares.asked.get(),
            calls: shares.calls.get(),
            saved: shares.joined.get() + shares.reused.get(),
            joined: shares.joined.get(),
            reused: shares.reused.get(),
            held: shares.held.get(),
            paced: shares.paced.get(),
        };
        let mut all: Vec<Coalesced> = self.routes.iter().map(coalesced).collect();
        all.sort_by(|one, other| one.route.cmp(&other.route));
        all
    }
}

impl Shares {
    fn new(how: CoalesceConfig) -> Self {
        let none = Counter::default;
        Self { how, asked: none(), calls: none(), joined: none(), reused: none(), held: none(), paced: none() }
    }

    /// A client has an answer that is not his alone.
    pub(super) fn count(&self, way: Way) {
        match way {
            Way::Own => {}
            Way::Joined => self.joined.add(),
            Way::Reused => self.reused.add(),
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

/// The longest path of what is shared, in bytes: it is kept, and no thing that is polled has a longer one. A guess.
const LONGEST: usize = 1 << 10;

impl Shareable {
    /// What a request asks for, if others may ask the same.
    pub(super) fn of(Routed { arrived, route, .. }: &Routed, shares: &Arc<Shares>) -> Option<Self> {
        let path = resources(route.target.path());
        let [resource] = &path[..] else { return None };
        if resource.len() > LONGEST || !may_share(arrived, route.target.query().unwrap_or_default()) {
            return None;
        }
        let mut headers = arrived.head.headers.clone();
        for_upstream(&mut headers, false);
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        Some(Self {
            resource: resource.clone(),
            key: Key::new(route.target.as_str(), headers),
            shares: Arc::clone(shares),
        })
    }
}

fn may_share(Arrived { head, body, upgrade, .. }: &Arrived, query: &str) -> bool {
    let headers = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    head.method == Method::GET
        && upgrade.is_none()
        && body.whole().is_some_and(<[u8]>::is_empty)
        && !wants_its_own(query, headers)
}
