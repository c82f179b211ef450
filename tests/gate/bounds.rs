//! How much may be held and how many may be under way, in all; and that a long wait is told of.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::house::{House, Wire, accept, upstream};
use super::resend::answer;
use crate::clock::{Clock, turn};
use tokio::net::TcpListener;

/// One request at a time, and room for the bodies of one that waits.
const ONE_BODY: &str = r#"
[queue]
buffer = "1KiB"
max_bytes = "1KiB"
log_wait = "50ms"

[pools.one]
in_flight = 1

[[routes]]
match = "* /v1/one"
pools = ["one"]

[pools.files]
requests = ["1000/min"]

[[routes]]
match = "POST /v1/files"
pools = ["files:body.files"]
"#;

const BODY: usize = 600;

fn post(path: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: o\r\nConnection: close\r\nContent-Length: {BODY}\r\n\r\n")
}

/// Sends the one request that may be under way, and leaves it without an answer.
async fn take_the_place(house: &House, listener: &TcpListener) -> (Wire, Wire) {
    let mut client = house.connect().await;
    client.send("GET /v1/one HTTP/1.1\r\nHost: o\r\n\r\n").await;
    let mut server = accept(listener).await;
    server.until("\r\n\r\n").await;
    (client, server)
}

/// Another request with a body, sent whole.
async fn another(house: &House, path: &str) -> Wire {
    let mut client = house.connect().await;
    client.send(&(post(path) + &"x".repeat(BODY))).await;
    client
}

async fn assert_no_room(house: &House, path: &str) {
    let came = another(house, path).await.rest().await;
    assert!(came.starts_with("HTTP/1.1 429") && came.contains("tidegate_queue_full"), "{came}");
    assert!(came.contains("600 bytes are held of bodies, and") && came.contains("[queue] max_bytes"), "{came}");
    let retry_after = came.split("retry-after: ").nth(1).and_then(|rest| rest.split("\r\n").next());
    let retry_after: u32 = retry_after.expect("a hint").parse().expect("a number");
    assert!((1..=60).contains(&retry_after), "{retry_after}");
}

#[tokio::test]
async fn a_body_that_finds_no_room_is_refused_at_once_and_finds_some_when_another_has_gone() {
    let _clock = Clock::stop();
    let (listener, address) = upstream().await;
    let house = House::open(ONE_BODY, address).await;
    let (first, server) = take_the_place(&house, &listener).await;
    let mut waiting = another(&house, "/v1/one").await;
    house.until("one waits", |now| now.waiting == 1).await;
    assert_no_room(&house, "/v1/one").await;
    let mut bodyless = house.connect().await;
    bodyless.send("GET /v1/one HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n").await;
    house.until("what has no body needs no room", |now| now.waiting == 2).await;
    drop((first, server));
    let mut server = accept(&listener).await;
    server.until(&"x".repeat(BODY)).await;
    let _third = another(&house, "/v1/one").await;
    house.until("what was sent on is held no more", |now| now.waiting == 2).await;
    server.send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok").await;
    waiting.until("ok").await;
}

#[tokio::test]
async fn room_for_a_body_is_taken_as_it_comes() {
    let _clock = Clock::stop();
    let (listener, address) = upstream().await;
    let house = House::open(ONE_BODY, address).await;
    let mut slow = house.connect().await;
    slow.send(&post("/v1/files").replace("Connection: close", "Expect: 100-continue")).await;
    slow.until("100 Continue").await;
    assert_eq!(house.gate.buffered().0, 0);
    slow.send(&"x".repeat(BODY - 1)).await;
    house.until("it has come", |_| house.gate.buffered().0 == BODY as u64 - 1).await;
    let came = another(&house, "/v1/files").await.rest().await;
    assert!(came.starts_with("HTTP/1.1 429") && came.contains("599 bytes are held of bodies, and"), "{came}");
    drop(slow);
    house.until("it has left", |_| house.gate.buffered().0 == 0).await;
    let _served = another(&house, "/v1/files").await;
    accept(&listener).await.until(&"x".repeat(BODY)).await;
}

#[tokio::test]
async fn beyond_so_many_under_way_one_more_is_refused_even_of_no_pool() {
    let (listener, address) = upstream().await;
    let house = House::open("[queue]\nmax_in_flight = 1\n", address).await;
    let (mut client, mut server) = take_the_place(&house, &listener).await;
    let get = "GET /v1/other HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n";
    let came = house.ask(get).await;
    assert!(came.starts_with("HTTP/1.1 429") && came.contains("tidegate_queue_full"), "{came}");
    assert!(came.contains("[queue] max_in_flight") && came.contains("\"in_flight\":1"), "{came}");
    server.send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok").await;
    client.until("ok").await;
    let ended = || house.gate.by_route().iter().map(tidegate::gate::RequestCounts::requests).sum::<u64>();
    house.until("the first has ended, as the second has", |_| ended() == 2).await;
    let mut other = house.connect().await;
    other.send(get).await;
    accept(&listener).await.until("GET /v1/other").await;
}

/// What is logged, as long as the guard lives, on the thread of the test.
fn listen() -> (Arc<Mutex<Vec<u8>>>, tracing::subscriber::DefaultGuard) {
    let logged = Arc::new(Mutex::new(Vec::new()));
    let writer = Arc::clone(&logged);
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || Tee(Arc::clone(&writer))).finish();
    (logged, tracing::subscriber::set_default(subscriber))
}

struct Tee(Arc<Mutex<Vec<u8>>>);

impl Write for Tee {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_long_wait_is_told_of_once_while_it_lasts() {
    let (clock, (logged, _guard)) = (Clock::stop(), listen());
    let (listener, address) = upstream().await;
    let house = House::open(ONE_BODY, address).await;
    let (first, server) = take_the_place(&house, &listener).await;
    let mut waiting = another(&house, "/v1/one").await;
    house.until("it waits", |now| now.waiting == 1).await;
    let told = || String::from_utf8_lossy(&logged.lock().expect("no panic")).matches("still waiting").count();
    clock.step(Duration::from_millis(49)).await;
    turn().await;
    assert_eq!(told(), 0);
    clock.step(Duration::from_millis(1)).await;
    house.until("it is told of", |_| told() > 0).await;
    clock.step(Duration::from_mins(1)).await;
    turn().await;
    assert_eq!(house.gate.admission().snapshot().waiting, 1);
    drop((first, server));
    let mut server = accept(&listener).await;
    server.until(&"x".repeat(BODY)).await;
    server.send(answer("200 OK", "", "ok")).await;
    assert!(waiting.rest().await.contains("x-tidegate-wait-ms: 60050\r\n"));
    assert_eq!(told(), 1, "however long it has waited");
    let log = String::from_utf8_lossy(&logged.lock().expect("no panic")).into_owned();
    let line = log.lines().find(|line| line.contains("still waiting")).expect("a line");
    for said in ["method=\"POST\"", "route=\"* /v1/one\"", "pools=\"one\"", "waited_ms=50"] {
        assert!(line.contains(said), "no {said} in {line}");
    }
}

/// Room for a few answers.
const SHARED: &str = r#"
[queue]
buffer = "16KiB"
max_bytes = "256KiB"

[[routes]]
match = "GET /v1/soon/{name}"
coalesce = true
reuse = "50ms"
"#;

/// A route that shares, and its answers serve for a while.
const SHARES: &str = r#"
[[routes]]
match = "GET /v1/long/{name}"
coalesce = true
reuse = "1m"
"#;

/// A gate before an upstream whose answers are as long as the name that is asked for begins, as in `60000-a`, and do not
/// say so.
async fn shared() -> House {
    let (listener, address) = upstream().await;
    let long = async |uri: http::Uri| {
        let name = uri.path().rsplit('/').next().unwrap_or_default();
        let said = "x".repeat(name.split('-').next().and_then(|length| length.parse().ok()).unwrap_or_default());
        axum::body::Body::from_stream(futures_util::stream::iter([Ok::<_, std::convert::Infallible>(said)]))
    };
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(long)).await });
    House::open(&format!("{SHARED}{SHARES}"), address).await
}

/// Whether the second of two who ask for this has the answer of the first.
async fn is_reused(house: &House, path: &str) -> bool {
    let request = format!("GET {path} HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n");
    let (first, second) = (house.ask(&request).await, house.ask(&request).await);
    assert!(first.starts_with("HTTP/1.1 200") && second.starts_with("HTTP/1.1 200"));
    second.contains("x-tidegate-source: coalesced")
}

#[tokio::test]
async fn an_answer_that_serves_others_holds_as_much_as_it_is_long_and_gives_it_back() {
    let clock = Clock::stop();
    let house = shared().await;
    for number in 0..20 {
        assert!(is_reused(&house, &format!("/v1/long/100-{number}")).await, "{number}");
    }
    house.until("small answers hold little", |_| house.gate.buffered().0 == 2_000).await;
    for number in 0..20 {
        assert!(is_reused(&house, &format!("/v1/soon/60000-{number}")).await, "{number}");
        house.until("a large one holds more", |_| house.gate.buffered().0 == 62_000).await;
        clock.step(Duration::from_millis(50)).await;
        house.until("its room comes back", |_| house.gate.buffered().0 == 2_000).await;
    }
}

#[tokio::test]
async fn answers_that_serve_others_hold_no_more_than_half_of_what_may_be_held() {
    let _clock = Clock::stop();
    let house = shared().await;
    let mut reused = Vec::new();
    for name in ["60000-a", "60000-b", "60000-c", "60000-d", "100000-e", "100-f"] {
        reused.push(is_reused(&house, &format!("/v1/long/{name}")).await);
    }
    assert_eq!(reused, [true, true, false, false, false, true]);
}

/// A gate that has no room for answers, as of two bodies one is under way and one waits.
async fn crammed() -> (House, TcpListener, [Wire; 3]) {
    let (listener, address) = upstream().await;
    let house = House::open(&format!("{ONE_BODY}{SHARES}"), address).await;
    let (client, server) = take_the_place(&house, &listener).await;
    let waiting = another(&house, "/v1/one").await;
    house.until("one waits", |now| now.waiting == 1).await;
    (house, listener, [client, server, waiting])
}

/// Two who ask for the same while one call for it is under way.
async fn two(house: &House, listener: &TcpListener) -> (Wire, Wire, Wire) {
    let (mut one, mut other) = (house.connect().await, house.connect().await);
    one.send(LONG).await;
    let mut server = accept(listener).await;
    server.until("\r\n\r\n").await;
    other.send(LONG).await;
    house.until("both are there", |_| house.gate.coalesced()[0].asked == 2).await;
    (one, other, server)
}

const LONG: &str = "GET /v1/long/1 HTTP/1.1\r\nHost: o\r\n\r\n";

#[tokio::test]
async fn where_bodies_leave_no_room_those_who_ask_at_once_share_a_small_answer_and_nobody_later_has_it() {
    let _clock = Clock::stop();
    let (house, listener, _bodies) = crammed().await;
    let (mut one, mut other, mut server) = two(&house, &listener).await;
    server.send(answer("200 OK", "", "fine")).await;
    assert!(one.until("fine").await.contains("x-tidegate-source: upstream"));
    assert!(other.until("fine").await.contains("x-tidegate-source: coalesced"));
    one.send(LONG).await;
    accept(&listener).await.until("\r\n\r\n").await;
}

#[tokio::test]
async fn where_bodies_leave_no_room_a_large_answer_is_for_one() {
    let _clock = Clock::stop();
    let (house, listener, _bodies) = crammed().await;
    let (mut one, _other, mut server) = two(&house, &listener).await;
    server.send(answer("200 OK", "", &("x".repeat(100_000) + "end"))).await;
    assert!(one.until("end").await.contains("x-tidegate-source: upstream"));
    accept(&listener).await.until("\r\n\r\n").await;
}
