//! Refusals as providers write them, over sockets: what is waited for, how long, and what passes at once.

use std::time::Duration;

use tidegate::hints::RefusalCause;
use tidegate::limit::PoolId;
use tokio::net::TcpListener;

use super::coded::{coded, gzip};
use super::house::{House, accept, assert_untouched, upstream};
use super::resend::{answer, get, has, is_over, ok};
use crate::clock::Clock;

const POOLS: &str = "[pools.wide]\nrequests = [\"1000/s\"]\nmax_wait = \"1m\"\n[[routes]]\nmatch = \"* /v1/wide\"\n\
                     pools = [\"wide\"]\n";

/// How long it waits after this refusal; then it is answered.
async fn wait_after_refusal(clock: &Clock, refusal: impl AsRef<[u8]>) -> Duration {
    let (listener, address) = upstream().await;
    let house = House::open(POOLS, address).await;
    let mut client = house.connect().await;
    client.send(&get("/v1/wide", "")).await;
    take(&listener, refusal.as_ref()).await;
    let waited = house.lets_it_go(clock).await;
    take(&listener, ok().as_bytes()).await;
    let came = client.rest().await;
    assert!(came.starts_with("HTTP/1.1 200") && has(&came, "x-tidegate-attempts: 2"), "{came}");
    waited
}

/// Takes one request without a body, and answers it so.
async fn take(listener: &TcpListener, answer: &[u8]) {
    let mut server = accept(listener).await;
    server.until("\r\n\r\n").await;
    server.send(answer).await;
}

async fn wait_after(clock: &Clock, status: &str, headers: &str, body: &str) -> Duration {
    wait_after_refusal(clock, answer(status, headers, body)).await
}

/// What comes back of a request that is refused so, and not sent again.
async fn passed_on(refusal: &str) -> String {
    let (listener, address) = upstream().await;
    let house = House::open(POOLS, address).await;
    let mut client = house.connect().await;
    client.send(&get("/v1/wide", "")).await;
    take(&listener, refusal.as_bytes()).await;
    let came = client.rest().await;
    house.until("all is over", is_over).await;
    assert_untouched(&listener).await;
    came
}

/// Less than this is added to what a refusal asks, so that not all come back at once. Measured: 10 ms.
const MORE: Duration = Duration::from_millis(100);

fn assert_about(waited: Duration, asked: Duration, what: &str) {
    assert!((asked..asked + MORE).contains(&waited), "{what}: {waited:?}");
}

const REFUSED: &str = "429 Too Many Requests";
const FOUR: Duration = Duration::from_secs(4);

/// The local clock says today, whichever day that is.
#[tokio::test]
async fn wait_is_read_against_the_upstreams_clock() {
    let clock = Clock::stop();
    for year in [2001, 2099] {
        let dates =
            format!("date: Thu, 01 Jan {year} 00:00:00 GMT\r\nretry-after: Thu, 01 Jan {year} 00:00:04 GMT\r\n");
        assert_about(wait_after(&clock, REFUSED, &dates, "{}").await, FOUR, &dates);
    }
}

#[tokio::test]
async fn waits_in_bodies_and_headers_are_kept() {
    let clock = Clock::stop();
    let google = r#"[{"error": {"code": 429, "message": "You exceeded your current quota, please check your plan and billing details.", "status": "RESOURCE_EXHAUSTED", "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "4s"}]}}]"#;
    let ietf = "ratelimit: \"api\";r=0;t=4\r\n";
    for (headers, body) in [("", google), (ietf, "{}"), ("", "Too many requests, retry after 4 seconds")] {
        assert_about(wait_after(&clock, REFUSED, headers, body).await, FOUR, body);
    }
}

#[tokio::test]
async fn overload_529_is_sent_again() {
    let clock = Clock::stop();
    let body = r#"{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}"#;
    assert_about(wait_after(&clock, "529 Overloaded", "retry-after: 4\r\n", body).await, FOUR, body);
}

#[tokio::test]
async fn should_retry_true_is_waited_for() {
    let clock = Clock::stop();
    let waited = wait_after(&clock, REFUSED, "x-should-retry: true\r\nretry-after: 4\r\n", "{}").await;
    assert_about(waited, FOUR, "x-should-retry: true");
}

#[tokio::test]
async fn should_retry_false_passes_unchanged() {
    let _clock = Clock::stop();
    for status in [REFUSED, "529 Overloaded"] {
        let refusal = answer(status, "x-should-retry: false\r\n", r#"{"error": {"type": "requests"}}"#);
        let came = passed_on(&refusal).await;
        assert!(came.starts_with(&format!("HTTP/1.1 {status}")) && has(&came, "x-should-retry: false"), "{came}");
        assert!(has(&came, "x-tidegate-source: upstream") && !came.contains("retry-after"), "{came}");
    }
}

#[tokio::test]
async fn spend_limit_of_anthropic_passes_at_once() {
    let _clock = Clock::stop();
    let body = r#"{"type": "error", "error": {"type": "rate_limit_error", "message": "You have reached your limits.", "details": {"error_code": "enforced_spend_limit_reached"}}}"#;
    let came = passed_on(&answer(REFUSED, "", body)).await;
    assert!(came.starts_with("HTTP/1.1 429") && has(&came, "x-should-retry: false"), "{came}");
}

/// A day is nobody's patience, even where the refusal speaks of seconds.
#[tokio::test]
async fn quota_of_a_day_is_refused_at_once() {
    let _clock = Clock::stop();
    let body = r#"[{"error": {"code": 429, "message": "You exceeded your current quota.", "status": "RESOURCE_EXHAUSTED", "details": [{"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}, {"retryDelay": "4s"}]}}]"#;
    let came = passed_on(&answer(REFUSED, "", body)).await;
    assert!(came.starts_with("HTTP/1.1 429") && has(&came, "x-should-retry: false"), "{came}");
}

#[tokio::test]
async fn compressed_event_stream_is_understood() {
    let clock = Clock::stop();
    let event = gzip("event: error\ndata: {\"error\": {\"message\": \"Please try again in 4s.\"}}\n\n");
    assert_about(wait_after_refusal(&clock, coded(REFUSED, "gzip", &event)).await, FOUR, "an event");
}

/// A stream that fails behind a `200` teaches as a 429 does, and goes to its client as it is.
#[tokio::test]
async fn refusal_within_a_stream_is_evidence() {
    const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    const FAILED: &str =
        "event: error\ndata: {\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":\"slow down\"}}\n\n";
    let (listener, address) = upstream().await;
    let house = House::open(
        "[pools.all]\nrequests = [\"100/min\"]\n[[routes]]\nmatch = \"POST /v1/chat\"\npools = [\"all\"]\n",
        address,
    )
    .await;
    let mut client = house.connect().await;
    client.send("POST /v1/chat HTTP/1.1\r\nHost: o\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}").await;
    let mut server = accept(&listener).await;
    server.until("{}").await;
    server.send(STREAM).await;
    server.send("data: {\"choices\":[]}\n\n").await;
    server.send(FAILED).await;
    drop(server);
    let came = client.rest().await;
    assert!(came.contains("x-tidegate-attempts: 1\r\n") && came.contains("rate_limit_exceeded"), "{came}");
    let refusals = house.gate.admission().snapshot().refusals;
    assert_eq!(refusals, [(PoolId(0), RefusalCause::Limit, 1)]);
    assert_untouched(&listener).await;
}
