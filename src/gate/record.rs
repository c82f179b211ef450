use std::sync::Arc;
use std::time::SystemTime;

use http::{HeaderMap, Method, StatusCode};
use tokio::time::Instant;

use super::failure::{ErrorResponse, Failure};
use super::outcome::{End, Outcome, Source};
use super::peer::Peer;
use super::progress::Progress;
use super::request::ClientRequest;
use super::state::Gate;
use crate::admission::ClientId;
use crate::client::Clients;
use crate::route::{RouteId, method_name};
use crate::telemetry::{AccessLine, RequestTrace};
use crate::upstream::Obstacle;

/// All that is recorded of one request, from its head to its last byte or until its client leaves. When it is dropped it
/// is counted and logged: there is no other place that does.
pub(super) struct RequestRecord {
    gate: Gate,
    trace: Option<Arc<RequestTrace>>,
    /// The connection that is being answered on; none for a turn of a WebSocket.
    peer: Option<Arc<Peer>>,
    pub(super) arrived: Instant,
    pub(super) progress: Progress,
    /// The upstream's response is still coming in.
    is_open: bool,
    /// What is known at its end.
    pub(super) outcome: Outcome,
}

impl RequestRecord {
    /// Of a request that has just arrived. As long as nothing else is known, its client has left.
    pub(super) fn start(gate: &Gate, request: &ClientRequest) -> Box<Self> {
        let outcome = Outcome::of(request.route(), request.head.method.clone(), request.client);
        request.peer.begins_answer();
        Self::new(gate, Some(Arc::clone(&request.peer)), outcome, request.arrived, request.trace.clone())
    }

    /// Of a turn of a WebSocket, which counts as a request of this route.
    pub(super) fn of_turn(gate: &Gate, route: RouteId, client: ClientId, headers: &HeaderMap) -> Box<Self> {
        let arrived = Instant::now();
        let trace = gate.telemetry.begin(&gate.routes.route(route).name, arrived, &mut headers.clone());
        Self::new(gate, None, Outcome::of(route, Method::POST, client), arrived, trace)
    }

    fn new(
        gate: &Gate,
        peer: Option<Arc<Peer>>,
        outcome: Outcome,
        arrived: Instant,
        trace: Option<Arc<RequestTrace>>,
    ) -> Box<Self> {
        let (gate, progress) = (gate.clone(), Progress::default());
        Box::new(Self { gate, trace, peer, arrived, progress, is_open: false, outcome })
    }

    /// The gate that answers the request, and where it notes what the request goes through.
    pub(super) fn on_the_way(&mut self) -> (&Gate, &mut Progress) {
        (&self.gate, &mut self.progress)
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
        let response = failure.response(&self.gate.shown_pools());
        if matches!(failure, Failure::Left) {
            return response;
        }
        self.completes(response.status, Source::Tidegate);
        self.outcome.end = if failure.is_refusal() { End::Refused } else { End::Failed };
        (self.outcome.code, self.outcome.pool) = (Some(response.code.as_str()), failure.pool());
        self.outcome.obstacle = failure.obstacle();
        response
    }

    /// The client leaves during the response.
    pub(super) fn client_left(&mut self) {
        self.outcome.end = End::Left;
    }

    /// The upstream breaks off during the response.
    pub(super) fn upstream_broke_off(&mut self) {
        self.outcome.end = End::Failed;
        self.outcome.obstacle = Some(Obstacle::Broken);
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
            name: self.gate.clients.called(outcome.client),
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
        self.gate.stats.count(&self.outcome, now);
        if let Some(peer) = &self.peer {
            peer.ends_answer(now);
        }
        if let Some(trace) = &self.trace {
            self.gate.telemetry.end(&self.line(trace), trace, self.outcome.is_plain());
        }
        self.outcome.log(&self.gate.routes.route(self.outcome.route).name);
        self.gate.requests.ended(now, self.outcome.clone(), self.progress.waited_for.take());
    }
}

#[expect(clippy::disallowed_methods, reason = "people and collectors read the time of day")]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}
