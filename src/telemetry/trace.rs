use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::context::TraceContext;
use super::span::{Span, Stage};

/// The spans of one request: each wait in the queue and each call of the upstream. Kept only if the access log or a
/// trace wants it.
///
/// It is shared: a call that several requests wait for runs in a task of its own.
#[derive(Debug)]
pub struct RequestTrace {
    arrived: Instant,
    context: Option<TraceContext>,
    recorded: Mutex<Recorded>,
}

#[derive(Debug, Default)]
struct Recorded {
    cost: RequestedCost,
    spans: Vec<Span>,
}

/// What a request asked of its pools.
#[derive(Clone, Debug, Default)]
pub struct RequestedCost {
    /// The model, if one of its pools has an instance for each model.
    pub model: Option<String>,
    /// The estimated tokens, if one of its pools counts tokens.
    pub tokens: Option<u32>,
    /// The priority in the queue; none if the request never asked its pools.
    pub priority: Option<&'static str>,
}

/// The sums over the spans so far.
#[derive(Clone, Copy, Debug)]
pub struct TraceTotals {
    /// How often the request was sent.
    pub attempts: u32,
    /// All waits in the queue together.
    pub waited: Duration,
    /// From the last time it was sent until now; none if it never was.
    pub upstream: Option<Duration>,
}

/// The request waits in the queue until this is dropped.
#[derive(Debug)]
pub struct QueuedSpan {
    trace: Arc<RequestTrace>,
    from: Instant,
}

impl RequestTrace {
    pub(super) fn new(arrived: Instant, context: Option<TraceContext>) -> Self {
        Self { arrived, context, recorded: Mutex::default() }
    }

    /// Notes what the request asks of its pools.
    pub fn set_cost(&self, cost: RequestedCost) {
        self.recorded().cost = cost;
    }

    /// What the request asked of its pools.
    #[must_use]
    pub fn cost(&self) -> RequestedCost {
        self.recorded().cost.clone()
    }

    /// The request waits in the queue from now on.
    #[must_use]
    pub fn queued(self: &Arc<Self>) -> QueuedSpan {
        QueuedSpan { trace: Arc::clone(self), from: Instant::now() }
    }

    /// The request is sent at this moment.
    pub fn sent(&self, at: Instant) {
        self.recorded().spans.push(Span { stage: Stage::Upstream(None), from: at, to: None });
    }

    /// The head of a response with this status is here, or none will come.
    pub fn answered(&self, status: Option<u16>) {
        if let Some(span) = self.recorded().spans.last_mut() {
            (span.stage, span.to) = (Stage::Upstream(status), Some(Instant::now()));
        }
    }

    /// The sums so far.
    #[must_use]
    pub fn totals(&self) -> TraceTotals {
        let recorded = self.recorded();
        let waits = recorded.spans.iter().filter(|span| span.stage == Stage::Queued);
        let mut calls = recorded.spans.iter().filter(|span| span.stage != Stage::Queued);
        TraceTotals {
            attempts: u32::try_from(calls.clone().count()).unwrap_or(u32::MAX),
            waited: waits.filter_map(|span| Some(span.to? - span.from)).sum(),
            upstream: calls.next_back().map(|call| call.from.elapsed()),
        }
    }

    pub(super) fn arrived(&self) -> Instant {
        self.arrived
    }

    pub(super) fn context(&self) -> Option<&TraceContext> {
        self.context.as_ref()
    }

    pub(super) fn take_spans(&self) -> Vec<Span> {
        mem::take(&mut self.recorded().spans)
    }

    /// Never held over an `.await`.
    fn recorded(&self) -> MutexGuard<'_, Recorded> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for QueuedSpan {
    fn drop(&mut self) {
        let span = Span { stage: Stage::Queued, from: self.from, to: Some(Instant::now()) };
        self.trace.recorded().spans.push(span);
    }
}
