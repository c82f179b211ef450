use std::future::pending;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderValue};
use http::{Method, Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::Gate;
use super::body::PeekedBody;
use super::exchange::Exchange;
use super::failure::Failure;
use super::handle::Answer;
use super::headers::are_of_event_stream;
use super::record::Progress;
use super::request::ClientRequest;
use super::sharing::WriteGuard;

/// A response that begins before its request's turn: comments of an event stream, then what the upstream says.
pub(super) struct EarlyResponse {
    /// A task of its own: the request must go on while its client does not read.
    ending: AbortOnDropHandle<Ending>,
    beat: Interval,
    arrived: Instant,
}

/// What comes next of it.
pub(super) enum NextPiece {
    /// A comment that says that the request still waits.
    Comment(Bytes),
    /// All the rest.
    Ending(Ending),
}

/// How a response goes on whose head was `200`, `text/event-stream`.
pub(super) enum Ending {
    /// With the upstream's stream.
    Stream(Exchange, Progress),
    /// With an error of the upstream.
    Error { status: StatusCode, event: Bytes, progress: Progress },
    /// With an error of the gate.
    Failure(Failure, Progress),
}

/// A request on its way, with what it goes through.
type Call = BoxFuture<'static, (Result<Exchange, Failure>, Progress)>;

/// How much of an error is passed on. A guess: OpenAI's have less than a thousand bytes (docs/upstream.md §4.1).
const MAX_ERROR: usize = 64 << 10;

/// How long an error may take to come. A guess.
const ERROR_TIMEOUT: Duration = Duration::from_secs(10);

/// How much is shown of what no SDK takes for an error, in characters. A guess: a paragraph.
const MAX_SHOWN: usize = 500;

impl Gate {
    /// How often an event stream sends a comment while this request waits, if its route asks for that.
    pub(super) fn keepalive_of(&self, request: &ClientRequest) -> Option<Duration> {
        self.routes.route(request.route()).keepalive.filter(|_| request.head.method == Method::POST)
    }

    /// Sends a request; if it asks for an event stream and waits in the queue for longer than `every`, its response begins.
    pub(super) async fn keep_alive(
        &self,
        mut request: ClientRequest,
        every: Duration,
        write: Option<WriteGuard>,
        progress: &mut Progress,
    ) -> Result<Answer, Failure> {
        if let Err(failure) = self.read_body(&mut request).await {
            progress.waited = request.arrived.elapsed();
            return Err(request.reject(failure).await);
        }
        if !request.body.whole().is_some_and(asks_for_event_stream) {
            return self.attempt(&mut request, progress).await.map(Answer::Upstream);
        }
        // The head that would name a coding may be sent before the upstream chooses one.
        request.head.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let (arrived, (reports, queued)) = (request.arrived, watch::channel(true));
        let gate = self.clone();
        let mut call: Call = Box::pin(async move {
            let _write = write;
            let mut progress = Progress::reporting(reports);
            let answer = gate.attempt(&mut request, &mut progress).await;
            (answer, progress)
        });
        tokio::select! {
            biased;
            (answer, called) = &mut call => {
                progress.take_over(&called);
                answer.map(Answer::Upstream)
            }
            () = is_queued_after(every, queued) => Ok(Answer::Early(EarlyResponse::begin(call, arrived, every))),
        }
    }
}

/// Resolves once this time is over and the request is in the queue: once it is sent, its response has the upstream's head.
async fn is_queued_after(time: Duration, mut queued: watch::Receiver<bool>) {
    sleep(time).await;
    if queued.wait_for(|is_queued| *is_queued).await.is_err() {
        pending::<()>().await;
    }
}

fn asks_for_event_stream(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct StreamField {
        stream: Option<bool>,
    }
    serde_json::from_slice::<StreamField>(body).is_ok_and(|body| body.stream == Some(true))
}

impl EarlyResponse {
    fn begin(call: Call, arrived: Instant, every: Duration) -> Self {
        let mut beat = interval(every);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { ending: AbortOnDropHandle::new(tokio::spawn(ending(call))), beat, arrived }
    }

    /// How long its request has waited so far.
    pub(super) fn waited(&self) -> Duration {
        self.arrived.elapsed()
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<NextPiece> {
        if let Poll::Ready(ending) = Pin::new(&mut self.ending).poll(cx) {
            let panicked = |_| Ending::Failure(Failure::Panicked, Progress::default());
            return Poll::Ready(NextPiece::Ending(ending.unwrap_or_else(panicked)));
        }
        self.beat.poll_tick(cx).map(|_| NextPiece::Comment(self.comment()))
    }

    fn comment(&self) -> Bytes {
        format!(": tidegate waits, {} ms so far\n\n", self.waited().as_millis()).into()
    }
}

/// Turns any answer into what can follow the head of an event stream. The request is in flight until an error is read.
async fn ending(call: Call) -> Ending {
    let (mut exchange, progress) = match call.await {
        (Ok(exchange), progress) if is_event_stream(&exchange.response) => return Ending::Stream(exchange, progress),
        (Ok(exchange), progress) => (exchange, progress),
        (Err(failure), progress) => return Ending::Failure(failure, progress),
    };
    let status = exchange.response.status();
    exchange.response.body_mut().peek(MAX_ERROR, ERROR_TIMEOUT).await;
    exchange.release();
    let body = exchange.response.body().seen();
    let body = &body[..body.len().min(MAX_ERROR)];
    if is_error(body) {
        return Ending::Error { status, event: error_event(body), progress };
    }
    let said = String::from_utf8_lossy(body).chars().take(MAX_SHOWN).collect();
    Ending::Failure(Failure::NoStream { status, said }, progress)
}

/// An error as the official SDKs raise it: `data` that is JSON with an `error` (openai-python `_streaming.py` and
/// openai-node `core/streaming.ts`, 2026-11). JSON of several lines takes as many lines of `data`.
pub(super) fn error_event(json: &[u8]) -> Bytes {
    let mut event = BytesMut::from("event: error\n");
    let lines = json.split(|byte| matches!(byte, b'\n' | b'\r')).filter(|line| !line.is_empty());
    for line in lines {
        event.extend([b"data: ", line, b"\n"].concat());
    }
    event.extend(b"\n");
    event.freeze()
}

fn is_event_stream(response: &Response<PeekedBody>) -> bool {
    let headers = response.headers();
    let is_plain = headers.get(CONTENT_ENCODING).is_none_or(|coding| coding == "identity");
    response.status() == StatusCode::OK && are_of_event_stream(headers) && is_plain
}

/// Whether an SDK takes it for an error.
fn is_error(body: &[u8]) -> bool {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    json.is_some_and(|json| json.get("error").is_some_and(|error| error.is_object() || error.is_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_event_splits_json_lines() {
        assert_eq!(&error_event(b"{\"error\": 1}")[..], b"event: error\ndata: {\"error\": 1}\n\n");
        let lines = error_event(b"{\n  \"error\": {}\r\n}\n");
        assert_eq!(&lines[..], b"event: error\ndata: {\ndata:   \"error\": {}\ndata: }\n\n");
    }

    #[test]
    fn error_is_what_an_sdk_raises() {
        assert!(is_error(b"{\"error\": {\"message\": \"no\"}}"));
        assert!(is_error(b"{\"error\": \"no\"}"));
        assert!(!is_error(b"{\"error\": null}") && !is_error(b"{\"id\": 1}") && !is_error(b"<html>") && !is_error(b""));
    }
}
