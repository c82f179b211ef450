//! What the upstream refuses is sent again as long as waiting helps, and what becomes of it otherwise.

use std::time::Duration;

use crate::alone::alone;
use tidegate::admission::{RequestTotals, Snapshot};
use tidegate::config::{Config, Source};
use tidegate_lab::mock::{Faults, Mock, MockRefusal, Options};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::house::{House, Wire, accept, assert_untouched, upstream};
use crate::clock::{Clock, real_sleep};

pub(crate) const SOON: Duration = Duration::from_millis(2_010);

/// A pool with room, one whose next turn comes soon, one where it comes late, and a route without any.
const POOLS: &str = r#"
[pools.wide]
requests = ["1000/s"]
max_wait = "1m"

[pools.soon]
requests = ["1/2s"]

[pools.late]
requests = ["1/10s"]

[pools.never]
requests = ["1/h"]
max_wait = "2h"

[[routes]]
match = "* /v1/wide"
pools = ["wide"]

[[routes]]
match = "* /v1/soon"
pools = ["soon"]
keepalive = "1s"

[[routes]]
match = "* /v1/late"
pools = ["late"]

[[routes]]
match = "* /v1/never"
pools = ["never"]
keepalive = "1s"

[[routes]]
match = "* /v1/free"
pools = []
"#;

pub(crate) const LIMITED: &str = r#"{"error": {"message": "You've exceeded the rate limit, please try again after 0.050 seconds.", "type": "invalid_request_error", "param": null, "code": "rate_limit_exceeded"}}"#;

pub(crate) fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

pub(crate) fn refusal() -> String {
    answer("429 Too Many Requests", "content-type: application/json\r\n", LIMITED)
}

pub(crate) fn ok() -> String {
    answer("200 OK", "", "fine")
}

pub(crate) fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: o\r\nConnection: close\r\n{headers}\r\n")
}

/// Takes one request without a body, and answers it so.
pub(crate) async fn take(listener: &TcpListener, answer: &str) {
    let mut server = accept(listener).await;
    server.until("\r\n\r\n").await;
    server.send(answer).await;
}

/// A gate and its upstream, and a clock that is stopped.
pub(crate) async fn open() -> (House, TcpListener, Clock) {
    open_with("").await
}

/// The same, with more said about the upstream.
async fn open_with(upstream_too: &str) -> (House, TcpListener, Clock) {
    let (clock, (listener, address)) = (Clock::stop(), upstream().await);
    (House::open(&format!("{upstream_too}{POOLS}"), address).await, listener, clock)
}

/// What comes back of a request whose first answer is this; the upstream gets no second one.
async fn answered_once(request: &str, answer: &str) -> String {
    let (house, listener, _clock) = open().await;
    answered_once_by(&house, &listener, request, answer).await
}

async fn answered_once_by(house: &House, listener: &TcpListener, request: &str, answer: &str) -> String {
    let mut client = house.connect().await;
    client.send(request).await;
    take(listener, answer).await;
    let came = client.rest().await;
    house.until("all is over", is_over).await;
    assert_untouched(listener).await;
    came
}

/// Nobody waits, and all that was sent has landed.
pub(crate) fn is_over(now: &Snapshot) -> bool {
    now.waiting == 0 && now.totals.granted == now.totals.released && now.totals.sent == now.totals.released
}

pub(crate) fn has(came: &str, header: &str) -> bool {
    came.contains(&format!("\r\n{header}\r\n"))
}

#[tokio::test]
async fn what_the_upstream_refuses_is_answered_in_the_end() {
    let (house, listener, clock) = open().await;
    let mut client = house.connect().await;
    client.send(&get("/v1/soon", "x-mine: 1\r\n")).await;
    let mut server = accept(&listener).await;
    let first = server.until("\r\n\r\n").await;
    server.send(&refusal()).await;
    assert_eq!(house.lets_it_go(&clock).await, SOON);
    let mut server = accept(&listener).await;
    assert_eq!(server.until("\r\n\r\n").await, first);
    server.send(&ok()).await;
    let came = client.rest().await;
    assert!(came.starts_with("HTTP/1.1 200") && came.ends_with("fine"), "{came}");
    assert!(has(&came, "x-tidegate-attempts: 2") && !came.contains("x-should-retry"), "{came}");
    assert!(has(&came, &format!("x-tidegate-wait-ms: {}", SOON.as_millis())), "{came}");
    house.until("all is over", is_over).await;
}

#[tokio::test]
async fn who_is_refused_goes_before_those_who_came_later() {
    let (house, listener, clock) = open().await;
    let (mut first, mut second) = (house.connect().await, house.connect().await);
    first.send(&get("/v1/soon", "x-mine: first\r\n")).await;
    let mut server = accept(&listener).await;
    server.until("\r\n\r\n").await;
    second.send(&get("/v1/soon", "x-mine: second\r\n")).await;
    house.until("the second waits", |now| now.waiting == 1).await;
    server.send(&refusal()).await;
    house.until("both wait", |now| now.waiting == 2).await;
    for name in ["first", "second"] {
        clock.step(SOON * 2).await;
        let mut server = accept(&listener).await;
        let got = server.until("\r\n\r\n").await;
        assert!(got.contains(&format!("x-mine: {name}\r\n")), "{got}");
        server.send(&ok()).await;
    }
}

/// Sends so many requests one after the other on one connection: how often they were sent upstream, all together.
async fn ask_often(mut wire: Wire, times: u32) -> u64 {
    let mut attempts = 0;
    for _ in 0..times {
        wire.send("GET /v1/models HTTP/1.1\r\nHost: o\r\n\r\n").await;
        let came = wire.until("\"object\":\"list\"").await;
        assert!(came.starts_with("HTTP/1.1 200"), "{came}");
        let said = came.split("x-tidegate-attempts: ").nth(1).and_then(|rest| rest.split("\r\n").next());
        attempts += said.expect("a count").parse::<u64>().expect("a number");
    }
    attempts
}

#[tokio::test]
async fn no_client_sees_a_refusal_where_three_in_ten_are_refused() {
    let pools = "[pools.all]\nrequests = [\"1000/s\"]\n[[routes]]\nmatch = \"GET /v1/models\"\npools = [\"all\"]\n";
    let config = Config::parse(&Source::Text("test".to_owned()), &alone(pools)).expect("a valid configuration");
    let options = Options {
        faults: Faults {
            refuse: Some(MockRefusal::RequestType),
            refuse_share: "0.3".parse().expect("a share"),
            ..Faults::default()
        },
        minute: Duration::from_millis(600),
        ..Options::default()
    };
    let (mock, (listener, address)) = (Mock::new(&config.settings(), options), upstream().await);
    tokio::spawn(mock.clone().run(listener, std::future::pending()));
    let (clock, house) = (Clock::stop(), House::open(pools, address).await);
    let mut clients = JoinSet::new();
    for _ in 0..20 {
        clients.spawn(ask_often(house.connect().await, 10));
    }
    let mut attempts = 0;
    while !clients.is_empty() {
        // Time passes once each of them waits for its turn.
        if house.gate.admission().snapshot().waiting == clients.len() {
            clock.step(Duration::from_millis(10)).await;
        }
        match clients.try_join_next() {
            Some(asked) => attempts += asked.expect("no panic"),
            None => real_sleep(Duration::from_micros(100)).await,
        }
    }
    let stats = mock.stats();
    assert_eq!((stats.admitted, stats.admitted + stats.denied), (200, attempts));
    assert!(stats.denied > 20, "{stats:?}");
    house.until("all is over", |now| is_over(now) && now.totals.sent == attempts).await;
}

#[tokio::test]
async fn whose_turn_would_come_too_late_gets_the_refusal_of_the_upstream() {
    let came = answered_once(&get("/v1/late", "x-tidegate-max-wait: 1s\r\n"), &refusal()).await;
    assert!(came.starts_with("HTTP/1.1 429 Too Many Requests\r\n") && came.ends_with(LIMITED), "{came}");
    assert!(has(&came, "content-type: application/json") && has(&came, "x-tidegate-source: upstream"), "{came}");
    assert!(has(&came, "x-should-retry: true") && has(&came, "x-tidegate-attempts: 1"), "{came}");
    assert!(came.contains("retry-after-ms: ") && came.contains("retry-after: "), "{came}");
}

#[tokio::test]
async fn when_to_come_back_is_said_by_the_upstream_if_it_says_so() {
    let said = refusal().replace("content-type", "retry-after: 7\r\ncontent-type");
    let came = answered_once(&get("/v1/late", "x-tidegate-max-wait: 1s\r\n"), &said).await;
    assert!(has(&came, "retry-after: 7") && !came.contains("retry-after-ms"), "{came}");
}

#[tokio::test]
async fn whose_turn_is_out_of_reach_is_told_not_to_come_back() {
    let came = answered_once(&get("/v1/never", "x-tidegate-max-wait: 1s\r\n"), &refusal()).await;
    assert!(came.starts_with("HTTP/1.1 429") && has(&came, "x-should-retry: false"), "{came}");
}

#[tokio::test]
async fn a_refusal_passes_whole_however_long_it_is() {
    let html = format!("<html>{}</html>", "<p>Too many requests</p>".repeat(50_000));
    let came = answered_once(
        &get("/v1/never", "x-tidegate-max-wait: 1s\r\n"),
        &answer("429 Too Many Requests", "content-type: text/html\r\n", &html),
    )
    .await;
    let body = came.split_once("\r\n\r\n").expect("a head").1;
    assert!(body == html, "{} bytes came of {}", body.len(), html.len());
}

#[tokio::test]
async fn where_no_pool_would_pace_it_the_refusal_passes() {
    let (house, listener, _clock) = open_with("learn = false\n").await;
    let came = answered_once_by(&house, &listener, &get("/v1/free", ""), &refusal()).await;
    assert!(came.starts_with("HTTP/1.1 429") && came.ends_with(LIMITED), "{came}");
    assert!(has(&came, "x-should-retry: true") && has(&came, "x-tidegate-attempts: 1"), "{came}");
}

#[tokio::test]
async fn what_needs_a_person_passes_at_once() {
    let billing = r#"{"error": {"message": "You exceeded your current quota, please check your plan and billing details.", "type": "insufficient_quota", "param": null, "code": "insufficient_quota"}}"#;
    let came = answered_once(&get("/v1/wide", ""), &answer("429 Too Many Requests", "", billing)).await;
    assert!(came.starts_with("HTTP/1.1 429") && came.ends_with(billing), "{came}");
    assert!(has(&came, "x-should-retry: false") && has(&came, "x-tidegate-attempts: 1"), "{came}");
}

#[tokio::test]
async fn an_overloaded_upstream_is_asked_again() {
    let busy = r#"{"error": {"message": "The server is overloaded. Please try again later.", "type": "service_unavailable_error", "param": null, "code": "server_is_overloaded"}}"#;
    let (house, listener, clock) = open().await;
    let mut client = house.connect().await;
    client.send(&get("/v1/wide", "")).await;
    take(&listener, &answer("503 Service Unavailable", "retry-after-ms: 50\r\n", busy)).await;
    house.lets_it_go(&clock).await;
    take(&listener, &ok()).await;
    let came = client.rest().await;
    assert!(came.starts_with("HTTP/1.1 200") && has(&came, "x-tidegate-attempts: 2"), "{came}");
}

#[tokio::test]
async fn what_may_have_been_executed_is_never_sent_again() {
    let (house, listener, _clock) = open().await;
    for status in ["500 Internal Server Error", "502 Bad Gateway", "503 Service Unavailable", "408 Request Timeout"] {
        let came = answered_once_by(&house, &listener, &get("/v1/wide", ""), &answer(status, "", "<html>")).await;
        assert!(came.starts_with(&format!("HTTP/1.1 {status}\r\n")) && came.ends_with("<html>"), "{came}");
        assert!(has(&came, "x-tidegate-attempts: 1") && !came.contains("x-should-retry"), "{came}");
    }
    let came = answered_once_by(&house, &listener, &get("/v1/wide", ""), "").await;
    assert!(came.starts_with("HTTP/1.1 502") && has(&came, "x-tidegate-attempts: 1"), "{came}");
}

#[tokio::test]
async fn what_breaks_the_second_time_is_not_sent_a_third() {
    let (house, listener, clock) = open().await;
    let mut client = house.connect().await;
    client.send(&get("/v1/wide", "")).await;
    take(&listener, &refusal()).await;
    house.lets_it_go(&clock).await;
    take(&listener, "").await;
    let came = client.rest().await;
    assert!(came.starts_with("HTTP/1.1 502") && has(&came, "x-tidegate-attempts: 2"), "{came}");
    house.until("all is over", is_over).await;
}

#[tokio::test]
async fn a_client_that_leaves_while_it_waits_once_more_leaves_nothing() {
    let (house, listener, _clock) = open().await;
    let mut client = house.connect().await;
    client.send("POST /v1/never HTTP/1.1\r\nHost: o\r\nContent-Length: 4\r\n\r\nbody").await;
    let mut server = accept(&listener).await;
    server.until("body").await;
    server.send(&refusal()).await;
    house.until("it waits", |now| now.waiting == 1).await;
    assert_eq!(house.gate.admission().snapshot().totals.released, 1, "it is in flight no longer");
    drop(client);
    let over = RequestTotals { granted: 1, refused: 0, cancelled: 1, refunded: 0, sent: 1, released: 1 };
    house.until("nothing is left", |now| now.waiting == 0 && now.totals == over).await;
}

#[tokio::test]
async fn a_gate_that_stops_hands_back_what_the_upstream_said() {
    let (house, listener, _clock) = open().await;
    let mut client = house.connect().await;
    client.send(&get("/v1/never", "")).await;
    take(&listener, &refusal()).await;
    house.until("it waits", |now| now.waiting == 1).await;
    house.stop();
    let came = client.rest().await;
    assert!(
        came.starts_with("HTTP/1.1 429") && came.ends_with(LIMITED) && has(&came, "x-should-retry: true"),
        "{came}"
    );
    house.stopped().await;
}

#[tokio::test]
async fn how_long_a_refusal_takes_says_nothing_of_answers() {
    let (house, listener, clock) = open().await;
    let mut client = house.connect().await;
    client.send(&get("/v1/never", "")).await;
    let mut server = accept(&listener).await;
    server.until("\r\n\r\n").await;
    clock.step(Duration::from_secs(2)).await;
    server.send(&refusal()).await;
    house.until("it waits", |now| now.waiting == 1).await;
    let came = house.ask(&get("/v1/never", "x-stainless-read-timeout: 10\r\n")).await;
    assert!(came.contains("and you wait at most 10 s."), "{came}");
}

#[tokio::test]
async fn a_websocket_that_is_refused_is_opened_in_the_end() {
    let (house, listener, clock) = open().await;
    let mut client = house.connect().await;
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    client.send(&format!("GET /v1/wide HTTP/1.1\r\nHost: o\r\n{upgrade}\r\n")).await;
    take(&listener, &refusal()).await;
    house.lets_it_go(&clock).await;
    let mut server = accept(&listener).await;
    assert!(server.until("\r\n\r\n").await.contains("upgrade: websocket\r\n"));
    server.send(&format!("HTTP/1.1 101 Switching Protocols\r\n{upgrade}\r\nhello")).await;
    let came = client.until("hello").await;
    assert!(came.starts_with("HTTP/1.1 101") && has(&came, "x-tidegate-attempts: 2"), "{came}");
}
