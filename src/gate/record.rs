use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{Method, StatusCode};
use tokio::sync::watch;
use tokio::time::Instant;

use super::failure::{ErrorResponse, Failure};
use super::request::ClientRequest;
use super::{Gate, millis};
use crate::admission::ClientId;
use crate::client::Clients;
use crate::limit::PoolId;
use crate::route::{RouteId, method_name};
use crate::telemetry::{AccessLine, RequestTrace};

/// All that is recorded of one request, from its head to its last byte or until its client leaves. When it is dropped it
/// is counted and logged: there is no other place that does.
pub(super) struct RequestRecord {
    gate: Gate,
    trace: Option<Arc<RequestTrace>>,
    arrived: Instant,
    pub(super) progress: Progress,
    /// The upstream's response is still coming in.
    is_open: bool,
    /// What is known at its end.
    pub(super) outcome: Outcome,
}

/// What a request has been through on its way to the upstream.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    /// How often it was sent.
    pub(super) attempts: u32,
    /// When it was last sent.
    pub(super) sent_at: Option<Instant>,
    /// All its waits in the queue together.
    pub(super) waited: Duration,
    /// Where it says whether it waits in the queue, if another task wants to know.
    queued: Option<watch::Sender<bool>>,
}

/// A request at its end.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its route.
    pub route: RouteId,
    /// Its method.
    pub method: Method,
    /// Its client.
    pub client: ClientId,
    /// How it ended.
    pub end: End,
    /// The status the client got; none if the client left before.
    pub status: Option<u16>,
    /// The gate's error code, if the gate answered.
    pub code: Option<&'static str>,
    /// The pool that refused it, if one did.
    pub pool: Option<PoolId>,
    /// Whose answer it got; none if the client left before.
    pub source: Option<Source>,
    /// How often it was sent.
    pub attempts: u32,
    /// All its waits in the queue together.
    pub wait: Duration,
    /// From the last time it was sent to the last byte of the response; none if it never was sent.
    pub upstream: Option<Duration>,
    /// From its head to its end.
    pub total: Duration,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// The client got a response of the upstream, whatever its status.
    Passed,
    /// The gate did not send it.
    Refused,
    /// It was sent, or about to be, and there is no response.
    Failed,
    /// The client left before the response was complete.
    Left,
}

/// Whose answer it is, as `x-tidegate-source` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The upstream's, to this request.
    Upstream,
    /// The gate's.
    Tidegate,
    /// The upstream's, to another request for the same.
    Coalesced,
}

impl RequestRecord {
    /// Of a request that has just arrived. As long as nothing else is known, its client has left.
    pub(super) fn start(gate: &Gate, request: &ClientRequest) -> Self {
        let outcome = Outcome::of(request.route(), request.head.method.clone(), request.client);
        let (gate, trace, arrived) = (gate.clone(), request.trace.clone(), request.arrived);
        Self { gate, trace, arrived, progress: Progress::default(), is_open: false, outcome }
    }

    pub(super) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The upstream responds; the body is still to come.
    pub(super) fn responds(&mut self, status: StatusCode) {
        self.is_open = true;
        self.answered(status, Source::Upstream);
    }

    /// A complete answer is here.
    pub(super) fn completes(&mut self, status: StatusCode, source: Source) {
        self.outcome.upstream = self.progress.sent_at.map(|sent| sent.elapsed());
        self.answered(status, source);
    }

    /// The gate answers with an error.
    pub(super) fn fails(&mut self, failure: &Failure) -> ErrorResponse {
        let response = failure.response(&self.gate.pools);
        self.completes(response.status, Source::Tidegate);
        self.outcome.end = if failure.is_refusal() { End::Refused } else { End::Failed };
        (self.outcome.code, self.outcome.pool) = (Some(response.code.as_str()), failure.pool());
        response
    }

    /// The client leaves during the response.
    pub(super) fn client_left(&mut self) {
        self.outcome.end = End::Left;
    }

    /// The upstream breaks off during the response.
    pub(super) fn upstream_broke_off(&mut self) {
        self.outcome.end = End::Failed;
    }

    fn answered(&mut self, status: StatusCode, source: Source) {
        self.outcome.end = End::Passed;
        (self.outcome.status, self.outcome.source) = (Some(status.as_u16()), Some(source));
    }

    /// How the access log has it.
    fn line(&self, trace: &RequestTrace) -> AccessLine<'_> {
        let (outcome, cost, pools) = (&self.outcome, trace.cost(), self.gate.labels.pools(self.outcome.route));
        let mut line = AccessLine {
            at: wall_clock() - outcome.total,
            method: method_name(outcome.method.as_str()),
            route: &self.gate.routes.route(outcome.route).name,
            client: Clients::label(outcome.client),
            ended: outcome.end.name(),
            status: outcome.status,
            code: outcome.code,
            source: outcome.source.map(Source::name),
            wait: outcome.wait,
            upstream: outcome.upstream,
            attempts: outcome.attempts,
            total: outcome.total,
            pools: pools.split(", ").filter(|pool| !pool.is_empty()).collect(),
            model: cost.model,
            tokens: cost.tokens,
            priority: cost.priority,
        };
        if outcome.end == End::Left {
            // Waits and calls that its leaving cut short are in the trace only.
            let totals = trace.totals();
            line.wait = outcome.wait.max(totals.waited);
            line.upstream = outcome.upstream.or(totals.upstream);
            line.attempts = outcome.attempts.max(totals.attempts);
        }
        line
    }
}

impl Drop for RequestRecord {
    fn drop(&mut self) {
        let now = Instant::now();
        let outcome = &mut self.outcome;
        (outcome.attempts, outcome.wait) = (self.progress.attempts, self.progress.waited);
        outcome.total = now - self.arrived;
        if let (true, Some(sent)) = (self.is_open, self.progress.sent_at) {
            outcome.upstream = Some(now - sent);
        }
        self.gate.stats.count(&self.outcome);
        if let Some(trace) = &self.trace {
            self.gate.telemetry.end(&self.line(trace), trace, self.outcome.is_plain());
        }
        self.outcome.log(&self.gate.routes.route(self.outcome.route).name);
    }
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
    }
}

impl Outcome {
    /// Of a request whose client leaves at once.
    pub(super) fn of(route: RouteId, method: Method, client: ClientId) -> Self {
        Self {
            route,
            method,
            client,
            end: End::Left,
            status: None,
            code: None,
            pool: None,
            source: None,
            attempts: 0,
            wait: Duration::ZERO,
            upstream: None,
            total: Duration::ZERO,
        }
    }

    /// Whether the log has nothing to say but that it passed.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let is_success = self.status.is_some_and(|status| status < 400);
        self.end == End::Passed && is_success && self.wait.is_zero() && self.attempts < 2
    }

    fn log(&self, route: &str) {
        let (method, status, code) = (method_name(self.method.as_str()), self.status, self.code);
        let (wait_ms, total_ms) = (millis(self.wait), millis(self.total));
        let attempts = (self.attempts > 1).then_some(self.attempts);
        match self.end {
            End::Passed if self.is_plain() => tracing::debug!(method, route, status, total_ms, "passed"),
            End::Passed => tracing::info!(method, route, status, wait_ms, attempts, total_ms, "passed"),
            End::Refused | End::Failed => {
                tracing::info!(method, route, status, code, wait_ms, attempts, total_ms, "not passed");
            }
            End::Left => tracing::info!(method, route, status, total_ms, "the client left"),
        }
    }
}

impl End {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Passed, Self::Refused, Self::Failed, Self::Left];

    /// As metrics and logs name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Left => "left",
        }
    }
}

impl Source {
    /// As `x-tidegate-source` says.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Tidegate => "tidegate",
            Self::Coalesced => "coalesced",
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "people and collectors read the time of day")]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}
