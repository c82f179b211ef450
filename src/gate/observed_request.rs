use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

/// A request under way that has a double.
pub(super) struct ObservedRequest {
    sent: Instant,
    end: oneshot::Sender<ObservedEnd>,
}

/// How a request ended that has a double.
pub(super) struct ObservedEnd {
    pub(super) took: Duration,
    pub(super) tokens: Option<u64>,
}

impl ObservedRequest {
    /// One that is sent now; its double hears of its end.
    pub(super) fn start() -> (Self, oneshot::Receiver<ObservedEnd>) {
        let (end, ended) = oneshot::channel();
        (Self { sent: Instant::now(), end }, ended)
    }

    /// The last byte of its response has come.
    pub(super) fn end(self, tokens: Option<u64>) {
        // A double that was refused in the queue has gone.
        drop(self.end.send(ObservedEnd { took: self.sent.elapsed(), tokens }));
    }
}
