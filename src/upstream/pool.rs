use std::cell::Cell;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

/// How often idle connections are looked through for those that have timed out or were closed. A guess: one that is closed
/// is noticed as it is taken as well.
const SWEEP: Duration = Duration::from_secs(5);

/// The idle connections to an upstream. The one that was used last goes first, so that those beyond need time out.
///
/// Each thread has a shard of its own, so that threads do not wait for each other. A thread that finds its own empty takes
/// from the others': their runtime then wakes it for each piece that comes, which is less than to connect anew.
pub(super) struct Pool<C> {
    shards: Box<[Mutex<Vec<Idle<C>>>]>,
    is_swept: AtomicBool,
}

/// What a pool keeps.
pub(super) trait Pooled: Send + 'static {
    /// Whether the other side has closed it while it was idle.
    fn is_closed(&mut self) -> bool;
}

struct Idle<C> {
    connection: Box<C>,
    /// From when on it is used no more.
    expires: Instant,
}

impl<C: Pooled> Pool<C> {
    pub(super) fn new() -> Arc<Self> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Arc::new(Self { shards: (0..threads).map(|_| Mutex::default()).collect(), is_swept: AtomicBool::new(false) })
    }

    /// An idle connection. Its upstream may have closed it: that shows as it is used.
    pub(super) fn take(&self) -> Option<Box<C>> {
        let (own, now) = (thread_index(), Instant::now());
        (0..self.shards.len()).find_map(|nth| self.take_from(own.wrapping_add(nth), now))
    }

    fn take_from(&self, index: usize, now: Instant) -> Option<Box<C>> {
        let mut shard = self.shard(index);
        let newest = shard.pop()?;
        if newest.expires > now {
            return Some(newest.connection);
        }
        // Those below it have been idle for longer.
        let expired = mem::take(&mut *shard);
        drop(shard);
        drop((newest, expired));
        None
    }

    /// Takes back a connection that has become idle.
    pub(super) fn put(self: &Arc<Self>, connection: Box<C>, idle_timeout: Duration) {
        let expires = Instant::now() + idle_timeout;
        self.shard(thread_index()).push(Idle { connection, expires });
        if !self.is_swept.load(Ordering::Relaxed) && !self.is_swept.swap(true, Ordering::AcqRel) {
            self.start_sweeping();
        }
    }

    fn shard(&self, index: usize) -> MutexGuard<'_, Vec<Idle<C>>> {
        let shard = &self.shards[index % self.shards.len()];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One task sweeps for as long as there is an idle connection.
    fn start_sweeping(self: &Arc<Self>) {
        let pool = Arc::downgrade(self);
        // Without a runtime, as when it shuts down, nothing is idle for long.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(sweep(pool));
        }
    }

    /// Closes what has timed out or was closed; says whether nothing is left.
    fn sweep(&self) -> bool {
        let now = Instant::now();
        let mut is_empty = true;
        for index in 0..self.shards.len() {
            let mut shard = self.shard(index);
            let closed: Vec<_> =
                shard.extract_if(.., |idle| idle.expires <= now || idle.connection.is_closed()).collect();
            is_empty &= shard.is_empty();
            drop(shard);
            drop(closed);
        }
        is_empty
    }
}

async fn sweep<C: Pooled>(pool: Weak<Pool<C>>) {
    loop {
        sleep(SWEEP).await;
        let Some(pool) = pool.upgrade() else { return };
        if !pool.sweep() {
            continue;
        }
        pool.is_swept.store(false, Ordering::Release);
        // One that came after the look has seen that it is swept.
        if pool.sweep() || pool.is_swept.swap(true, Ordering::AcqRel) {
            return;
        }
    }
}

/// A number for each thread, counted from zero.
fn thread_index() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static INDEX: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed));
    }
    INDEX.get()
}
