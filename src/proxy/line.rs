use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use super::Gate;
use super::failure::{Cause, Described, Failure};
use super::outcome::{Ended, Outcome, Source};
use super::passing::{Routed, Tries};
use crate::limit::PoolId;
use crate::log::Story;
use crate::route::method_name;

/// One request, from when its route is known to its end: the last byte, or the client's leaving. Then it is dropped, and
/// told.
pub(super) struct Line {
    gate: Gate,
    came: Instant,
    /// When it was sent to the upstream, while that has not answered to the end.
    sent_at: Option<Instant>,
    outcome: Outcome,
    story: Option<Arc<Story>>,
}

impl Line {
    /// Until more is known its client leaves.
    pub(super) fn new(gate: &Gate, routed: &Routed) -> Self {
        let Routed { arrived, route, who, .. } = routed;
        let outcome = Outcome::left(route.found.route(), arrived.head.method.clone(), *who);
        Self { gate: gate.clone(), came: arrived.came, sent_at: None, outcome, story: arrived.story.clone() }
    }

    /// The upstream answers; its last byte is still to come.
    pub(super) fn passes(&mut self, status: StatusCode, tries: Tries) {
        self.sent_at = tries.sent_at;
        self.answered(status, Source::Upstream, tries);
    }

    /// Its answer is there, whole.
    pub(super) fn has(&mut self, status: StatusCode, source: Source, tries: Tries) {
        self.outcome.upstream = tries.sent_at.map(|sent| sent.elapsed());
        self.answered(status, source, tries);
    }

    /// The gate says why there is no answer.
    pub(super) fn fails(&mut self, failure: &Failure) -> Described {
        let described = failure.cause.describe(&self.gate.shared.pools);
        self.has(described.status, Source::Tidegate, failure.tries);
        self.outcome.ended = if failure.cause.is_refusal() { Ended::Refused } else { Ended::Failed };
        (self.outcome.code, self.outcome.pool) = (Some(described.code), failure.cause.pool());
        described
    }

    /// The client leaves in the middle of its answer.
    pub(super) fn breaks_off(&mut self) {
        self.outcome.ended = Ended::Left;
    }

    /// The upstream leaves in the middle of its answer.
    pub(super) fn is_cut(&mut self) {
        self.outcome.ended = Ended::Failed;
    }

    fn answered(&mut self, status: StatusCode, source: Source, tries: Tries) {
        self.outcome.ended = Ended::Passed;
        (self.outcome.status, self.outcome.source) = (Some(status.as_u16()), Some(source));
        self.outcome.tried(tries);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let now = Instant::now();
        self.outcome.total = now - self.came;
        if let Some(sent) = self.sent_at {
            self.outcome.upstream = Some(now - sent);
        }
        self.gate.ended(&self.outcome, self.story.as_deref());
    }
}

impl Gate {
    /// The one place that tells of a request's end.
    fn ended(&self, outcome: &Outcome, story: Option<&Story>) {
        self.shared.books.count(outcome);
        if let Some(story) = story {
            self.tell(outcome, story);
        }
        outcome.log(&self.shared.routes.route(outcome.route).name);
    }
}

impl Outcome {
    /// One line in the log.
    fn log(&self, route: &str) {
        let (method, status, code) = (method_name(self.method.as_str()), self.status, self.code);
        let (wait_ms, total_ms) = (millis(self.wait), millis(self.total));
        let attempts = (self.attempts > 1).then_some(self.attempts);
        match self.ended {
            Ended::Passed if self.is_plain() => tracing::debug!(method, route, status, total_ms, "passed"),
            Ended::Passed => tracing::info!(method, route, status, wait_ms, attempts, total_ms, "passed"),
            Ended::Refused | Ended::Failed => {
                tracing::info!(method, route, status, code, wait_ms, attempts, total_ms, "not passed");
            }
            Ended::Left => tracing::info!(method, route, status, total_ms, "the client left"),
        }
    }
}

impl Cause {
    /// Whether it is the gate's own will that the request does not go.
    fn is_refusal(&self) -> bool {
        !matches!(self, Self::Upstream(_) | Self::NoStream { .. } | Self::Panicked)
    }

    fn pool(&self) -> Option<PoolId> {
        if let Self::Refused(refusal) = self { refusal.reason.pool() } else { None }
    }
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
