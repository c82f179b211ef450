use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fmt, mem};

use smallvec::SmallVec;
use tokio::sync::oneshot;
use tokio::time;

use super::commit::Commit;
use super::locked::LockedScheduler;
use super::{Decision, QueuePosition, Refusal, Scheduler};
use crate::hints::{Allowance, Pushback};
use crate::limit::PoolId;
use crate::queue::Charges;
use crate::route::RouteId;

/// Whom the scheduler tells what becomes of a request.
pub(super) type Waiter = oneshot::Sender<Result<Permit, Refusal>>;

/// The scheduler, as all that hold places in its pools share it.
#[derive(Clone)]
pub(super) struct SharedScheduler(pub(super) Arc<LockedScheduler<Waiter>>);

/// Leave to send one request. It comes apart into what is used up when the request is sent and what lasts until its
/// answer has ended; whatever is dropped is accounted for.
#[derive(Debug)]
#[must_use = "a permit that is dropped gives its places back"]
pub struct Permit {
    /// How long it was waited for.
    pub waited: Duration,
    /// Where the request stands should it ask again.
    pub again: QueuePosition,
    place: Place,
    in_flight: InFlight,
}

/// The places in the windows. It travels with the request: spent when that is sent, given back if it never is.
#[derive(Debug)]
pub struct Place {
    scheduler: SharedScheduler,
    charges: Charges,
    sent: Cell<bool>,
}

/// The places in flight. It travels with the answer and ends with the last byte of it.
#[derive(Debug)]
pub struct InFlight {
    scheduler: SharedScheduler,
    charges: Charges,
    route: RouteId,
}

/// That the upstream took a request, and what its answer says of it.
#[derive(Debug, Default)]
pub struct Acceptance {
    /// What is left.
    pub allowances: SmallVec<[Allowance; 2]>,
    /// What the request asks for is there no more.
    pub is_gone: bool,
}

impl SharedScheduler {
    /// Asks the scheduler something; what it decides on the way is delivered once the lock is free again.
    pub(super) fn with<T>(&self, ask: impl FnOnce(&mut Scheduler<Waiter>, Instant) -> T) -> T {
        let (answer, decisions) = self.0.ask(ask);
        self.deliver(decisions);
        answer
    }

    /// A waiter that is gone leaves its permit with us, and dropping that gives it back.
    fn deliver(&self, decisions: Vec<Decision<Waiter>>) {
        for decision in decisions {
            let (waiter, verdict) = match decision {
                Decision::Grant { waiter, charges, position: place } => {
                    let waited = time::Instant::now().into_std().saturating_duration_since(place.arrived());
                    (waiter, Ok(Permit::new(self, charges, waited, place)))
                }
                Decision::Refuse { waiter, refusal } => (waiter, Err(refusal)),
            };
            drop(waiter.send(verdict));
        }
    }
}

impl fmt::Debug for SharedScheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedScheduler")
    }
}

impl Permit {
    pub(super) fn new(scheduler: &SharedScheduler, charges: Charges, waited: Duration, again: QueuePosition) -> Self {
        let in_flight = InFlight { scheduler: scheduler.clone(), charges: charges.clone(), route: RouteId::default() };
        let place = Place { scheduler: scheduler.clone(), charges, sent: Cell::new(false) };
        Self { waited, again, place, in_flight }
    }

    /// It is for a request of this kind.
    pub(super) fn on(mut self, route: RouteId) -> Self {
        self.in_flight.route = route;
        self
    }

    /// What goes with the request, and what goes with the answer.
    pub fn split(self) -> (Place, InFlight) {
        (self.place, self.in_flight)
    }
}

impl Place {
    /// The head of the request is being written to the upstream: from this instant on it counts. Saying so again
    /// changes nothing.
    pub fn sent(&self) {
        if self.sent.replace(true) || self.charges.is_empty() {
            return;
        }
        let Some(log) = self.scheduler.0.commits() else {
            return self.scheduler.with(|scheduler, now| scheduler.commit(now, &self.charges));
        };
        let (number, charges) = self.scheduler.with(|scheduler, now| {
            scheduler.commit(now, &self.charges);
            scheduler.sent(&self.charges)
        });
        log.committed(&Commit { number, charges });
    }
}

impl InFlight {
    /// The upstream took the request, which was sent at `sent_at` or a little later.
    pub fn accepted(&self, sent_at: Instant, acceptance: &Acceptance) {
        if !self.charges.is_empty() {
            self.scheduler
                .with(|scheduler, now| accept(scheduler, now, &self.charges, sent_at, self.route, acceptance));
        }
    }

    /// Of the request's pools with a limit of requests: which has the least left, and how much.
    #[must_use]
    pub fn tightest(&self) -> Option<(PoolId, u64)> {
        if self.charges.is_empty() {
            return None;
        }
        self.scheduler.with(|scheduler, now| scheduler.tightest(now, &self.charges))
    }

    /// The upstream refused the request, which was sent at `sent_at` or a little later.
    pub fn refused(&self, sent_at: Instant, pushback: &Pushback) {
        if !self.charges.is_empty() {
            self.scheduler.with(|scheduler, now| scheduler.refused(now, &self.charges, sent_at, pushback));
        }
    }

    /// The answer to the request, which was sent at `sent_at` or a little later, has ended: what admission has not been told
    /// yet of its acceptance, and the tokens that it has cost, if it says so.
    pub fn end(&mut self, sent_at: Instant, acceptance: Option<&Acceptance>, tokens: Option<u64>) {
        let charges = mem::take(&mut self.charges);
        if charges.is_empty() {
            return;
        }
        self.scheduler.with(|scheduler, now| {
            if let Some(acceptance) = acceptance {
                accept(scheduler, now, &charges, sent_at, self.route, acceptance);
            }
            if let Some(tokens) = tokens {
                scheduler.settle(now, &charges, sent_at, tokens);
            }
            scheduler.release(now, &charges);
        });
    }
}

fn accept(
    scheduler: &mut Scheduler<Waiter>,
    now: Instant,
    charges: &Charges,
    sent_at: Instant,
    route: RouteId,
    Acceptance { allowances, is_gone }: &Acceptance,
) {
    scheduler.answered(now, charges, sent_at, route, *is_gone);
    scheduler.accepted(now, charges, sent_at, allowances);
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.sent.get() && !self.charges.is_empty() {
            self.scheduler.with(|scheduler, now| scheduler.refund(now, &self.charges));
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if !self.charges.is_empty() {
            self.scheduler.with(|scheduler, now| scheduler.release(now, &self.charges));
        }
    }
}
