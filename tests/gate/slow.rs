//! Clients that are slow, silent or gone: none holds what others need for longer than it gets on.

use std::time::Duration;

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tidegate::admission::Snapshot;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::house::{House, Wire, accept, upstream};
use super::uploads::Apart;
use crate::clock::{Clock, in_time, until};

const GET: &str = "GET /v1/x HTTP/1.1\r\nHost: o\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const STALL: Duration = Duration::from_secs(30);
const IDLE: Duration = Duration::from_secs(90);

/// Room for the bodies of two requests, on a route whose bodies are read.
const TWO_BODIES: &str = r#"
[queue]
buffer = "1KiB"
max_bytes = "2KiB"

[pools.files]
requests = ["1000/min"]

[[routes]]
match = "POST /v1/files"
pools = ["files:body.files"]
"#;

const ONE_AT_A_TIME: &str = "[pools.one]\nin_flight = 1\n[[routes]]\nmatch = \"* /v1/one\"\npools = [\"one\"]";

fn in_flight(now: &Snapshot) -> u64 {
    now.instances.iter().map(|instance| u64::from(instance.usage.in_flight)).sum()
}

async fn serve(listener: &TcpListener) -> Wire {
    let mut server = accept(listener).await;
    server.until("\r\n\r\n").await;
    server.send(OK).await;
    server
}

#[tokio::test]
async fn trickling_bodies_shut_no_one_out() {
    let _clock = Clock::stop();
    let (listener, address) = upstream().await;
    let house = House::open(TWO_BODIES, address).await;
    let post = |length: usize| format!("POST /v1/files HTTP/1.1\r\nHost: o\r\nContent-Length: {length}\r\n\r\nx");
    let mut slow = Vec::new();
    for _ in 0..20 {
        let mut client = house.connect().await;
        client.send(post(1_024)).await;
        slow.push(client);
    }
    until("all have begun", || house.gate.buffered().0 == 20).await;
    let mut client = house.connect().await;
    client.send(post(1_024) + &"x".repeat(1_023)).await;
    serve(&listener).await;
    client.until("ok").await;
}

#[tokio::test]
async fn head_that_does_not_end_is_given_up() {
    let clock = Clock::stop();
    let (_listener, address) = upstream().await;
    let house = House::open("", address).await;
    for first in ["G", "P", "GET /v1/x HTTP/1.1\r\nHost: ", "PRI * HTTP/2.0\r\n"] {
        let mut client = house.connect().await;
        client.send(first).await;
        let began = Instant::now();
        let trickles = async {
            let mut end = [0; 1];
            loop {
                clock.step(Duration::from_secs(10)).await;
                if client.0.write_all(b"x").await.is_err() {
                    return;
                }
                tokio::select! {
                    biased;
                    ended = client.0.read(&mut end) => if !matches!(ended, Ok(1..)) { return },
                    () = crate::clock::real_sleep(Duration::from_millis(1)) => {}
                }
            }
        };
        in_time("it is closed", trickles).await;
        assert!(began.elapsed() >= STALL, "{first:?}: {:?}", began.elapsed());
        until("it is gone", || house.gate.connections().open == 0).await;
    }
}

#[tokio::test]
async fn silent_connection_is_given_up_but_a_kept_one_waits() {
    let clock = Clock::stop();
    let (listener, address) = upstream().await;
    let house = House::open("", address).await;
    let mut kept = house.connect().await;
    kept.send(GET).await;
    let mut server = serve(&listener).await;
    kept.until("ok").await;
    let mut silent = house.connect().await;
    until("both are there", || house.gate.connections().open == 2).await;
    clock.step(STALL + Duration::from_secs(1)).await;
    assert_eq!(silent.rest().await, "");
    kept.send(GET).await;
    server.until("\r\n\r\n").await;
    server.send(OK).await;
    kept.until("ok").await;
}

#[tokio::test]
async fn connection_at_rest_is_closed_but_not_one_whose_client_waits() {
    let clock = Clock::stop();
    let (listener, address) = upstream().await;
    let house = House::open("", address).await;
    let mut client = house.connect().await;
    client.send(GET).await;
    let mut server = accept(&listener).await;
    server.until("\r\n\r\n").await;
    clock.step(IDLE + Duration::from_secs(1)).await;
    server.send(OK).await;
    client.until("ok").await;
    clock.step(IDLE.saturating_sub(Duration::from_secs(1))).await;
    client.send(GET).await;
    accept(&listener).await.send(OK).await;
    client.until("ok").await;
    let began = Instant::now();
    tokio::select! {
        rest = client.rest() => assert_eq!(rest, ""),
        never = clock.runs(Duration::from_secs(1)) => match never {},
    }
    assert!(began.elapsed() >= IDLE, "{:?}", began.elapsed());
}

#[tokio::test]
async fn client_that_sends_one_byte_and_leaves_is_seen_to_leave() {
    let _clock = Clock::stop();
    let (_listener, address) = upstream().await;
    let house = House::open("", address).await;
    let mut client = house.connect().await;
    client.send("P").await;
    until("it is there", || house.gate.connections().open == 1).await;
    drop(client);
    until("it is gone", || house.gate.connections().open == 0).await;
}

#[tokio::test]
async fn request_that_begins_like_a_preface_passes() {
    let (listener, address) = upstream().await;
    let house = House::open("", address).await;
    let mut client = house.connect().await;
    for (piece, connections) in [("P", 1), ("OST /v1/x HTTP/1.1\r\nHost: o\r\nContent-Length: 2\r\n\r\n{}", 1)] {
        client.send(piece).await;
        until("it is there", || house.gate.connections().open == connections).await;
    }
    let mut server = accept(&listener).await;
    assert!(server.until("{}").await.starts_with("POST /v1/x HTTP/1.1\r\n"));
}

#[tokio::test]
async fn half_a_head_does_not_hold_the_end() {
    let _clock = Clock::stop();
    let (_listener, address) = upstream().await;
    let house = House::open("", address).await;
    let mut client = house.connect().await;
    client.send("GET /v1/x HTTP/1.1\r\nHo").await;
    until("it is there", || house.gate.connections().open == 1).await;
    house.stop();
    house.stopped().await;
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn client_that_takes_nothing_is_given_up() {
    let clock = Clock::stop();
    let (listener, address) = upstream().await;
    let house = House::open("", address).await;
    let mut client = house.connect().await;
    client.send(GET).await;
    let mut server = accept(&listener).await;
    server.until("\r\n\r\n").await;
    server.send("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n").await;
    let began = Instant::now();
    let floods = async { while server.0.write_all(&[b'x'; 8_192]).await.is_ok() {} };
    tokio::select! {
        () = in_time("it is given up", floods) => {}
        never = clock.runs(Duration::from_secs(1)) => match never {},
    }
    assert!(began.elapsed() >= STALL, "{:?}", began.elapsed());
}

#[tokio::test]
async fn stream_of_http_2_that_is_not_taken_is_given_up_alone() {
    let clock = Clock::stop();
    let (listener, address) = upstream().await;
    let house = House::open(ONE_AT_A_TIME, address).await;
    let socket = TcpStream::connect(house.address).await.expect("a connection");
    let client = http2::Builder::new(TokioExecutor::new()).handshake(TokioIo::new(socket));
    let (mut send, connection) = client.await.expect("HTTP/2");
    tokio::spawn(connection);
    let get = |path: &str| {
        let uri = format!("http://gate{path}");
        http::Request::get(uri).body(http_body_util::Empty::<bytes::Bytes>::new()).expect("a request")
    };
    let untaken = send.send_request(get("/v1/one"));
    let answered = async {
        let mut server = accept(&listener).await;
        server.until("\r\n\r\n").await;
        server.send("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n").await;
        server
    };
    let (untaken, mut server) = tokio::join!(untaken, answered);
    let untaken = untaken.expect("a head");
    let flood = tokio::spawn(async move { while server.0.write_all(&[b'x'; 8_192]).await.is_ok() {} });
    house.until("it is under way", |now| in_flight(now) == 1).await;
    tokio::select! {
        () = house.until("its place is free", |now| in_flight(now) == 0) => {}
        never = clock.runs(Duration::from_secs(1)) => match never {},
    }
    in_time("the upstream is told", flood).await.expect("no panic");
    let (other, mut server) = tokio::join!(send.send_request(get("/v1/one")), async { serve(&listener).await });
    assert_eq!(other.expect("an answer").status(), 200);
    server.0.shutdown().await.expect("ends");
    drop(untaken);
}

#[tokio::test]
async fn client_that_leaves_behind_more_than_its_request_leaves_the_queue() {
    let clock = Clock::stop();
    let (listener, address) = upstream().await;
    let house = House::open(ONE_AT_A_TIME, address).await;
    let mut first = house.connect().await;
    first.send("GET /v1/one HTTP/1.1\r\nHost: o\r\n\r\n").await;
    let _server = accept(&listener).await;
    let get = "GET /v1/one HTTP/1.1\r\nHost: o\r\n\r\n";
    let post = "POST /v1/one HTTP/1.1\r\nHost: o\r\nContent-Length: 2\r\n\r\n{}";
    for request in [get.to_owned() + "\r\n", get.to_owned() + get, post.to_owned() + "\r\n", post.to_owned() + post] {
        for resets in [false, true] {
            let mut client = house.connect().await;
            client.send(&request).await;
            house.until("it waits", |now| now.waiting == 1).await;
            if resets {
                client.0.set_zero_linger().expect("a socket");
            }
            drop(client);
            let left = house.until("it has left", |now| now.waiting == 0);
            tokio::select! {
                () = left => {}
                never = clock.runs(Duration::from_millis(100)) => match never {},
            }
        }
    }
}

#[tokio::test]
async fn client_that_reads_nothing_costs_little_memory() {
    const CLIENTS: usize = 100;
    let (listener, address) = upstream().await;
    let gate = Apart::open(address).await;
    let mut before = 0;
    let (mut clients, mut servers) = (Vec::new(), Vec::new());
    for nth in 0..=CLIENTS {
        let mut client = Wire(TcpStream::connect(gate.address()).await.expect("a connection"));
        client.send(GET).await;
        let mut server = accept(&listener).await;
        server.until("\r\n\r\n").await;
        server.send("HTTP/1.1 200 OK\r\ncontent-length: 50000000\r\n\r\n").await;
        in_time("what the system takes", server.0.write_all(&vec![b'x'; 1 << 20])).await.expect("sends");
        clients.push(client);
        servers.push(server);
        // The first has all that the program needs anyway.
        if nth == 0 {
            before = gate.peak_memory();
        }
    }
    let each = (gate.peak_memory() - before) / CLIENTS;
    println!("{} KB a client", each >> 10);
    assert!(each <= 128 << 10, "{} KB a client", each >> 10);
}
