//! The requests that wait and the last that ended, for people who look for theirs.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use slab::Slab;
use tokio::time::Instant;

use super::outcome::Outcome;
use crate::admission::{Admission, ClientId};
use crate::limit::PoolId;
use crate::queue::Ticket;
use crate::route::RouteId;

/// So many that ended are kept. A guess: more than anyone reads, and 40 KB.
pub const KEPT: usize = 200;

/// The requests that wait, and the last that ended.
#[derive(Debug, Default)]
pub(super) struct RequestLog {
    ended: Mutex<Ended>,
    waiting: Mutex<Slab<WaitingRequest>>,
}

#[derive(Debug, Default)]
struct Ended {
    /// How many there have been.
    count: u64,
    /// The newest last.
    kept: VecDeque<EndedRequest>,
}

/// A request that is over.
#[derive(Clone, Debug)]
pub struct EndedRequest {
    /// Counts the requests that ended, from 1.
    pub number: u64,
    /// When it ended.
    pub at: Instant,
    /// How.
    pub outcome: Outcome,
    /// What it waited for first, if it waited: the pool, and which instance of it.
    pub waited_for: Option<WaitedFor>,
}

/// A pool, and which instance of it.
pub type WaitedFor = (PoolId, Arc<str>);

/// A request in the queue.
#[derive(Clone, Debug)]
pub struct WaitingRequest {
    /// Its route.
    pub route: RouteId,
    /// Its client.
    pub client: ClientId,
    /// When it arrived.
    pub arrived: Instant,
    pub(super) ticket: Ticket,
}

/// A request that waits; dropped, it waits no longer.
pub(super) struct WaitingEntry<'l> {
    log: &'l RequestLog,
    place: usize,
}

impl RequestLog {
    /// A request has ended.
    pub(super) fn ended(&self, at: Instant, outcome: Outcome, waited_for: Option<WaitedFor>) {
        let mut ended = lock(&self.ended);
        ended.count += 1;
        let number = ended.count;
        if ended.kept.len() == KEPT {
            ended.kept.pop_front();
        }
        ended.kept.push_back(EndedRequest { number, at, outcome, waited_for });
    }

    /// A request waits.
    pub(super) fn waits(&self, waiting: WaitingRequest) -> WaitingEntry<'_> {
        WaitingEntry { log: self, place: lock(&self.waiting).insert(waiting) }
    }

    /// The last that ended, the newest first.
    pub(super) fn last(&self) -> Vec<EndedRequest> {
        lock(&self.ended).kept.iter().rev().cloned().collect()
    }

    /// Those that wait, the oldest first, each with what it waits for now.
    pub(super) fn waiting(&self, admission: &Admission) -> Vec<(WaitingRequest, WaitedFor)> {
        let mut waiting: Vec<_> = lock(&self.waiting).iter().map(|(_, waiting)| waiting.clone()).collect();
        waiting.sort_by_key(|waiting| waiting.arrived);
        let tickets: Vec<_> = waiting.iter().map(|waiting| waiting.ticket).collect();
        let pools = admission.waits_for(&tickets);
        waiting.into_iter().zip(pools).filter_map(|(waiting, pool)| Some((waiting, pool?))).collect()
    }
}

impl Drop for WaitingEntry<'_> {
    fn drop(&mut self) {
        lock(&self.log.waiting).remove(self.place);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Method;

    #[test]
    fn the_last_two_hundred_are_kept() {
        let log = RequestLog::default();
        for client in 0..1_000 {
            let outcome = Outcome::of(RouteId(0), Method::GET, ClientId(client));
            log.ended(Instant::now(), outcome, None);
        }
        let last: Vec<_> = log.last().into_iter().map(|one| (one.number, one.outcome.client)).collect();
        assert_eq!(last.len(), KEPT);
        assert_eq!((last[0], last[KEPT - 1]), ((1_000, ClientId(999)), (801, ClientId(800))));
    }
}
