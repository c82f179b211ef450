//! How long clients will wait by their own account, and what they are told who would wait longer.

use std::time::Duration;

use super::house::{House, Wire, accept, upstream};
use crate::clock::Clock;
use tokio::net::TcpListener;

/// A pool whose next turn comes in an hour, and nobody but an impatient client minds.
const ONE_AN_HOUR: &str = r#"
[pools.one]
requests = ["1/h"]
max_wait = "2h"

[[routes]]
match = "* /v1/one"
pools = ["one"]
"#;

/// The same, where a request takes as much as its body says.
const BY_BODY: &str = r#"
[pools.one]
requests = ["1/h"]
max_wait = "2h"

[[routes]]
match = "POST /v1/one"
pools = ["one:body.files"]
"#;

/// What is added to every window against jitter on the way, unless it is configured.
const MARGIN: Duration = Duration::from_millis(250);

/// A gate whose pool is empty, after an answer that took so long.
async fn emptied(clock: &Clock, config: &str, took: Duration) -> (House, TcpListener) {
    let (listener, address) = upstream().await;
    let house = House::open(config, address).await;
    let body = r#"{"files": [1]}"#;
    let mut client = house.connect().await;
    client.send(&format!("POST /v1/one HTTP/1.1\r\nHost: o\r\nContent-Length: {}\r\n\r\n{body}", body.len())).await;
    let mut server = accept(&listener).await;
    server.until(body).await;
    clock.step(took).await;
    server.send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok").await;
    client.until("ok").await;
    (house, listener)
}

fn get(headers: &str) -> String {
    format!("GET /v1/one HTTP/1.1\r\nHost: o\r\nConnection: close\r\n{headers}\r\n\r\n")
}

/// Asks once more, and is told, while the clock stands, that it would take longer than this.
async fn assert_refused(house: &House, headers: &str, patience: &str) {
    let came = house.ask(&get(headers)).await;
    assert!(came.starts_with("HTTP/1.1 429") && came.contains("tidegate_wait_too_long"), "{headers}: {came}");
    assert!(came.contains(&format!("and you wait at most {patience}.")), "{headers}: {came}");
    assert!(came.contains("\"position\":1") && came.contains("x-tidegate-wait-ms: 0\r\n"), "{came}");
}

#[tokio::test]
async fn who_would_lose_patience_is_told_at_once() {
    let clock = Clock::stop();
    let (house, _listener) = emptied(&clock, ONE_AN_HOUR, Duration::ZERO).await;
    assert_refused(&house, "x-stainless-read-timeout: 1", "1 s").await;
    assert_refused(&house, "X-Stainless-Timeout: 20", "20 s").await;
    assert_refused(&house, "x-tidegate-max-wait: 1m 30s", "90 s").await;
    assert_refused(&house, "x-tidegate-max-wait: 0", "0 s").await;
    assert_refused(&house, "User-Agent: OpenAI/JS 6.1.0", "290 s").await;
    assert_eq!(house.gate.admission().snapshot().totals.refused, 5);
}

#[tokio::test]
async fn who_has_the_patience_waits() {
    let clock = Clock::stop();
    let (house, listener) = emptied(&clock, ONE_AN_HOUR, Duration::ZERO).await;
    let mut waiting: Wire = house.connect().await;
    waiting.send(&get("x-stainless-read-timeout: 7200\r\nx-tidegate-max-wait: soon")).await;
    house.until("it waits", |now| now.waiting == 1).await;
    clock.reach(Duration::from_hours(1) + MARGIN).await;
    let mut server = accept(&listener).await;
    server.until("\r\n\r\n").await;
    server.send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok").await;
    let came = waiting.until("ok").await;
    assert!(came.contains("x-tidegate-wait-ms: 3600250\r\n"), "{came}");
}

#[tokio::test]
async fn the_time_an_answer_takes_is_no_time_to_wait_for_the_turn() {
    let clock = Clock::stop();
    let (house, _listener) = emptied(&clock, ONE_AN_HOUR, Duration::from_millis(1_100)).await;
    assert_refused(&house, "x-stainless-read-timeout: 10", "9 s").await;
    assert_refused(&house, "x-stainless-read-timeout: 2", "1 s").await;
    assert_refused(&house, "x-tidegate-max-wait: 10", "10 s").await;
}

#[tokio::test]
async fn the_time_in_which_a_body_comes_is_off_the_patience() {
    let clock = Clock::stop();
    let (house, _listener) = emptied(&clock, BY_BODY, Duration::ZERO).await;
    house.until("nothing is held", |_| house.gate.buffered().0 == 0).await;
    let mut client = house.connect().await;
    let body = r#"{"files": [1]}"#;
    let head = format!("x-tidegate-max-wait: 100ms\r\nExpect: 100-continue\r\nContent-Length: {}", body.len());
    client.send(&get(&head).replace("GET", "POST")).await;
    client.until("100 Continue\r\n\r\n").await;
    clock.step(Duration::from_millis(100)).await;
    client.send(body).await;
    let came = client.rest().await;
    assert!(came.contains("and you wait at most 0 s."), "{came}");
}
