//! Identical GETs share one call, and nobody ever has what is another's.

use std::time::Duration;

use tidegate::gate::Coalesced;
use tokio::net::TcpListener;

use super::house::{House, Wire, accept, upstream};
use super::resend::answer;
use crate::clock::Clock;

pub(crate) const ROUTES: &str = r#"
[pools.gets]
requests = ["1000/s"]

[pools.tight]
requests = ["1/2s"]

[[routes]]
match = "GET /v1/runs/{run}"
pools = ["gets"]
coalesce = true
reuse = "300ms"

[[routes]]
match = "GET /v1/tight"
pools = ["tight"]
coalesce = true

[[routes]]
match = "POST,DELETE /v1/runs/{*rest}"

[[routes]]
match = "GET /v1/streams/{stream}"
coalesce = true
reuse = "10s"

[[routes]]
match = "POST /v1/streams/{stream}"
pools = ["tight"]
keepalive = "1s"
"#;

async fn open() -> (House, TcpListener) {
    let (listener, address) = upstream().await;
    (House::open(ROUTES, address).await, listener)
}

fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: o\r\nConnection: close\r\n{headers}\r\n")
}

fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: o\r\nConnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
}

fn ok(body: &str) -> String {
    answer("200 OK", "x-request-id: r1\r\n", body)
}

/// The next request at the upstream, not answered yet.
async fn arrived(listener: &TcpListener) -> (Wire, String) {
    let mut server = accept(listener).await;
    let head = server.until("\r\n\r\n").await;
    (server, head)
}

/// Proves that no other call has been made: what comes next at the upstream is what is asked for here.
async fn nothing_else_comes(house: &House, listener: &TcpListener) {
    let _asks = ask(house, &get("/v1/next", "")).await;
    let (_, head) = arrived(listener).await;
    assert!(head.starts_with("GET /v1/next "), "another call was made: {head}");
}

async fn ask(house: &House, request: &str) -> Wire {
    let mut client = house.connect().await;
    client.send(request).await;
    client
}

/// What came of the GETs of the first route.
fn tally(house: &House) -> (u64, u64, u64) {
    let Coalesced { calls, joined, reused, .. } = house.gate.coalesced().swap_remove(0);
    (calls, joined, reused)
}

fn body(came: &str) -> &str {
    came.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

fn has(came: &str, header: &str) -> bool {
    came.contains(&format!("\r\n{header}\r\n"))
}

/// Several who ask the same while the first is with the upstream, and share its call.
async fn crowd(house: &House, listener: &TcpListener, count: u64) -> (Vec<Wire>, Wire) {
    let asked = || house.gate.coalesced()[0].asked;
    let (before, (calls, ..)) = (asked(), tally(house));
    let mut clients = vec![ask(house, &get("/v1/runs/1", "")).await];
    let (server, _) = arrived(listener).await;
    for _ in 1..count {
        clients.push(ask(house, &get("/v1/runs/1", "x-stainless-retry-count: 1\r\n")).await);
    }
    house.until("all have asked", |_| asked() == before + count).await;
    assert_eq!(tally(house).0, calls + 1);
    nothing_else_comes(house, listener).await;
    (clients, server)
}

/// How far apart calls for a thing are that is polled, at the rate of its pool.
const APART: Duration = Duration::from_millis(2);

/// How long an answer to what is polled serves others.
const REUSE: Duration = Duration::from_millis(300);

/// After how long the second of two requests goes to the tight pool: its window and the usual margin.
const TURN: Duration = Duration::from_millis(2_250);

/// So little that no shorter time tells two times apart.
const LEAST: Duration = Duration::from_millis(1);

#[tokio::test]
async fn those_who_ask_the_same_at_once_share_one_call() {
    let _clock = Clock::stop();
    let (house, listener) = open().await;
    let (clients, mut server) = crowd(&house, &listener, 12).await;
    server.send(ok("{\"status\": \"queued\"}")).await;
    let mut sources = Vec::new();
    for mut client in clients {
        let came = client.rest().await;
        assert!(has(&came, "x-request-id: r1") && body(&came) == "{\"status\": \"queued\"}", "{came}");
        sources.push(has(&came, "x-tidegate-source: coalesced"));
    }
    assert_eq!(sources.iter().filter(|shared| **shared).count(), 11);
    assert_eq!(tally(&house), (1, 11, 0));
    let late = house.ask(&get("/v1/runs/1", "")).await;
    assert!(has(&late, "x-tidegate-source: coalesced") && has(&late, "x-tidegate-attempts: 0"), "{late}");
    assert_eq!(tally(&house), (1, 11, 1));
}

#[tokio::test]
async fn whoever_differs_in_anything_makes_a_call_of_his_own() {
    let (house, listener) = open().await;
    let (_first, _server) = crowd(&house, &listener, 1).await;
    let mut others = Vec::new();
    for (path, headers) in [
        ("/v1/runs/1", "authorization: Bearer b\r\n"),
        ("/v1/runs/1", "openai-project: p\r\n"),
        ("/v1/runs/1", "x-anything: 1\r\n"),
        ("/v1/runs/1?x=1", ""),
        ("/v1/runs/2", ""),
        ("/v1/runs/1", "cache-control: no-cache\r\n"),
        ("/v1/runs/1", "cache-control: max-age=0\r\n"),
        ("/v1/runs/1", "cache-control: no-store\r\n"),
        ("/v1/runs/1", "content-length: 2\r\n\r\n{}"),
        ("/v1/runs/1", "range: bytes=0-1\r\n"),
        ("/v1/runs/1", "if-none-match: x\r\n"),
        ("/v1/runs/1", "accept: text/event-stream\r\n"),
        ("/v1/runs/1?stream=true", ""),
        ("/v1/runs/x%2F..%2F1", ""),
    ] {
        let client = ask(&house, &get(path, headers)).await;
        others.push((client, arrived(&listener).await));
    }
    assert_eq!(tally(&house), (15, 0, 0));
}

#[tokio::test]
async fn when_the_first_leaves_the_others_still_get_theirs_and_when_all_do_the_call_ends() {
    let clock = Clock::stop();
    let (house, listener) = open().await;
    let (mut clients, mut server) = crowd(&house, &listener, 3).await;
    house.until("they alone are there", |_| house.gate.connections().open == 3).await;
    drop(clients.remove(0));
    house.until("the first has left", |_| house.gate.connections().open == 2).await;
    nothing_else_comes(&house, &listener).await;
    server.send(ok("done")).await;
    for mut client in clients {
        assert_eq!(body(&client.rest().await), "done");
    }
    clock.step(REUSE).await;
    let (clients, mut server) = crowd(&house, &listener, 2).await;
    drop(clients);
    assert_eq!(server.rest().await, "", "the gate closes the connection");
}

#[tokio::test]
async fn a_write_in_between_is_followed_by_a_call_that_began_after_it() {
    let clock = Clock::stop();
    let (house, listener) = open().await;
    let (mut clients, mut before) = crowd(&house, &listener, 1).await;
    clock.step(APART).await;
    let mut cancel = ask(&house, &post("/v1/runs/1", "")).await;
    let (mut write, _) = arrived(&listener).await;
    write.send(ok("cancelled")).await;
    cancel.rest().await;
    let mut later = ask(&house, &get("/v1/runs/1", "")).await;
    let (mut after, _) = arrived(&listener).await;
    before.send(ok("stale")).await;
    assert_eq!(body(&clients.remove(0).rest().await), "stale");
    let mut joins = ask(&house, &get("/v1/runs/1", "")).await;
    house.until("all have asked", |_| house.gate.coalesced()[0].asked == 3).await;
    nothing_else_comes(&house, &listener).await;
    after.send(ok("fresh")).await;
    assert_eq!([body(&later.rest().await), body(&joins.rest().await)], ["fresh"; 2]);
}

#[tokio::test]
async fn what_came_before_a_write_or_while_it_was_under_way_serves_nobody_after_it() {
    let clock = Clock::stop();
    let (house, listener) = open().await;
    let mut before = ask(&house, &get("/v1/runs/1", "")).await;
    arrived(&listener).await.0.send(ok("before")).await;
    assert_eq!(body(&before.rest().await), "before");
    let mut cancel = ask(&house, &post("/v1/runs/1/cancel", "")).await;
    let (mut write, _) = arrived(&listener).await;
    clock.step(APART).await;
    let mut during = ask(&house, &get("/v1/runs/1", "")).await;
    arrived(&listener).await.0.send(ok("during")).await;
    assert_eq!(body(&during.rest().await), "during");
    write.send(ok("cancelled")).await;
    cancel.rest().await;
    clock.step(APART).await;
    let mut after = ask(&house, &get("/v1/runs/1", "")).await;
    arrived(&listener).await.0.send(ok("after")).await;
    assert_eq!(body(&after.rest().await), "after");
}

#[tokio::test]
async fn a_write_that_is_promised_an_answer_before_its_turn_is_under_way_until_it_has_one() {
    let clock = Clock::stop();
    let (house, listener) = open().await;
    let spends = ask(&house, &post("/v1/streams/0", "")).await;
    let _spent = arrived(&listener).await;
    let mut write = ask(&house, &post("/v1/streams/1", "{\"stream\": true}")).await;
    house.until("it waits", |now| now.waiting == 1).await;
    clock.reach(Duration::from_secs(1)).await;
    write.until(": tidegate waits").await;
    let mut before = ask(&house, &get("/v1/streams/1", "")).await;
    arrived(&listener).await.0.send(ok("before")).await;
    assert_eq!(body(&before.rest().await), "before");
    clock.reach(TURN.saturating_sub(Duration::from_secs(1))).await;
    arrived(&listener).await.0.send(answer("200 OK", "content-type: text/event-stream\r\n", "data: 1\n\n")).await;
    write.until("data: 1").await;
    let mut after = ask(&house, &get("/v1/streams/1", "")).await;
    arrived(&listener).await.0.send(ok("after")).await;
    assert_eq!(body(&after.rest().await), "after");
    drop(spends);
}

#[tokio::test]
async fn whoever_makes_the_call_each_has_the_same_answer_byte_for_byte() {
    let _clock = Clock::stop();
    let (house, listener) = open().await;
    let said = "set-cookie: a=1\r\nDate: Tue, 15 Nov 1994 08:12:31 GMT\r\nx-b: 2\r\nset-cookie: b=2\r\nX-A: 1\r\n";
    let said = answer("200 Fine", said, "{\"status\":  \"queued\"}\n");
    let mut alone = ask(&house, &get("/v1/runs/1", "cache-control: no-cache\r\n")).await;
    arrived(&listener).await.0.send(&said).await;
    let (alone, (clients, mut server)) = (alone.rest().await, crowd(&house, &listener, 3).await);
    server.send(&said).await;
    for mut client in clients {
        assert_eq!(of_upstream(&client.rest().await), of_upstream(&alone));
    }
    assert_eq!(of_upstream(&house.ask(&get("/v1/runs/1", "")).await), of_upstream(&alone));
    assert_eq!(tally(&house), (2, 2, 1));
}

/// An answer without what the gate says.
fn of_upstream(came: &str) -> String {
    let own = ["x-tidegate-", "server-timing: "];
    came.split_inclusive("\r\n").filter(|line| !own.iter().any(|own| line.starts_with(own))).collect()
}

#[tokio::test]
async fn an_answer_is_reused_for_so_long_and_an_error_never() {
    let clock = Clock::stop();
    let (house, listener) = open().await;
    for (status, reused) in [("200 OK", true), ("404 Not Found", true), ("500 Internal Server Error", false)] {
        let mut first = ask(&house, &get("/v1/runs/1", "")).await;
        arrived(&listener).await.0.send(answer(status, "", "said")).await;
        assert_eq!(body(&first.rest().await), "said");
        clock.step(REUSE.saturating_sub(LEAST)).await;
        let mut second = ask(&house, &get("/v1/runs/1", "")).await;
        if !reused {
            arrived(&listener).await.0.send(answer(status, "", "said")).await;
        }
        let came = second.rest().await;
        assert_eq!(has(&came, "x-tidegate-source: coalesced"), reused, "{came}");
        clock.step(if reused { LEAST } else { APART }).await;
    }
    let mut expired = ask(&house, &get("/v1/runs/1", "")).await;
    arrived(&listener).await.0.send(ok("new")).await;
    assert_eq!(body(&expired.rest().await), "new");
}

#[tokio::test]
async fn who_does_not_read_holds_nobody_back() {
    let _clock = Clock::stop();
    let (house, listener) = open().await;
    let (mut clients, mut server) = crowd(&house, &listener, 3).await;
    let large = "x".repeat(900_000);
    server.send(ok(&large)).await;
    let _reads_nothing = clients.remove(0);
    for mut client in clients {
        assert_eq!(body(&client.rest().await), large);
    }
}

const WITH_TRAILERS: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n\
    14\r\nwhole whole whole wh\r\n0\r\nx-sum: 1\r\n\r\n";

#[tokio::test]
async fn what_is_too_large_broken_off_or_a_stream_is_for_one_and_the_others_make_their_own_calls() {
    let _clock = Clock::stop();
    for first in [
        ok(&"x".repeat(3 << 20)),
        ok("whole").replace("content-length: 5", "content-length: 9"),
        answer("200 OK", "content-type: text/event-stream\r\n", "data: 1\n\n"),
        answer("503 Service Unavailable", "x-should-retry: false\r\n", "{}"),
        WITH_TRAILERS.to_owned(),
    ] {
        let (house, listener) = open().await;
        let (mut clients, mut server) = crowd(&house, &listener, 2).await;
        server.send(&first).await;
        drop(server);
        let (mut own, _) = arrived(&listener).await;
        own.send(ok("its own")).await;
        assert_eq!(body(&clients.remove(1).rest().await), "its own");
        let came = clients.remove(0).rest().await;
        let cut = body(&came).len().min(20);
        assert!(!body(&came).is_empty() && first.contains(&body(&came)[..cut]), "{came:.300}");
    }
}

#[tokio::test]
async fn what_comes_slowly_is_for_one_after_five_seconds() {
    let clock = Clock::stop();
    let (house, listener) = open().await;
    let (mut clients, mut server) = crowd(&house, &listener, 2).await;
    server.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n").await;
    house.until("its head has come", |now| now.instances[0].evidence.accepted > 0).await;
    clock.step(Duration::from_secs(5).saturating_sub(LEAST)).await;
    nothing_else_comes(&house, &listener).await;
    clock.step(LEAST).await;
    clients[0].until("\r\na\r\n").await;
    arrived(&listener).await.0.send(ok("its own")).await;
    assert_eq!(body(&clients.remove(1).rest().await), "its own");
    server.send("1\r\nb\r\n0\r\n\r\n").await;
    assert!(clients.remove(0).rest().await.ends_with("1\r\nb\r\n0\r\n\r\n"));
}

#[tokio::test]
async fn a_call_without_an_answer_ends_for_all_alike() {
    let (house, listener) = open().await;
    let (clients, server) = crowd(&house, &listener, 3).await;
    drop(server);
    for mut client in clients {
        let came = client.rest().await;
        assert!(came.starts_with("HTTP/1.1 502") && came.contains("tidegate_upstream_unreachable"), "{came}");
    }
}

#[tokio::test]
async fn who_has_less_patience_than_the_first_is_told_and_who_has_more_goes_on() {
    let clock = Clock::stop();
    let (house, listener) = open().await;
    let mut spends = ask(&house, &get("/v1/tight", "x-spends: 1\r\n")).await;
    arrived(&listener).await.0.send(ok("spent")).await;
    spends.rest().await;
    let mut patient = ask(&house, &get("/v1/tight", "")).await;
    house.until("it waits", |now| now.waiting == 1).await;
    let patience = Duration::from_millis(100);
    let mut hasty = ask(&house, &get("/v1/tight", "x-tidegate-max-wait: 100ms\r\n")).await;
    house.until("both have asked", |_| house.gate.coalesced().iter().map(|route| route.asked).sum::<u64>() == 3).await;
    clock.reach(patience).await;
    let came = hasty.rest().await;
    assert!(came.starts_with("HTTP/1.1 429") && came.contains("tidegate_wait_too_long"), "{came}");
    assert!(has(&came, "x-tidegate-wait-ms: 100"), "{came}");
    clock.reach(TURN.saturating_sub(patience)).await;
    arrived(&listener).await.0.send(ok("in turn")).await;
    let came = patient.rest().await;
    assert_eq!(body(&came), "in turn");
    assert!(has(&came, "x-tidegate-wait-ms: 2250"), "{came}");
}
