use std::cell::Cell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

thread_local! {
    static WAKES: Cell<Wakes> = const { Cell::new(Wakes::Pass) };
    static POSTPONED: Cell<Option<Arc<Task>>> = const { Cell::new(None) };
}

/// What becomes of a wake on this thread.
#[derive(Clone, Copy)]
enum Wakes {
    Pass,
    Forget,
    Postpone,
}

/// The one waker that a connection ever sees. It wakes whichever task drives the connection at the moment, so that an
/// idle connection holds no task that used it, and a task is not woken by what it does itself.
pub(crate) struct DriverWaker {
    task: Arc<Task>,
    waker: Waker,
}

#[derive(Default)]
struct Task(AtomicWaker);

impl DriverWaker {
    pub(crate) fn new() -> Self {
        let task = Arc::new(Task::default());
        Self { waker: Waker::from(Arc::clone(&task)), task }
    }

    /// From now on it wakes this task.
    pub(super) fn register(&self, cx: &Context<'_>) {
        self.task.0.register(cx.waker());
    }

    /// From now on it wakes no task.
    pub(super) fn forget(&self) {
        drop(self.task.0.take());
    }

    pub(super) fn context(&self) -> Context<'_> {
        Context::from_waker(&self.waker)
    }

    /// Polls a connection, which never sees another waker than this.
    pub(crate) fn poll<F: Future>(&self, connection: Pin<&mut F>, cx: &Context<'_>) -> Poll<F::Output> {
        self.register(cx);
        connection.poll(&mut self.context())
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        match WAKES.get() {
            Wakes::Pass => self.0.wake(),
            Wakes::Forget => {}
            Wakes::Postpone => Postponed(POSTPONED.replace(Some(Arc::clone(self)))).wake(),
        }
    }
}

/// Runs something that wakes the task itself by way of its connection, and need not: it takes from a channel whose other end
/// is in a connection that the task drives again before it waits. Other threads may wake it meanwhile.
pub(super) fn muted<T>(take: impl FnOnce() -> T) -> T {
    let _setting = Setting::begin(Wakes::Forget);
    take()
}

/// Runs something that may wake a task by way of its connection, and keeps that wake: what was taken tells whether it is
/// needed.
pub(super) fn postponed<T>(take: impl FnOnce() -> T) -> (T, Postponed) {
    let setting = Setting::begin(Wakes::Postpone);
    let taken = take();
    drop(setting);
    (taken, Postponed(POSTPONED.take()))
}

/// A wake that has been kept, if there was one. Dropped, it never happens.
pub(super) struct Postponed(Option<Arc<Task>>);

impl Postponed {
    pub(super) fn wake(self) {
        if let Some(task) = self.0 {
            task.0.wake();
        }
    }
}

struct Setting;

impl Setting {
    fn begin(wakes: Wakes) -> Self {
        WAKES.set(wakes);
        Self
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        WAKES.set(Wakes::Pass);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often a task is woken by what happens to its connection.
    fn wakes(happens: impl FnOnce(&Waker)) -> usize {
        let (counter, connection) = (Arc::new(Counter::default()), DriverWaker::new());
        connection.register(&Context::from_waker(&Waker::from(Arc::clone(&counter))));
        happens(connection.context().waker());
        counter.0.load(Ordering::Relaxed)
    }

    #[test]
    fn postponed_wake_waits_to_be_asked_for() {
        assert_eq!(wakes(Waker::wake_by_ref), 1);
        assert_eq!(wakes(|connection| muted(|| connection.wake_by_ref())), 0);
        assert_eq!(wakes(|connection| drop(postponed(|| connection.wake_by_ref()))), 0);
        assert_eq!(wakes(|connection| postponed(|| connection.wake_by_ref()).1.wake()), 1);
        assert_eq!(wakes(|_| postponed(|| ()).1.wake()), 0);
    }

    #[test]
    fn postponed_wakes_of_two_connections_both_happen() {
        let other = |other: &Waker| assert_eq!(wakes(|one| both(one, other).wake()), 1);
        assert_eq!(wakes(other), 1);
    }

    fn both(one: &Waker, other: &Waker) -> Postponed {
        let twice = || {
            other.wake_by_ref();
            one.wake_by_ref();
        };
        postponed(twice).1
    }
}
