use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;
use tokio::time;

use super::commit::CommitLog;
use super::{Decision, Rules, Scheduler};

/// The [`Scheduler`] under a lock that is never held over an `.await`.
pub(super) struct LockedScheduler<W> {
    scheduler: Mutex<Scheduler<W>>,
    /// The scheduler wants to be called earlier than the timer knows.
    earlier: Arc<Notify>,
    /// Hears of what is sent.
    commits: OnceLock<Arc<dyn CommitLog>>,
    /// Hears of each request that waits, where limits are shared.
    wanted: OnceLock<Arc<Notify>>,
}

impl<W> LockedScheduler<W> {
    /// A scheduler with these rules, which notifies the timer when it wants to be called earlier.
    pub(super) fn new(rules: Rules, earlier: Arc<Notify>) -> Self {
        Self {
            scheduler: Mutex::new(Scheduler::new(rules)),
            earlier,
            commits: OnceLock::new(),
            wanted: OnceLock::new(),
        }
    }

    /// Asks the scheduler something. What it decides on the way is to be delivered now, as the lock is free again.
    pub(super) fn ask<T>(&self, ask: impl FnOnce(&mut Scheduler<W>, Instant) -> T) -> (T, Vec<Decision<W>>) {
        let mut scheduler = self.lock();
        let due = scheduler.poll_timeout();
        let answer = ask(&mut scheduler, time::Instant::now().into_std());
        let decisions = scheduler.take_decisions();
        let is_earlier = scheduler.poll_timeout().is_some_and(|at| due.is_none_or(|due| at < due));
        drop(scheduler);
        if is_earlier {
            self.earlier.notify_one();
        }
        (answer, decisions)
    }

    /// When it wants to be called.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.lock().poll_timeout()
    }

    /// From now on this hears of what is sent, unless another does.
    pub(super) fn log_commits(&self, log: Arc<dyn CommitLog>) {
        drop(self.commits.set(log));
    }

    /// From now on this hears of each request that waits.
    pub(super) fn wanted(&self) -> Arc<Notify> {
        Arc::clone(self.wanted.get_or_init(Arc::default))
    }

    /// A request waits.
    pub(super) fn waits(&self) {
        if let Some(wanted) = self.wanted.get() {
            wanted.notify_one();
        }
    }

    /// What hears of what is sent.
    pub(super) fn commits(&self) -> Option<&dyn CommitLog> {
        self.commits.get().map(|log| &**log)
    }

    /// Whether it is stopping.
    pub(super) fn is_draining(&self) -> bool {
        self.lock().is_draining()
    }

    fn lock(&self) -> MutexGuard<'_, Scheduler<W>> {
        self.scheduler.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The timer must not outlive what it keeps time for.
impl<W> Drop for LockedScheduler<W> {
    fn drop(&mut self) {
        self.earlier.notify_one();
    }
}
