use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use http::header::CONTENT_ENCODING;
use http::{Response, StatusCode};
use serde_json::Value;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

use super::body::PeekedBody;
use super::exchange::Exchange;
use super::failure::Failure;
use super::headers::are_of_event_stream;
use super::progress::Progress;

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
    Ending(Box<Ending>),
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
pub(super) type PendingExchange = BoxFuture<'static, (Result<Exchange, Failure>, Progress)>;

/// How much of an error is passed on. A guess: OpenAI's have less than a thousand bytes (docs/upstream.md §4.1).
const MAX_ERROR: usize = 64 << 10;

/// How long an error may take to come. A guess.
const ERROR_TIMEOUT: Duration = Duration::from_secs(10);

/// How much is shown of what no SDK takes for an error, in characters. A guess: a paragraph.
const MAX_SHOWN: usize = 500;

impl EarlyResponse {
    pub(super) fn begin(call: PendingExchange, arrived: Instant, every: Duration) -> Self {
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
            return Poll::Ready(NextPiece::Ending(Box::new(ending.unwrap_or_else(panicked))));
        }
        self.beat.poll_tick(cx).map(|_| NextPiece::Comment(self.comment()))
    }

    fn comment(&self) -> Bytes {
        format!(": tidegate waits, {} ms so far\n\n", self.waited().as_millis()).into()
    }
}

/// Turns any answer into what can follow the head of an event stream. The request is in flight until an error is read.
async fn ending(call: PendingExchange) -> Ending {
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
