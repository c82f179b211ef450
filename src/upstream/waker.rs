use std::cell::Cell;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use futures_util::task::AtomicWaker;

thread_local! {
    static MUTED: Cell<bool> = const { Cell::new(false) };
}

/// The one waker that a connection ever sees. It wakes whichever task drives the connection at the moment, so that an
/// idle connection holds no task that used it, and a task is not woken by what it does itself.
pub(super) struct DriverWaker {
    task: Arc<Task>,
    waker: Waker,
}

#[derive(Default)]
struct Task(AtomicWaker);

impl DriverWaker {
    pub(super) fn new() -> Self {
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
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !MUTED.get() {
            self.0.wake();
        }
    }
}

/// Runs something that wakes the task itself by way of its connection, and need not: it takes from a channel whose other end
/// is in a connection that the task drives again before it waits. Other threads may wake it meanwhile.
pub(super) fn muted<T>(take: impl FnOnce() -> T) -> T {
    let _muted = Muted::begin();
    take()
}

struct Muted;

impl Muted {
    fn begin() -> Self {
        MUTED.set(true);
        Self
    }
}

impl Drop for Muted {
    fn drop(&mut self) {
        MUTED.set(false);
    }
}
