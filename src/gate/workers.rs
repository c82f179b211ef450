use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{io, thread};

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

/// One runtime of one thread for each core. A connection stays on the one that it is given to, with all that is done for its
/// requests: no task changes threads, and no thread has to wake another to go on with a request.
///
/// Measured against one runtime of as many threads (docs/forwarding.md): less CPU for a request.
pub struct Workers {
    runtimes: Vec<Handle>,
    next: AtomicUsize,
    ending: CancellationToken,
}

impl Workers {
    /// Starts the threads, which end as this is dropped.
    ///
    /// # Errors
    /// The system has no more threads or files.
    pub fn start() -> io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let ending = CancellationToken::new();
        let runtimes = (0..cores).map(|nth| start(nth, ending.clone())).collect::<io::Result<_>>()?;
        Ok(Self { runtimes, next: AtomicUsize::new(0), ending })
    }

    /// The one whose turn it is.
    pub(super) fn next(&self) -> &Handle {
        &self.runtimes[self.next.fetch_add(1, Ordering::Relaxed) % self.runtimes.len()]
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.ending.cancel();
    }
}

fn start(nth: usize, ending: CancellationToken) -> io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let run = move || {
        runtime.block_on(ending.run_until_cancelled_owned(pending::<()>()));
        // A name that is being looked up, say, would be waited for.
        runtime.shutdown_background();
    };
    thread::Builder::new().name(format!("worker-{nth}")).spawn(run)?;
    Ok(handle)
}
