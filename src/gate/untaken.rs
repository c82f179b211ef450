use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::rt::Executor;
use tokio::task_local;
use tokio::time::{Instant, sleep};

/// Runs the streams of HTTP/2 clients, and ends one whose client takes nothing of its response.
///
/// Over HTTP/1.1 the connection's own [`Socket`](super::socket::Socket) sees that; the connection of HTTP/2 goes on.
#[derive(Clone)]
pub(super) struct StreamExecutor {
    /// How long a client may take nothing.
    pub(super) stall: Duration,
}

/// Since when a piece of a response waits to be taken; nothing while the client waits for the next.
#[derive(Debug)]
pub(super) struct Untaken(Mutex<Option<Instant>>);

task_local! {
    static UNTAKEN: Arc<Untaken>;
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for StreamExecutor {
    fn execute(&self, stream: F) {
        let (untaken, stall) = (Arc::new(Untaken(Mutex::default())), self.stall);
        tokio::spawn(UNTAKEN.scope(Arc::clone(&untaken), async move {
            tokio::select! {
                biased;
                () = stream => {}
                () = untaken.lasts(stall) => tracing::debug!("a client takes nothing of a response"),
            }
        }));
    }
}

impl Untaken {
    /// That of the stream whose task this is.
    pub(super) fn of_stream() -> Option<Arc<Self>> {
        UNTAKEN.try_with(Arc::clone).ok()
    }

    /// The client has all that there is.
    pub(super) fn wanted(&self) {
        self.set(None);
    }

    /// Something waits to be taken.
    pub(super) fn given(&self) {
        self.set(Some(Instant::now()));
    }

    fn set(&self, since: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    async fn lasts(&self, stall: Duration) {
        loop {
            let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let waited = since.map_or(Duration::ZERO, |since| since.elapsed());
            if waited >= stall {
                return;
            }
            sleep(stall.saturating_sub(waited)).await;
        }
    }
}
