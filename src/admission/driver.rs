use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};
use tokio::time;

use super::{AdmissionRequest, Arrival, Decision, Permit, QueuePosition, Refusal, Rules, Scheduler, Snapshot};
use crate::limit::{Fill, Outdated, SavedInstance};
use crate::queue::{Charges, Ticket};
use crate::route::{Ask, RouteId};

type PermitResult = Result<Permit, Refusal>;
type Driven = Scheduler<oneshot::Sender<PermitResult>>;

/// The one place that waits: the [`Scheduler`] under a lock that is never held over an `.await`, and a timer.
#[derive(Clone)]
pub struct Admission {
    shared: Arc<DriverState>,
}

/// Whether a request goes at once.
#[derive(Debug)]
pub enum Turn {
    /// It does.
    Now(Permit),
    /// It waits.
    Queued(QueuedRequest),
}

/// A request in the queue; dropped, it leaves the queue.
#[derive(Debug)]
pub struct QueuedRequest {
    admission: Admission,
    ticket: Ticket,
    route: RouteId,
    verdict: oneshot::Receiver<PermitResult>,
}

struct DriverState {
    scheduler: Mutex<Driven>,
    /// The scheduler wants to be called earlier than the timer knows.
    earlier: Arc<Notify>,
}

/// So many pool instances are looked at while everybody else is kept. A guess: it bounds how long that is.
const AT_ONCE: usize = 16;

impl Admission {
    /// Starts the timer, which ends with the last clone. Must be called within a tokio runtime.
    #[must_use]
    pub fn start(rules: Rules) -> Self {
        let earlier = Arc::new(Notify::new());
        let shared =
            Arc::new(DriverState { scheduler: Mutex::new(Scheduler::new(rules)), earlier: Arc::clone(&earlier) });
        tokio::spawn(keep_time(Arc::downgrade(&shared), earlier));
        Self { shared }
    }

    /// Asks for a place in all these pools; a request that asks nothing goes at once.
    ///
    /// # Errors
    /// [`Refusal`], where it is known at once.
    pub fn request(&self, asks: &[Ask], applicant: AdmissionRequest) -> Result<Turn, Refusal> {
        if asks.is_empty() {
            let place = applicant.position.unwrap_or_else(|| QueuePosition::nowhere(time::Instant::now().into_std()));
            return Ok(Turn::Now(Permit::new(self, Charges::new(), Duration::ZERO, place)));
        }
        let (route, mut verdict) = (applicant.route, None);
        let waiter = || {
            let (waiter, receiver) = oneshot::channel();
            verdict = Some(receiver);
            waiter
        };
        match self.with(|scheduler, now| scheduler.arrive(now, asks, applicant, waiter)) {
            Arrival::Granted { charges, position: place } => {
                Ok(Turn::Now(Permit::new(self, charges, Duration::ZERO, place).on(route)))
            }
            Arrival::Refused(refusal) => Err(refusal),
            Arrival::Queued { ticket, .. } => {
                let verdict = verdict.expect("a request that queues was asked for its waiter");
                Ok(Turn::Queued(QueuedRequest { admission: self.clone(), ticket, route, verdict }))
            }
        }
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
        self.with(|scheduler, _| scheduler.drain());
    }

    /// All that has been learned and is worth keeping over a restart.
    #[must_use]
    pub fn saved_estimates(&self) -> Vec<SavedInstance> {
        self.with(|scheduler, _| scheduler.saved_estimates())
    }

    /// What was learned before a restart holds again, as long as it would have without.
    ///
    /// # Errors
    /// [`Outdated`]: it changes nothing.
    pub fn recall(&self, saved: &SavedInstance) -> Result<(), Outdated> {
        self.with(|scheduler, now| scheduler.recall(now, saved))
    }

    /// How much of what is asked for there is, and is used; nothing where no limit is known.
    #[must_use]
    pub fn load(&self, ask: &Ask) -> Option<Fill> {
        self.with(|scheduler, now| scheduler.load(now, ask))
    }

    /// The state at this moment; of many pool instances, over some moments: those who ask for a place go between.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let (mut snapshot, mut rest) = self.with(|scheduler, now| {
            let (mut snapshot, mut rest) = scheduler.overview(now);
            if rest.len() <= AT_ONCE {
                snapshot.instances = rest.next(scheduler, now, AT_ONCE);
            }
            (snapshot, rest)
        });
        if !rest.is_empty() {
            rest.prepare();
        }
        while !rest.is_empty() {
            snapshot.instances.extend(self.with(|scheduler, now| rest.next(scheduler, now, AT_ONCE)));
        }
        snapshot
    }

    /// Whether it is stopping.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.shared.lock().is_draining()
    }

    /// Asks the scheduler something; what it decides on the way is delivered once the lock is free again.
    pub(super) fn with<T>(&self, ask: impl FnOnce(&mut Driven, Instant) -> T) -> T {
        let mut scheduler = self.shared.lock();
        let due = scheduler.poll_timeout();
        let answer = ask(&mut scheduler, time::Instant::now().into_std());
        let decisions = scheduler.take_decisions();
        let is_earlier = scheduler.poll_timeout().is_some_and(|at| due.is_none_or(|due| at < due));
        drop(scheduler);
        if is_earlier {
            self.shared.earlier.notify_one();
        }
        self.deliver(decisions);
        answer
    }

    /// A waiter that is gone leaves its permit with us, and dropping that gives it back.
    fn deliver(&self, decisions: Vec<Decision<oneshot::Sender<PermitResult>>>) {
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

impl QueuedRequest {
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
impl Drop for QueuedRequest {
    fn drop(&mut self) {
        self.admission.with(|scheduler, now| scheduler.cancel(now, self.ticket));
    }
}

impl DriverState {
    fn lock(&self) -> MutexGuard<'_, Driven> {
        self.scheduler.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The timer must not outlive what it keeps time for.
impl Drop for DriverState {
    fn drop(&mut self) {
        self.earlier.notify_one();
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Admission")
    }
}

/// Calls the scheduler whenever it wants to be called. Holds it only while it does.
async fn keep_time(shared: Weak<DriverState>, earlier: Arc<Notify>) {
    while let Some(admission) = shared.upgrade().map(|shared| Admission { shared }) {
        admission.with(Scheduler::handle_timeout);
        let due = admission.shared.lock().poll_timeout();
        drop(admission);
        match due {
            Some(due) => drop(time::timeout_at(due.into(), earlier.notified()).await),
            None => earlier.notified().await,
        }
    }
}
