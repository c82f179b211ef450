use std::cmp::Reverse;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{Stream, stream};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::clock::TwoClocks;
use super::config_view::ConfigView;
use super::diagnosis::{CauseName, millis};
use super::pool::{InForceStatus, counts, eta_ms};
use super::rank::{Cost, Rank};
use crate::admission::{InstanceState, Snapshot};

/// The state of the gate in short, as `/events` says it once a second.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BriefStatus {
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// How many requests wait.
    pub waiting: usize,
    /// The gate is stopping.
    pub draining: bool,
    /// The pool instances that matter most, always in the same order.
    pub pools: Vec<BriefPool>,
    /// How many more there are.
    pub more: usize,
}

/// One pool instance in short.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BriefPool {
    /// As the pool is called in the configuration.
    pub name: String,
    /// Which instance of it; nothing where it has only one.
    pub key: Option<String>,
    /// What it counts.
    pub counts: String,
    /// How much is used of the limit in force.
    pub used: u64,
    /// How much there is of it; nothing where no limit is known.
    pub max: Option<u64>,
    /// The limit in force, as people say it.
    pub in_force: Option<String>,
    /// How many requests are in flight.
    pub in_flight: u32,
    /// How many wait.
    pub waiting: usize,
    /// How many of those wait for this instance itself.
    pub held: usize,
    /// How long the first of them has waited.
    pub oldest_ms: Option<u64>,
    /// How long 95 % of the requests that went in the last minute had waited at most.
    pub p95_ms: u64,
    /// How long one that comes now would wait, of a client with nothing in line.
    pub eta_ms: u32,
    /// Its place in the order of what matters, among these: 0 matters most.
    pub rank: usize,
    /// What is the matter with it.
    pub cause: CauseName,
}

/// Says how the gate is once a second, to all who listen at once; while nobody does it costs nothing.
pub(super) struct StatusStream {
    /// The last that was said; nothing while nobody listens.
    said: watch::Sender<Bytes>,
    somebody: Notify,
}

const SECOND: Duration = Duration::from_secs(1);

/// Of how many instances it tells. A guess: as many as a page shows.
const TOLD: usize = 100;

impl StatusStream {
    pub(super) fn new() -> Self {
        Self { said: watch::Sender::new(Bytes::new()), somebody: Notify::new() }
    }

    /// Says it for as long as it is polled; `say` makes one event.
    pub(super) async fn beat(&self, say: impl Fn() -> Bytes) {
        let mut second = interval(SECOND);
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.somebody.notified().await;
            while self.said.receiver_count() > 0 {
                second.tick().await;
                self.said.send_replace(say());
            }
            self.said.send_replace(Bytes::new());
        }
    }

    /// Whatever is said from now on, and what has just been said. Who is slow misses some.
    pub(super) fn listen(&self) -> impl Stream<Item = Result<Bytes, Infallible>> + use<> {
        let mut heard = self.said.subscribe();
        heard.mark_changed();
        self.somebody.notify_one();
        stream::unfold(heard, async |mut heard| {
            loop {
                heard.changed().await.ok()?;
                let said = heard.borrow_and_update().clone();
                if !said.is_empty() {
                    return Some((Ok(said), heard));
                }
            }
        })
    }
}

impl BriefStatus {
    pub(super) fn new(config: &ConfigView, snapshot: &Snapshot) -> Self {
        let exists = |state: &&InstanceState| state.key.is_empty() == config.pools[state.pool.0].key.is_empty();
        let mut pools: Vec<_> =
            snapshot.instances.iter().filter(exists).map(|state| Weighed::new(config, state, snapshot.at)).collect();
        let more = pools.len().saturating_sub(TOLD);
        if more > 0 {
            pools.select_nth_unstable_by_key(TOLD, |weighed| Reverse(weighed.weight));
            pools.truncate(TOLD);
        }
        pools.sort_by_key(|weighed| Reverse(weighed.weight));
        pools.iter_mut().enumerate().for_each(|(rank, weighed)| weighed.rank = rank);
        pools.sort_by_key(|weighed| (weighed.state.pool, &weighed.state.key));
        Self {
            at_ms: TwoClocks::read().at_ms(),
            waiting: snapshot.waiting,
            draining: snapshot.draining,
            pools: pools.into_iter().map(|weighed| weighed.told(config)).collect(),
            more,
        }
    }

    /// As an event of a stream of them.
    pub(super) fn event(&self) -> Bytes {
        let data = serde_json::to_string(self).expect("it has no keys but texts");
        format!("event: status\ndata: {data}\n\n").into()
    }
}

/// An instance, and how much it matters.
struct Weighed<'s> {
    state: &'s InstanceState,
    in_force: Option<InForceStatus>,
    cause: CauseName,
    cost: Cost,
    weight: Rank,
    rank: usize,
}

impl<'s> Weighed<'s> {
    fn new(config: &ConfigView, state: &'s InstanceState, now: Instant) -> Self {
        let (in_force, cause) =
            (InForceStatus::new(&config.pools[state.pool.0], state), CauseName::from(&state.diagnosis.cause));
        let full = in_force.as_ref().map_or(0, InForceStatus::thousandths);
        let cost = Cost::of(state, now);
        Self { state, cost, weight: Rank::new(cost, cause, full), in_force, cause, rank: 0 }
    }

    fn told(self, config: &ConfigView) -> BriefPool {
        let Self { state, in_force, cause, cost, rank, .. } = self;
        let pool = &config.pools[state.pool.0];
        let (used, max, limit) =
            in_force.map_or((0, None, None), |limit| (limit.used, Some(limit.max), Some(limit.limit)));
        BriefPool {
            name: pool.name.clone(),
            key: (!state.key.is_empty()).then(|| state.key.to_string()),
            counts: counts(pool).to_owned(),
            used,
            max,
            in_force: limit,
            in_flight: state.usage.in_flight,
            waiting: state.waiting,
            held: cost.waiting,
            oldest_ms: state.waiters.oldest.map(|_| cost.oldest_ms),
            p95_ms: millis(state.waits.p95),
            eta_ms: eta_ms(state.eta),
            rank,
            cause,
        }
    }
}
