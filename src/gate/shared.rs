use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{StatusCode, response};
use http_body::Body;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::exchange::{Exchange, codings, may_refuse};
use super::headers::are_of_event_stream;
use super::outcome::Source;
use crate::coalesce::PolledStatus;
use crate::upstream::{Budget, Failed, Held};

/// A complete response, for every request that asked for it.
pub(super) struct SharedResponse {
    pub(super) parts: response::Parts,
    pub(super) body: Bytes,
    /// How long its call waited in the queue.
    pub(super) waited: Duration,
    status: OnceLock<Option<PolledStatus>>,
}

/// A shared response as one client gets it.
pub(super) struct SharedAnswer {
    pub(super) response: Arc<SharedResponse>,
    pub(super) origin: Origin,
    /// When the client should ask again, in milliseconds, if that is later than it would by itself.
    pub(super) poll_after_ms: Option<u64>,
}

/// Whose call brought a shared response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The request's own.
    Own,
    /// Another's, which was under way when the request arrived.
    Joined,
    /// Another's, which had ended before the request arrived.
    Reused,
}

/// A call that several requests wait for. It ends with the last of them.
pub(super) struct SharedCall {
    pub(super) outcome: watch::Receiver<Option<CallOutcome>>,
    /// Whether it waits in the queue.
    pub(super) queued: watch::Receiver<bool>,
    pub(super) task: OnceLock<AbortOnDropHandle<()>>,
}

/// What came of a call, for the requests that joined it.
#[derive(Clone)]
pub(super) enum CallOutcome {
    Response(Arc<SharedResponse>),
    /// No response, after so long in the queue.
    Failed(Failed, Duration),
    /// It was refused for what its own client is or says: another request leads.
    Refused,
    /// Its response is for one client only: each makes a call of its own.
    NotShared,
}

/// A body with its part of the budget for as long as any of it is there.
struct BudgetedBody {
    body: Bytes,
    _held: Held,
}

/// The longest body that is shared: the first always, the second while the budget has plenty left. A guess: few
/// responses that are polled are longer than the first.
const SMALL_BODY: usize = 64 << 10;
const MAX_BODY: usize = 1 << 20;

/// How long a body may take until its end: its own client sees nothing of it before. A guess.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

impl SharedResponse {
    /// Reads a response to its end, of a call that waited this long in the queue.
    ///
    /// # Errors
    /// The response, as far as it is from its end: it is a stream, too large, too slow or broken off, or it is meant for
    /// this client only.
    pub(super) async fn read(mut exchange: Exchange, waited: Duration, budget: &Budget) -> Result<Self, Exchange> {
        let response = &exchange.response;
        let is_large = response.body().size_hint().lower() > MAX_BODY as u64;
        let is_own = response.status() == StatusCode::SWITCHING_PROTOCOLS || may_refuse(response.status());
        if is_large || is_own || are_of_event_stream(response.headers()) {
            return Err(exchange);
        }
        let until = Instant::now() + BODY_TIMEOUT;
        for most in [SMALL_BODY, MAX_BODY] {
            if most > SMALL_BODY && !budget.has_plenty() {
                break;
            }
            let upper = exchange.response.body().size_hint().upper().unwrap_or(u64::MAX);
            let mut held = budget.overdraw(upper.min(most as u64));
            exchange.response.body_mut().peek(most, until - Instant::now()).await;
            if let Some(body) = exchange.response.body_mut().take_whole() {
                held.keep(body.len() as u64);
                return Ok(Self::new(exchange, waited, body, held));
            }
        }
        Err(exchange)
    }

    /// Its call is in flight no longer.
    fn new(Exchange { response, meter }: Exchange, waited: Duration, body: Bytes, held: Held) -> Self {
        if let Some(mut meter) = meter {
            meter.see(&body);
        }
        let (parts, _) = response.into_parts();
        Self { parts, body: Bytes::from_owner(BudgetedBody { body, _held: held }), waited, status: OnceLock::new() }
    }

    /// The status of a thing that it reports.
    pub(super) fn status(&self) -> Option<&PolledStatus> {
        self.status.get_or_init(|| self.read_status()).as_ref()
    }

    fn read_status(&self) -> Option<PolledStatus> {
        let codings = codings(&self.parts.headers).filter(|_| self.parts.status.is_success())?;
        PolledStatus::read(&codings.decode(&self.body, MAX_BODY))
    }

    /// Whether a request that comes a little later would get the same.
    pub(super) fn is_lasting(&self) -> bool {
        self.parts.status.is_success() || self.parts.status == StatusCode::NOT_FOUND
    }
}

impl SharedAnswer {
    pub(super) fn new(response: Arc<SharedResponse>, origin: Origin) -> Self {
        Self { response, origin, poll_after_ms: None }
    }

    /// As `x-tidegate-source` says.
    pub(super) fn source(&self) -> Source {
        match self.origin {
            Origin::Own => Source::Upstream,
            Origin::Joined | Origin::Reused => Source::Coalesced,
        }
    }
}

impl AsRef<[u8]> for BudgetedBody {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}
