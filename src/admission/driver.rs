use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use smallvec::SmallVec;
use tokio::sync::{Notify, oneshot};
use tokio::time;

use super::locked::LockedScheduler;
use super::permit::{Permit, SharedScheduler, Waiter};
use super::{AdmissionRequest, Arrival, ClientId, QueuePosition, Refusal, Rules, Scheduler, Snapshot};
use crate::limit::{Fill, Outdated, PoolId, SavedInstance};
use crate::queue::{Charges, Ticket};
use crate::route::{Ask, RouteId};

/// The one place that waits: the [`Scheduler`] under a lock that is never held over an `.await`, and a timer.
#[derive(Clone)]
pub struct Admission {
    pub(super) scheduler: SharedScheduler,
}

/// Whether a request goes at once.
#[derive(Debug)]
pub enum Turn {
    /// It does.
    Now(Permit),
    /// It waits.
    Queued(PendingPermit),
}

/// The permit of a request in the queue; dropped, the request leaves the queue.
#[derive(Debug)]
pub struct PendingPermit {
    scheduler: SharedScheduler,
    ticket: Ticket,
    route: RouteId,
    verdict: oneshot::Receiver<Result<Permit, Refusal>>,
}

/// So many pool instances are looked at while everybody else is kept. A guess: it bounds how long that is.
pub(super) const AT_ONCE: usize = 16;

impl Admission {
    /// Starts the timer, which ends with the last clone. Must be called within a tokio runtime.
    #[must_use]
    pub fn start(rules: Rules) -> Self {
        let earlier = Arc::new(Notify::new());
        let scheduler = Arc::new(LockedScheduler::new(rules, Arc::clone(&earlier)));
        tokio::spawn(keep_time(Arc::downgrade(&scheduler), earlier));
        Self { scheduler: SharedScheduler(scheduler) }
    }

    /// Asks for a place in all these pools; a request that asks nothing goes at once.
    ///
    /// # Errors
    /// [`Refusal`], where it is known at once.
    pub fn request(&self, asks: &[Ask], applicant: AdmissionRequest) -> Result<Turn, Refusal> {
        if asks.is_empty() {
            return Ok(Turn::Now(self.free(applicant)));
        }
        let (route, mut verdict) = (applicant.route, None);
        let waiter = || {
            let (waiter, receiver) = oneshot::channel();
            verdict = Some(receiver);
            waiter
        };
        match self.scheduler.with(|scheduler, now| scheduler.arrive(now, asks, applicant, waiter)) {
            Arrival::Granted { charges, position: place } => {
                Ok(Turn::Now(Permit::new(&self.scheduler, charges, Duration::ZERO, place).on(route)))
            }
            Arrival::Refused(refusal) => Err(refusal),
            Arrival::Queued { ticket, .. } => {
                self.scheduler.0.waits();
                let verdict = verdict.expect("a request that queues was asked for its waiter");
                Ok(Turn::Queued(PendingPermit { scheduler: self.scheduler.clone(), ticket, route, verdict }))
            }
        }
    }

    /// The permit of a request that asks nothing.
    pub fn free(&self, applicant: AdmissionRequest) -> Permit {
        let place = applicant.position.unwrap_or_else(|| QueuePosition::nowhere(time::Instant::now().into_std()));
        Permit::new(&self.scheduler, Charges::new(), Duration::ZERO, place)
    }

    /// Waits for a place in all these pools. Dropped at any time, the request leaves the queue.
    ///
    /// # Errors
    /// [`Refusal`], at once where it is known at once.
    pub async fn acquire(&self, asks: &[Ask], applicant: AdmissionRequest) -> Result<Permit, Refusal> {
        match self.request(asks, applicant)? {
            Turn::Now(permit) => Ok(permit),
            Turn::Queued(queued) => queued.turn().await,
        }
    }

    /// Refuses everybody who waits and whoever comes from now on.
    pub fn drain(&self) {
        self.scheduler.with(|scheduler, _| scheduler.drain());
    }

    /// The same pools have these limits and bounds from now on, and clients these shares.
    pub fn reload(&self, rules: Rules) {
        self.scheduler.with(|scheduler, now| {
            scheduler.reweigh(rules.weights);
            scheduler.reload(now, rules.pools, rules.max_waiting);
        });
    }

    /// All that has been learned and is worth keeping over a restart.
    #[must_use]
    pub fn saved_estimates(&self) -> Vec<SavedInstance> {
        self.scheduler.with(|scheduler, _| scheduler.saved_estimates())
    }

    /// What was learned before a restart holds again, as long as it would have without.
    ///
    /// # Errors
    /// [`Outdated`]: it changes nothing.
    pub fn recall(&self, saved: &SavedInstance) -> Result<(), Outdated> {
        self.scheduler.with(|scheduler, now| scheduler.recall(now, saved))
    }

    /// How much of what each of these asks for there is, and is used; nothing where no limit is known.
    #[must_use]
    pub fn loads<'a>(&self, asks: impl IntoIterator<Item = &'a Ask>) -> SmallVec<[Option<Fill>; 2]> {
        self.scheduler.with(|scheduler, now| asks.into_iter().map(|ask| scheduler.load(now, ask)).collect())
    }

    /// The state at this moment; of many pool instances, over some moments: those who ask for a place go between.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot_for(None)
    }

    /// The same, with what the next request of this client would meet.
    #[must_use]
    pub fn snapshot_for(&self, client: Option<ClientId>) -> Snapshot {
        let (mut snapshot, mut rest) = self.scheduler.with(|scheduler, now| {
            let (mut snapshot, mut rest) = scheduler.overview(now);
            if let Some(client) = client {
                rest = rest.foretelling(client);
            }
            if rest.len() <= AT_ONCE {
                snapshot.instances = rest.next(scheduler, now, AT_ONCE);
            }
            (snapshot, rest)
        });
        if !rest.is_empty() {
            rest.prepare();
        }
        while !rest.is_empty() {
            snapshot.instances.extend(self.scheduler.with(|scheduler, now| rest.next(scheduler, now, AT_ONCE)));
        }
        snapshot
    }

    /// What each of these requests waits for now: the pool, and which instance of it. Nothing for those that wait no longer.
    #[must_use]
    pub fn waits_for(&self, tickets: &[Ticket]) -> Vec<Option<(PoolId, Arc<str>)>> {
        self.scheduler.with(|scheduler, _| tickets.iter().map(|&ticket| scheduler.waits_for(ticket)).collect())
    }

    /// Whether it is stopping.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.scheduler.0.is_draining()
    }
}

impl PendingPermit {
    /// How to find the request in the queue.
    #[must_use]
    pub fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// Waits for the request's turn.
    ///
    /// # Errors
    /// [`Refusal`]: it waits no longer.
    pub async fn turn(mut self) -> Result<Permit, Refusal> {
        let granted = (&mut self.verdict).await.unwrap_or(Err(Refusal::DRAINING))?;
        Ok(granted.on(self.route))
    }
}

/// It leaves the queue. A permit that was granted in the meantime lies in the channel and is dropped with it, which refunds
/// it.
impl Drop for PendingPermit {
    fn drop(&mut self) {
        self.scheduler.with(|scheduler, now| scheduler.cancel(now, self.ticket));
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Admission")
    }
}

/// Calls the scheduler whenever it wants to be called. Holds it only while it does.
async fn keep_time(scheduler: Weak<LockedScheduler<Waiter>>, earlier: Arc<Notify>) {
    while let Some(scheduler) = scheduler.upgrade().map(SharedScheduler) {
        scheduler.with(Scheduler::handle_timeout);
        let due = scheduler.0.poll_timeout();
        drop(scheduler);
        match due {
            Some(due) => drop(time::timeout_at(due.into(), earlier.notified()).await),
            None => earlier.notified().await,
        }
    }
}
