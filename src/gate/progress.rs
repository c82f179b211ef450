use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::request_log::WaitedFor;

/// What a request has been through on its way to the upstream.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    /// How often it was sent.
    pub(super) attempts: u32,
    /// When it was last sent.
    pub(super) sent_at: Option<Instant>,
    /// All its waits in the queue together.
    pub(super) waited: Duration,
    /// What it first waited for.
    pub(super) waited_for: Option<WaitedFor>,
    /// Where it says whether it waits in the queue, if another task wants to know.
    queued: Option<watch::Sender<bool>>,
}

impl Progress {
    /// One that says in `queued` whether the request waits in the queue.
    pub(super) fn reporting(queued: watch::Sender<bool>) -> Self {
        Self { queued: Some(queued), ..Self::default() }
    }

    /// One that has waited this long.
    pub(super) fn after(waited: Duration) -> Self {
        Self { waited, ..Self::default() }
    }

    /// The request waits in the queue, or does no longer.
    pub(super) fn is_queued(&self, is_queued: bool) {
        if let Some(queued) = &self.queued {
            queued.send_replace(is_queued);
        }
    }

    /// The request is sent.
    pub(super) fn sent(&mut self) -> Instant {
        self.is_queued(false);
        let now = Instant::now();
        self.attempts += 1;
        self.sent_at = Some(now);
        now
    }

    /// The request has waited since then, and the upstream had no part in that.
    pub(super) fn waited_since(&mut self, since: Instant) {
        let time = since.elapsed();
        self.waited += time;
        self.sent_at = self.sent_at.map(|sent| sent + time);
    }

    /// What another task's request for the same went through, this one did as well.
    pub(super) fn take_over(&mut self, other: &Self) {
        (self.attempts, self.sent_at, self.waited) = (other.attempts, other.sent_at, other.waited);
        self.waited_for.clone_from(&other.waited_for);
    }
}
