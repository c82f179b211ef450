//! The bodies of what is sent again: which are kept for that, and for how long.

use super::house::{House, Wire, accept, upstream};
use super::resend::{LIMITED, answer, ok, refusal};
use crate::clock::{self, Clock};
use std::time::Duration;
use tokio::net::TcpListener;

const SMALL: &str = r#"
[queue]
buffer = "1KiB"
max_bytes = "2000"

[pools.wide]
requests = ["1000/s"]

[[routes]]
match = "POST /v1/wide"
pools = ["wide"]

[[routes]]
match = "POST /v1/read"
pools = ["wide:body.files"]
"#;

/// After so long no refusal holds a request up any more.
const CALM: Duration = Duration::from_mins(5);

fn post(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: o\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn letters(count: usize) -> String {
    (b'a'..=b'z').cycle().take(count).map(char::from).collect::<String>() + "!"
}

/// Takes the next request to its end, and what came.
async fn take(listener: &TcpListener) -> (Wire, String) {
    let mut server = accept(listener).await;
    let got = server.until("!").await;
    (server, got)
}

/// Sends this, and refuses it once: what came back, and what the upstream got the first time.
async fn refused_once(house: &House, listener: &TcpListener, request: &str) -> (Wire, String) {
    let mut client = house.connect().await;
    client.send(request).await;
    let (mut server, got) = take(listener).await;
    server.send(&refusal()).await;
    (client, got)
}

async fn assert_goes_again(clock: &Clock, house: &House, listener: &TcpListener, request: &str) {
    clock.step(CALM).await;
    let (mut client, first) = refused_once(house, listener, request).await;
    house.lets_it_go(clock).await;
    let (mut server, second) = take(listener).await;
    assert_eq!(first, second);
    server.send(&ok()).await;
    let came = client.rest().await;
    assert!(came.starts_with("HTTP/1.1 200") && came.contains("x-tidegate-attempts: 2\r\n"), "{came}");
}

async fn assert_passes_the_refusal_on(house: &House, listener: &TcpListener, request: &str) {
    let (mut client, _) = refused_once(house, listener, request).await;
    let came = client.until(LIMITED).await;
    assert!(came.starts_with("HTTP/1.1 429") && came.contains("x-should-retry: true\r\n"), "{came}");
    assert!(came.contains("x-tidegate-attempts: 1\r\n"), "{came}");
}

#[tokio::test]
async fn a_body_goes_again_byte_for_byte() {
    let (clock, (listener, address)) = (Clock::stop(), upstream().await);
    let house = House::open(&SMALL.replace("1KiB", "1MiB").replace("2000", "8MiB"), address).await;
    for length in [1, 10_000, 700_000, (1 << 20) - 1] {
        assert_goes_again(&clock, &house, &listener, &post("/v1/wide", &letters(length))).await;
    }
    clock.step(CALM).await;
    let read = format!("{{\"files\": [1, 2], \"x\": \"{}\"}}", letters(20_000));
    let (mut client, first) = refused_once(&house, &listener, &post("/v1/read", &read)).await;
    house.lets_it_go(&clock).await;
    let (mut server, second) = take(&listener).await;
    assert_eq!(first, second);
    server.send(&ok()).await;
    client.until("fine").await;
}

#[tokio::test]
async fn a_body_beyond_what_is_kept_passes_the_refusal_on() {
    let (_clock, (listener, address)) = (Clock::stop(), upstream().await);
    let house = House::open(SMALL, address).await;
    assert_passes_the_refusal_on(&house, &listener, &post("/v1/wide", &letters(1_100))).await;
    let (listener, address) = upstream().await;
    let house = House::open(&format!("learn = false\n{SMALL}"), address).await;
    let chunked = "POST /v1/wide HTTP/1.1\r\nHost: o\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcd!\r\n0\r\n\r\n";
    assert_passes_the_refusal_on(&house, &listener, chunked).await;
}

#[tokio::test]
async fn a_body_that_does_not_come_soon_goes_as_it_comes() {
    let (clock, (listener, address)) = (Clock::stop(), upstream().await);
    let house = House::open(SMALL, address).await;
    let mut client = house.connect().await;
    client.send(&post("/v1/wide", "0123456789").replace("56789", "")).await;
    clock::until("the body is read", || house.gate.buffered().0 > 0).await;
    clock.step(Duration::from_secs(1)).await;
    let mut server = accept(&listener).await;
    server.until("01234").await;
    client.send("56789").await;
    server.until("56789").await;
    server.send(&refusal()).await;
    assert!(client.rest().await.starts_with("HTTP/1.1 429"));
}

#[tokio::test]
async fn a_body_that_is_kept_needs_no_more_room_to_go_again() {
    let (clock, (listener, address)) = (Clock::stop(), upstream().await);
    let house = House::open(SMALL, address).await;
    let mut client = house.connect().await;
    client.send(&post("/v1/read", &letters(899))).await;
    let (mut server, _) = take(&listener).await;
    let mut slow = house.connect().await;
    slow.send(&post("/v1/read", "").replace("Length: 0", "Length: 900\r\nExpect: 100-continue")).await;
    slow.until("100 Continue").await;
    server.send(&refusal()).await;
    house.lets_it_go(&clock).await;
    let (mut server, _) = take(&listener).await;
    server.send(&ok()).await;
    client.until("fine").await;
}

#[tokio::test]
async fn what_is_kept_leaves_half_of_the_room_to_who_cannot_do_without_and_is_given_back_once_taken() {
    let (clock, (listener, address)) = (Clock::stop(), upstream().await);
    let house = House::open(SMALL, address).await;
    let body = letters(899);
    let mut first = house.connect().await;
    first.send(&post("/v1/wide", &body)).await;
    let (mut server, _) = take(&listener).await;
    assert_passes_the_refusal_on(&house, &listener, &post("/v1/wide", &body)).await;
    server.send(&answer("200 OK", "", "fine").replace("content-length: 4", "content-length: 8")).await;
    first.until("fine").await;
    assert_goes_again(&clock, &house, &listener, &post("/v1/wide", &body)).await;
}
