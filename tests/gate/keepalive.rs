//! Streams that wait long: what their clients hear meanwhile, and how it ends.

use super::house::{House, Wire, accept, upstream};
use crate::clock::{Clock, in_time};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

const ONE_AT_A_TIME: &str = r#"
[pools.chat]
in_flight = 1
max_wait = "1m"

[[routes]]
match = "POST /v1/chat"
pools = ["chat"]
keepalive = "1s"
"#;

const STREAM: &str = r#"{"model": "m", "stream": true}"#;
const EVENTS: &str = "data: {\"n\": 1}\n\n: aside\r\n\r\ndata: [DONE]\n\n";

fn post(body: &str) -> String {
    let length = body.len();
    format!("POST /v1/chat HTTP/1.1\r\nHost: o\r\nAccept-Encoding: gzip\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn answer(status: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}")
}

/// How long a stream waits before its client hears of it, and between two comments.
const EVERY: Duration = Duration::from_secs(1);

/// A gate with one request under way, its upstream's side of it, and a second that waits.
struct Waiting<'c> {
    clock: &'c Clock,
    house: House,
    listener: TcpListener,
    first: (Wire, Wire),
    client: Wire,
}

impl<'c> Waiting<'c> {
    async fn with(clock: &'c Clock, body: &str) -> Self {
        let (listener, address) = upstream().await;
        let house = House::open(ONE_AT_A_TIME, address).await;
        let mut first = house.connect().await;
        first.send(&post("{}")).await;
        let mut server = accept(&listener).await;
        server.until("{}").await;
        let mut client = house.connect().await;
        client.send(&post(body)).await;
        house.until("it waits", |now| now.waiting == 1).await;
        Self { clock, house, listener, first: (first, server), client }
    }

    /// What its client hears when it has waited for long.
    async fn kept(&mut self) -> String {
        self.clock.reach(EVERY).await;
        self.client.until(" ms so far\n\n").await
    }

    /// Ends the first request, so that it is the second's turn: the upstream's side of that, and what came there.
    async fn go(&mut self) -> (Wire, String) {
        self.first.1.send(&answer("200 OK", "text/plain", "first")).await;
        self.first.0.until("first").await;
        let mut server = accept(&self.listener).await;
        let got = server.until("}").await;
        (server, got)
    }

    /// What comes to a client that is kept alive and whose request is answered so.
    async fn answered(mut self, answer: &str) -> String {
        let head = self.kept().await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        let (mut server, _) = self.go().await;
        server.send(answer).await;
        let came = self.client.until("0\r\n\r\n").await;
        self.house.until("nothing is left", |now| now.instances[0].usage.in_flight == 0 && now.waiting == 0).await;
        came
    }
}

#[tokio::test]
async fn page_with_a_key_of_its_own_reads_a_stream_that_waits() {
    let clock = Clock::stop();
    let head = Waiting::with(&clock, STREAM).await.kept().await;
    assert!(head.contains("\r\naccess-control-allow-origin: *\r\n"), "{head}");
}

#[tokio::test]
async fn who_waits_for_a_stream_hears_comments_and_then_the_stream_byte_for_byte() {
    let clock = Clock::stop();
    let mut waiting = Waiting::with(&clock, STREAM).await;
    let mut came = waiting.kept().await;
    for said in [
        "HTTP/1.1 200 OK\r\n",
        "content-type: text/event-stream\r\n",
        "cache-control: no-cache\r\n",
        "x-tidegate-route: POST /v1/chat\r\n",
        "x-tidegate-pools: chat\r\n",
        "x-tidegate-source: tidegate\r\n",
        "x-tidegate-wait-ms: 1000\r\n",
        ": tidegate waits, 1000 ms so far\n\n",
    ] {
        assert!(came.contains(said), "{said} in {came}");
    }
    assert!(waiting.kept().await.contains(": tidegate waits, 2000 ms so far"));
    let (mut server, got) = waiting.go().await;
    assert!(got.contains("accept-encoding: identity\r\n") && got.ends_with(STREAM), "{got}");
    server.send(&answer("200 OK", "text/event-stream; charset=utf-8", EVENTS)).await;
    came = waiting.client.until("0\r\n\r\n").await;
    assert!(came.contains(EVENTS), "{came}");
}

#[tokio::test]
async fn its_place_is_in_flight_to_the_last_byte() {
    let clock = Clock::stop();
    let mut waiting = Waiting::with(&clock, STREAM).await;
    waiting.kept().await;
    let (mut server, _) = waiting.go().await;
    server.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n").await;
    waiting.client.until("data: 1\n\n").await;
    assert_eq!(waiting.house.gate.admission().snapshot().instances[0].usage.in_flight, 1);
    drop(server);
    waiting.client.until("0\r\n\r\n").await;
    waiting.house.until("it has landed", |now| now.instances[0].usage.in_flight == 0).await;
}

#[tokio::test]
async fn an_error_of_the_upstream_ends_the_stream_as_an_event() {
    let clock = Clock::stop();
    let error = "{\n  \"error\": {\"message\": \"no\"}\n}";
    let came = Waiting::with(&clock, STREAM).await.answered(&answer("500 Oh", "application/json", error)).await;
    assert!(came.contains("event: error\ndata: {\ndata:   \"error\": {\"message\": \"no\"}\ndata: }\n\n"), "{came}");
}

#[tokio::test]
async fn what_is_no_stream_ends_it_as_an_event_of_the_gates() {
    let clock = Clock::stop();
    let came = Waiting::with(&clock, STREAM).await.answered(&answer("200 OK", "application/json", "{\"id\": 1}")).await;
    assert!(came.contains("event: error\ndata: {\"error\":{") && came.contains("tidegate_no_stream"), "{came}");
    let came = Waiting::with(&clock, STREAM).await.answered(&answer("502 Bad", "text/html", "<html>")).await;
    assert!(came.contains("502 Bad Gateway") && came.contains("<html>"), "{came}");
    let encoded = answer("200 OK", "text/event-stream\r\ncontent-encoding: gzip", "?");
    let came = Waiting::with(&clock, STREAM).await.answered(&encoded).await;
    assert!(came.contains("tidegate_no_stream"), "{came}");
}

#[tokio::test]
async fn a_refusal_ends_it_as_an_event() {
    let clock = Clock::stop();
    let mut waiting = Waiting::with(&clock, STREAM).await;
    waiting.kept().await;
    waiting.house.stop();
    let came = waiting.client.until("0\r\n\r\n").await;
    assert!(came.contains("event: error\ndata: {\"error\":{") && came.contains("tidegate_draining"), "{came}");
    drop(waiting.first);
    waiting.house.stopped().await;
}

#[tokio::test]
async fn a_client_that_leaves_between_two_comments_leaves_the_queue() {
    let clock = Clock::stop();
    let mut waiting = Waiting::with(&clock, STREAM).await;
    waiting.kept().await;
    drop(waiting.client);
    waiting.house.until("nobody waits", |now| now.waiting == 0 && now.totals.cancelled == 1).await;
}

#[tokio::test]
async fn who_asks_for_no_stream_hears_nothing_before_the_answer() {
    let clock = Clock::stop();
    for body in [r#"{"stream": false}"#, r#"{"model": "m"}"#, "[}"] {
        let mut waiting = Waiting::with(&clock, body).await;
        clock.step(10 * EVERY).await;
        let (mut server, got) = waiting.go().await;
        assert!(got.contains("accept-encoding: gzip\r\n"), "{got}");
        server.send(&answer("500 Oh", "application/json", "{}")).await;
        let came = waiting.client.until("{}").await;
        assert!(came.starts_with("HTTP/1.1 500"), "{came}");
    }
}

#[tokio::test]
async fn whose_turn_has_come_gets_the_head_of_the_upstream_however_long_that_takes() {
    let clock = Clock::stop();
    let (listener, address) = upstream().await;
    let house = House::open(ONE_AT_A_TIME, address).await;
    let mut client = house.connect().await;
    client.send(&post(STREAM)).await;
    let mut server = accept(&listener).await;
    server.until(STREAM).await;
    clock.step(10 * EVERY).await;
    server.send(&answer("500 Oh", "application/json", "{}")).await;
    assert!(client.until("{}").await.starts_with("HTTP/1.1 500"));
}

#[tokio::test]
async fn a_client_that_does_not_read_does_not_hold_up_its_turn() {
    let (listener, address) = upstream().await;
    let house = House::open(ONE_AT_A_TIME, address).await;
    let mut first = house.connect().await;
    first.send(&post("{}")).await;
    let mut server = accept(&listener).await;
    server.until("{}").await;
    let socket = TcpStream::connect(house.address).await.expect("connects");
    let (mut sender, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(0)
        .handshake(TokioIo::new(socket))
        .await
        .expect("a handshake");
    tokio::spawn(connection);
    let request = http::Request::post("http://gate/v1/chat").body(STREAM.to_owned()).expect("a request");
    let answer = tokio::spawn(sender.send_request(request));
    house.until("it waits", |now| now.waiting == 1).await;
    // Not before: what begins a connection of HTTP/2 may be looked at again after a while.
    let clock = Clock::stop();
    clock.step(EVERY).await;
    let answer = in_time("it is kept alive", answer).await.expect("no panic").expect("an answer");
    assert_eq!(
        (answer.status(), &answer.headers()["x-tidegate-source"]),
        (http::StatusCode::OK, &"tidegate".parse().expect("a value"))
    );
    server.send(&self::answer("200 OK", "text/plain", "first")).await;
    accept(&listener).await.until(STREAM).await;
}
