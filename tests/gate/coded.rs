//! Answers that come compressed are understood, and pass as they came.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::net::TcpListener;

use super::house::{House, accept, upstream};
use super::resend::LIMITED;
use crate::clock::Clock;

const POOLS: &str = r#"
[pools.wide]
requests = ["1000/s"]
max_wait = "1m"

[[routes]]
match = "* /v1/wide"
pools = ["wide"]
"#;

const BILLING: &str = r#"{"error": {"message": "You exceeded your current quota, please check your plan and billing details.", "type": "insufficient_quota", "param": null, "code": "insufficient_quota"}}"#;
const BUSY: &str = r#"{"error": {"message": "The server is overloaded. Please try again later.", "type": "service_unavailable_error", "param": null, "code": "server_is_overloaded"}}"#;
const GET: &str = "GET /v1/wide HTTP/1.1\r\nHost: o\r\nConnection: close\r\nAccept-Encoding: gzip\r\n\r\n";

pub(crate) fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).expect("writes");
    encoder.finish().expect("ends")
}

/// An answer with this body, which is of that coding.
pub(crate) fn coded(status: &str, coding: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-encoding: {coding}\r\n");
    [format!("{head}content-length: {length}\r\n\r\n").as_bytes(), body].concat()
}

/// Takes one request without a body, and answers it so.
async fn take(listener: &TcpListener, answer: &[u8]) {
    let mut server = accept(listener).await;
    server.until("\r\n\r\n").await;
    server.send(answer).await;
}

/// What comes of a request that is answered so, one time after the other: the head, and whether that body came with it.
async fn came_of(clock: &Clock, answers: &[Vec<u8>], body: &[u8]) -> (String, bool) {
    let (listener, address) = upstream().await;
    let house = House::open(POOLS, address).await;
    let mut client = house.connect().await;
    client.send(GET).await;
    for (nth, answer) in answers.iter().enumerate() {
        if nth > 0 {
            house.lets_it_go(clock).await;
        }
        take(&listener, answer).await;
    }
    let came = client.rest_of_bytes().await;
    let head = came.len().saturating_sub(body.len());
    (String::from_utf8_lossy(&came[..head]).into_owned(), came.ends_with(body))
}

#[tokio::test]
async fn a_compressed_refusal_that_needs_a_person_passes_at_once() {
    let clock = Clock::stop();
    let body = gzip(BILLING);
    let (head, is_whole) = came_of(&clock, &[coded("429 Too Many Requests", "gzip", &body)], &body).await;
    assert!(head.starts_with("HTTP/1.1 429") && head.contains("content-encoding: gzip\r\n") && is_whole, "{head}");
    assert!(head.contains("x-should-retry: false\r\n") && head.contains("x-tidegate-attempts: 1\r\n"), "{head}");
}

#[tokio::test]
async fn a_compressed_refusal_that_may_wait_is_sent_again() {
    let clock = Clock::stop();
    let (limited, busy, fine) = (gzip(LIMITED), gzip(BUSY), gzip("fine"));
    let refusals = [coded("429 Too Many Requests", "gzip", &limited), coded("503 Service Unavailable", "gzip", &busy)];
    for refusal in refusals {
        let (head, is_whole) = came_of(&clock, &[refusal, coded("200 OK", "gzip", &fine)], &fine).await;
        assert!(head.starts_with("HTTP/1.1 200") && is_whole, "{head}");
        assert!(head.contains("x-tidegate-attempts: 2\r\n"), "{head}");
    }
}

#[tokio::test]
async fn a_429_of_a_coding_that_is_unknown_is_a_limit() {
    let clock = Clock::stop();
    let refusal = coded("429 Too Many Requests", "snappy", BILLING.as_bytes());
    let (head, _) = came_of(&clock, &[refusal, coded("200 OK", "snappy", b"fine")], b"fine").await;
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("x-tidegate-attempts: 2\r\n"), "{head}");
}
