//! Observe mode: requests go at once, and the scheduler plays what it would have done with them.
//!
//! A request that would have waited leaves a double in the queue. When its turn comes, the double takes the places that the
//! request would have had then, for as long as the request was really under way.

use std::collections::BTreeMap;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::outcome::millis;
use super::state::Gate;
use super::stats::RefusalKey;
use crate::admission::{Acceptance, AdmissionRequest, Permit, Refusal, Turn};
use crate::config::Config;
use crate::refusal::Code;
use crate::route::{Asks, RouteId};

/// Which pools are observed, and what they would have done.
pub(super) struct Observer {
    /// The whole gate is observed: what holds or refuses requests beside the pools does not either.
    is_whole: bool,
    /// By the pool's place.
    pools: Vec<bool>,
    /// By the route's place in the table.
    routes: Vec<ObservedCounter>,
    refusals: Mutex<BTreeMap<RefusalKey, u64>>,
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

/// A request under way that has a double.
pub(super) struct ObservedRequest {
    sent: Instant,
    end: oneshot::Sender<ObservedEnd>,
}

/// How a request ended that has a double.
struct ObservedEnd {
    took: Duration,
    tokens: Option<u64>,
}

impl Observer {
    /// None if nothing is observed.
    pub(super) fn new(config: &Config) -> Option<Self> {
        let pools: Vec<bool> = config.pools.iter().map(|pool| pool.is_observed).collect();
        (config.is_observed || pools.contains(&true)).then(|| Self {
            is_whole: config.is_observed,
            pools,
            routes: config.routes.routes().map(|_| ObservedCounter::default()).collect(),
            refusals: Mutex::default(),
            log_wait: config.queue.log_wait,
        })
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
        self.routes.iter().map(counts).collect()
    }

    /// How many would have been refused, by what.
    pub(super) fn refusals(&self) -> Vec<(RefusalKey, u64)> {
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.iter().map(|(&refused, &requests)| (refused, requests)).collect()
    }
}

impl Gate {
    /// Plays what observed pools would do with a request, which goes now. A permit that they give at once is its own.
    pub(super) fn observe(
        &self,
        asks: &Asks,
        admission: AdmissionRequest,
        is_alone: bool,
    ) -> (Option<Permit>, Option<ObservedRequest>) {
        let route = admission.route;
        match self.admission.request(asks, admission) {
            Ok(Turn::Now(permit)) if is_alone => (Some(permit), None),
            Ok(turn) => {
                let (end, ended) = oneshot::channel();
                tokio::spawn(self.clone().play(route, turn, ended));
                (None, Some(ObservedRequest { sent: Instant::now(), end }))
            }
            Err(refusal) => {
                self.would_refuse(route, &refusal);
                (None, None)
            }
        }
    }

    /// A request that would have been refused for another reason than a pool's.
    pub(super) fn would_refuse_for(&self, route: RouteId, refused: RefusalKey) {
        let Some(observer) = &self.observer else { return };
        observer.routes[route.0].refused.fetch_add(1, Ordering::Relaxed);
        *observer.refusals.lock().unwrap_or_else(PoisonError::into_inner).entry(refused).or_default() += 1;
        let pool = refused.0.map(|pool| &*self.pools[pool.0].name);
        tracing::info!(route = self.routes.route(route).name, pool, code = refused.1, "observed: would be refused");
    }

    fn would_refuse(&self, route: RouteId, refusal: &Refusal) {
        if refusal.reason.code() != Code::Draining {
            self.would_refuse_for(route, (refusal.reason.pool(), refusal.reason.code().as_str()));
        }
    }

    fn would_wait(&self, route: RouteId, wait: Duration) {
        let Some(observer) = &self.observer else { return };
        let counter = &observer.routes[route.0];
        counter.waited.fetch_add(1, Ordering::Relaxed);
        counter.waited_us.fetch_add(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        let (route, wait_ms) = (&*self.routes.route(route).name, millis(wait));
        if wait >= observer.log_wait {
            tracing::info!(route, wait_ms, "observed: would have waited");
        } else {
            tracing::debug!(route, wait_ms, "observed: would have waited");
        }
    }

    /// A request's double, from the queue to the end of the response that would have been.
    async fn play(self, route: RouteId, turn: Turn, ended: oneshot::Receiver<ObservedEnd>) {
        let asked = Instant::now();
        let permit = match turn {
            Turn::Now(permit) => permit,
            Turn::Queued(queued) => match queued.turn().await {
                Ok(permit) => {
                    self.would_wait(route, asked.elapsed());
                    permit
                }
                Err(refusal) => return self.would_refuse(route, &refusal),
            },
        };
        let (sent, (place, mut in_flight)) = (Instant::now(), permit.split());
        place.sent();
        drop(place);
        // One that was never sent has no end.
        let Ok(ObservedEnd { took, tokens }) = ended.await else { return };
        if !(sent + took).checked_duration_since(Instant::now()).unwrap_or_default().is_zero() {
            sleep_until(sent + took).await;
        }
        in_flight.end(sent.into_std(), Some(&Acceptance::default()), tokens);
    }
}

impl ObservedRequest {
    /// The last byte of its response has come.
    pub(super) fn end(self, tokens: Option<u64>) {
        // A double that was refused in the queue has gone.
        drop(self.end.send(ObservedEnd { took: self.sent.elapsed(), tokens }));
    }
}
