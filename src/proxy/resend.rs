use std::task::{Context, Poll};
use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;
use tower::Service;

use super::Gate;
use super::failure::{Described, Failure};
use super::headers::{has_retry_after, set_retry_after, set_should_retry};
use super::passing::{Attempt, Attempting, Passed, Passing, Routed};
use super::under_way::{codings, since_epoch};
use crate::hints::{
    self, Meanings, Pushback, RefusalCause, UpstreamResponse, classify_refusal, forbids_retry, is_gone,
};

/// Sends again what the upstream has refused: it goes back to its place and waits there until its pools allow it.
#[derive(Clone)]
pub(super) struct SendAgain<Inner> {
    gate: Gate,
    inner: Inner,
}

impl<Inner> SendAgain<Inner> {
    pub(super) fn new(gate: Gate, inner: Inner) -> Self {
        Self { gate, inner }
    }
}

impl<Inner> Service<Routed> for SendAgain<Inner>
where
    Inner: Service<Routed, Response = Attempt, Error = Failure, Future = Attempting> + Clone + Send + 'static,
{
    type Response = Passed;
    type Error = Failure;
    type Future = Passing;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, routed: Routed) -> Passing {
        let (gate, inner, first) = (self.gate.clone(), self.inner.clone(), self.inner.call(routed));
        Box::pin(async move { gate.send_again(inner, first.await?).await })
    }
}

/// Whether the body of an answer says what it means: it may be a refusal, which has not been executed, or there may be
/// nothing at that path.
pub(super) fn is_looked_at(status: StatusCode) -> bool {
    may_refuse(status) || status == StatusCode::NOT_FOUND
}

/// Whether an answer may be a refusal, which has not been executed.
pub(super) fn may_refuse(status: StatusCode) -> bool {
    hints::may_refuse(status.as_u16())
}

/// How much of a refusal is looked at. A guess: OpenAI's have less than a thousand bytes (docs/upstream.md §4.1).
const LOOKED_AT: usize = 64 << 10;

/// How long it may take to come. A guess: after that it passes through unread.
const COMES: Duration = Duration::from_secs(3);

impl Gate {
    /// Asks for admission as long as the upstream refuses and waiting helps. Dropped at any time, it leaves nothing: what
    /// was refused is in flight no longer when it asks again.
    async fn send_again<Inner>(&self, mut inner: Inner, mut attempt: Attempt) -> Result<Passed, Failure>
    where
        Inner: Service<Routed, Response = Attempt, Error = Failure, Future = Attempting>,
    {
        loop {
            let Attempt { mut passed, again } = attempt;
            let Some(pushback) = classify(&mut passed, &self.shared.meanings).await else { return Ok(passed) };
            let may_wait = may_wait(pushback.cause) && !forbids_retry(passed.response.headers());
            let Some(again) = again.filter(|_| may_wait) else {
                passed.pass_on(may_wait);
                return Ok(passed);
            };
            drop(passed.under_way.take());
            again.arrived.waits(true);
            let asked = Instant::now();
            attempt = match inner.call(again).await {
                Ok(next) => next,
                Err(failure) if failure.tries.sent > passed.tries.sent => return Err(failure),
                Err(failure) => {
                    passed.tries.waits_since(asked);
                    passed.give_up(&failure.cause.describe(&self.shared.pools));
                    return Ok(passed);
                }
            };
        }
    }
}

impl Passed {
    /// It cannot be sent again at all. Who has not been told when to come back is told a time of his own.
    fn pass_on(&mut self, may_wait: bool) {
        let headers = self.response.headers_mut();
        if forbids_retry(headers) {
            return;
        }
        if may_wait && !has_retry_after(headers) {
            set_retry_after(headers, Duration::from_millis(fastrand::u64(1_000..=10_000)));
        }
        set_should_retry(headers, may_wait);
    }

    /// It cannot be sent again in time, so that the upstream has the last word; the gate adds when to come back.
    fn give_up(&mut self, Described { retry_after, hopeless, .. }: &Described) {
        let headers = self.response.headers_mut();
        if let (Some(wait), false) = (retry_after, has_retry_after(headers)) {
            set_retry_after(headers, *wait);
        }
        set_should_retry(headers, !hopeless);
    }
}

/// Tells admission whether the upstream took the request, and if it did not, what it said.
async fn classify(passed: &mut Passed, meanings: &Meanings) -> Option<Pushback> {
    let (response, under_way) = (&mut passed.response, passed.under_way.as_ref()?);
    if !is_looked_at(response.status()) {
        return None;
    }
    response.body_mut().peek(LOOKED_AT, COMES).await;
    let (status, headers) = (response.status().as_u16(), response.headers());
    let body = codings(headers).map(|codings| codings.decode(response.body().seen(), LOOKED_AT)).unwrap_or_default();
    let answer = UpstreamResponse { status, headers, body: &body, now: since_epoch() };
    let pushback = classify_refusal(&answer, meanings);
    match &pushback {
        Some(pushback) => under_way.refused(pushback),
        None => under_way.accepted(headers, is_gone(&answer)),
    }
    pushback
}

/// Whether it helps to wait.
fn may_wait(cause: RefusalCause) -> bool {
    match cause {
        RefusalCause::Limit | RefusalCause::Ramp | RefusalCause::Overload => true,
        RefusalCause::TooLarge | RefusalCause::Billing => false,
    }
}
