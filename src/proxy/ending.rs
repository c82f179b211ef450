use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Response, StatusCode};
use serde_json::Value;

use super::failure::{Cause, Failure};
use super::passing::{Passed, Tries};
use super::peeked::Peeked;

/// How an answer goes on of which the client has had the head: `200`, `text/event-stream`.
pub(super) enum Ending {
    /// As the upstream's stream.
    Stream(Passed),
    /// With an error that is the upstream's own.
    Error { status: StatusCode, tries: Tries, event: Bytes },
    /// With one of the gate's.
    Failure(Failure),
}

/// How much of an error is passed on. A guess: OpenAI's have less than a thousand bytes (docs/upstream.md §4.1).
const ERROR: usize = 64 << 10;

/// How long it may take to come. A guess.
const COMES: Duration = Duration::from_secs(10);

/// How much is shown of what is no error to an SDK. A guess: a paragraph.
const SHOWN: usize = 500;

/// Turns whatever comes back into what fits behind that head. In flight is whatever is until it has been read.
pub(super) async fn ending(passing: impl Future<Output = Result<Passed, Failure>>) -> Ending {
    let Passed { mut response, under_way, tries } = match passing.await {
        Ok(passed) if is_event_stream(&passed.response) => return Ending::Stream(passed),
        Ok(passed) => passed,
        Err(failure) => return Ending::Failure(failure),
    };
    let status = response.status();
    response.body_mut().peek(ERROR, COMES).await;
    drop(under_way);
    let body = response.body().seen();
    let body = &body[..body.len().min(ERROR)];
    if is_error(body) {
        return Ending::Error { status, tries, event: event(body) };
    }
    let said = String::from_utf8_lossy(body).chars().take(SHOWN).collect();
    Ending::Failure(Failure { cause: Cause::NoStream { status, said }, tries })
}

/// An error as the official SDKs raise it: `data` that is JSON with an `error` (openai-python `_streaming.py` and
/// openai-node `core/streaming.ts`, 2026-11). JSON that takes several lines takes as many of `data`.
pub(super) fn event(json: &[u8]) -> Bytes {
    let mut event = BytesMut::from("event: error\n");
    let lines = json.split(|byte| matches!(byte, b'\n' | b'\r')).filter(|line| !line.is_empty());
    for line in lines {
        event.extend([b"data: ", line, b"\n"].concat());
    }
    event.extend(b"\n");
    event.freeze()
}

fn is_event_stream(response: &Response<Peeked>) -> bool {
    let headers = response.headers();
    let is_plain = headers.get(CONTENT_ENCODING).is_none_or(|coding| coding == "identity");
    response.status() == StatusCode::OK && has_events(headers) && is_plain
}

pub(super) fn has_events(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
}

/// Whether an SDK finds an error in it.
fn is_error(body: &[u8]) -> bool {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    json.is_some_and(|json| json.get("error").is_some_and(|error| error.is_object() || error.is_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_an_error_is_a_line_of_data() {
        assert_eq!(&event(b"{\"error\": 1}")[..], b"event: error\ndata: {\"error\": 1}\n\n");
        let lines = event(b"{\n  \"error\": {}\r\n}\n");
        assert_eq!(&lines[..], b"event: error\ndata: {\ndata:   \"error\": {}\ndata: }\n\n");
    }

    #[test]
    fn only_what_an_sdk_raises_is_an_error() {
        assert!(is_error(b"{\"error\": {\"message\": \"no\"}}"));
        assert!(is_error(b"{\"error\": \"no\"}"));
        assert!(!is_error(b"{\"error\": null}") && !is_error(b"{\"id\": 1}") && !is_error(b"<html>") && !is_error(b""));
    }
}
