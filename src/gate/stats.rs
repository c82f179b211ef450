use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::answers::{AnswerCounter, AnswerCounts, FailureStreak, Met, StreakCounter};
use super::histogram::{Distribution, Histogram};
use super::outcome::{End, Outcome, Source};
use crate::admission::ClientId;
use crate::limit::PoolId;
use crate::route::Table;
use tokio::time::Instant;

/// What has come of all requests since the start: of each kind, of each client, and of those that the gate refused.
pub(super) struct RequestStats {
    /// By the route's place in the table.
    routes: Vec<Arc<Counter>>,
    /// The errors of each route since its last success.
    errors: Vec<Arc<StreakCounter>>,
    shared: Arc<SharedStats>,
}

/// What is counted of no route.
#[derive(Default)]
struct SharedStats {
    /// The requests of all routes that got no response, since the last response.
    obstacles: StreakCounter,
    clients: RwLock<HashMap<ClientId, Box<Counter>>>,
    /// Of the clients that are told apart no more.
    others: Mutex<RequestCounts>,
    refusals: Mutex<BTreeMap<RefusalKey, u64>>,
}

/// By what a request was refused: a pool, if it was one, and the gate's code.
pub type RefusalKey = (Option<PoolId>, &'static str);

/// How many clients are told apart. Of more, the half that asks least is counted together. A guess: it bounds the
/// memory and the page.
const MOST: usize = 500;

/// What has come of some requests.
#[derive(Debug, Default)]
struct Counter {
    ended: [AtomicU64; End::ALL.len()],
    coalesced: AtomicU64,
    retried: AtomicU64,
    errors: AtomicU64,
    answers: AnswerCounter,
    wait: Histogram,
    upstream: Histogram,
}

/// What has come of some requests so far.
#[derive(Clone, Debug, Default)]
pub struct RequestCounts {
    /// How many ended in each way of [`End::ALL`].
    ended: [u64; End::ALL.len()],
    /// How many had the answer to another's.
    pub coalesced: u64,
    /// How many were sent more than once.
    pub retried: u64,
    /// How many of those that [passed](End::Passed) got an error.
    pub errors: u64,
    /// What they met at the upstream.
    pub answers: AnswerCounts,
    /// How long they waited for their turn, but for those that nobody waited for to the end.
    pub wait: Distribution,
    /// How long the upstream took, from the sending to the last byte.
    pub upstream: Distribution,
}

impl RequestStats {
    pub(super) fn new(routes: &Table) -> Self {
        Self {
            routes: routes.routes().map(|_| Arc::default()).collect(),
            errors: routes.routes().map(|_| Arc::default()).collect(),
            shared: Arc::default(),
        }
    }

    /// The same counters, and new ones for the routes that a table has beyond this one's.
    pub(super) fn following(&self, routes: &Table) -> Self {
        Self {
            routes: routes.routes().map(|(id, _)| self.routes.get(id.0).cloned().unwrap_or_default()).collect(),
            errors: routes.routes().map(|(id, _)| self.errors.get(id.0).cloned().unwrap_or_default()).collect(),
            shared: Arc::clone(&self.shared),
        }
    }

    /// A request has ended now.
    pub(super) fn count(&self, outcome: &Outcome, now: Instant) {
        let met = Met::of(outcome);
        self.routes[outcome.route.0].count(outcome, met);
        self.count_client(outcome, met);
        if let Some(met) = met {
            self.errors[outcome.route.0].count_errors(met, now);
            self.shared.obstacles.count_obstacles(met, now);
        }
        if let (End::Refused, Some(code)) = (outcome.end, outcome.code) {
            *lock(&self.shared.refusals).entry((outcome.pool, code)).or_default() += 1;
        }
    }

    /// Of each route, in the order of the table.
    pub(super) fn routes(&self) -> Vec<RequestCounts> {
        self.routes.iter().map(|counter| counter.counts()).collect()
    }

    /// The errors of each route since its last success, in the order of the table.
    pub(super) fn errors(&self) -> Vec<FailureStreak> {
        self.errors.iter().map(|counter| counter.streak()).collect()
    }

    /// The requests that got no response since the last response.
    pub(super) fn obstacles(&self) -> FailureStreak {
        self.shared.obstacles.streak()
    }

    /// Of each client that is told apart, who asks most first; and of the others.
    pub(super) fn clients(&self) -> (Vec<(ClientId, RequestCounts)>, RequestCounts) {
        let known = self.shared.clients.read().unwrap_or_else(PoisonError::into_inner);
        let mut clients: Vec<_> = known.iter().map(|(client, account)| (*client, account.counts())).collect();
        let others = lock(&self.shared.others).clone();
        drop(known);
        clients.sort_by_key(|(client, counted)| (Reverse(counted.requests()), *client));
        (clients, others)
    }

    /// How many the gate has refused, by what.
    pub(super) fn refusals(&self) -> Vec<(RefusalKey, u64)> {
        lock(&self.shared.refusals).iter().map(|(&refused, &requests)| (refused, requests)).collect()
    }

    fn count_client(&self, outcome: &Outcome, met: Option<Met>) {
        let known = self.shared.clients.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = known.get(&outcome.client) {
            return account.count(outcome, met);
        }
        drop(known);
        let mut known = self.shared.clients.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            self.forget_half(&mut known);
        }
        known.entry(outcome.client).or_default().count(outcome, met);
    }

    fn forget_half(&self, known: &mut HashMap<ClientId, Box<Counter>>) {
        let mut all: Vec<_> = mem::take(known).into_iter().collect();
        all.sort_by_key(|(_, account)| Reverse(account.requests()));
        let mut others = lock(&self.shared.others);
        all.drain(MOST / 2..).for_each(|(_, account)| others.add(&account.counts()));
        known.extend(all);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Counter {
    fn count(&self, outcome: &Outcome, met: Option<Met>) {
        self.ended[outcome.end as usize].fetch_add(1, Ordering::Relaxed);
        if outcome.source == Some(Source::Coalesced) {
            self.coalesced.fetch_add(1, Ordering::Relaxed);
        }
        if outcome.attempts > 1 {
            self.retried.fetch_add(1, Ordering::Relaxed);
        }
        if outcome.end == End::Passed && outcome.status.is_some_and(|status| status >= 400) {
            self.errors.fetch_add(1, Ordering::Relaxed);
        }
        met.into_iter().for_each(|met| self.answers.count(met));
        if outcome.status.is_some() {
            self.wait.record(outcome.wait);
        }
        outcome.upstream.iter().for_each(|&took| self.upstream.record(took));
    }

    fn requests(&self) -> u64 {
        self.ended.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    fn counts(&self) -> RequestCounts {
        RequestCounts {
            ended: self.ended.each_ref().map(|count| count.load(Ordering::Relaxed)),
            coalesced: self.coalesced.load(Ordering::Relaxed),
            retried: self.retried.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            answers: self.answers.counts(),
            wait: self.wait.distribution(),
            upstream: self.upstream.distribution(),
        }
    }
}

impl RequestCounts {
    /// How many there were.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.ended.iter().sum()
    }

    /// How many ended so.
    #[must_use]
    pub fn ended(&self, how: End) -> u64 {
        self.ended[how as usize]
    }

    /// Counts these as well.
    pub fn add(&mut self, more: &Self) {
        self.ended.iter_mut().zip(more.ended).for_each(|(count, more)| *count += more);
        self.coalesced += more.coalesced;
        self.retried += more.retried;
        self.errors += more.errors;
        self.answers.add(&more.answers);
        self.wait.add(&more.wait);
        self.upstream.add(&more.upstream);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::RouteId;
    use http::Method;

    fn of(client: u64) -> Outcome {
        let left = Outcome::of(RouteId(0), Method::GET, ClientId(client));
        Outcome { end: End::Passed, status: Some(200), ..left }
    }

    #[test]
    fn every_way_to_end_has_a_place_of_its_own() {
        for (place, how) in End::ALL.into_iter().enumerate() {
            assert_eq!(how as usize, place);
        }
    }

    #[test]
    fn of_more_clients_than_are_told_apart_nothing_is_lost_and_the_busy_ones_stay() {
        let books = RequestStats::new(&Table::default());
        for client in 0..3_000 {
            books.count(&of(client), Instant::now());
            books.count(&of(7), Instant::now());
        }
        let (clients, others) = books.clients();
        assert!(clients.len() <= MOST, "{}", clients.len());
        assert_eq!((clients[0].0, clients[0].1.requests()), (ClientId(7), 3_001));
        let all = clients.iter().map(|(_, counted)| counted.requests()).sum::<u64>() + others.requests();
        assert_eq!((all, books.routes()[0].requests()), (6_000, 6_000));
    }

    #[test]
    fn a_client_that_left_without_an_answer_has_no_wait_that_is_known() {
        let books = RequestStats::new(&Table::default());
        books.count(&Outcome::of(RouteId(0), Method::GET, ClientId(1)), Instant::now());
        let route = &books.routes()[0];
        assert_eq!((route.requests(), route.ended(End::Left), route.wait.count()), (1, 1, 0));
    }
}
