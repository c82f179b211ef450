//! Connections to the upstream: kept for the next request, and closed by the upstream at the worst moment.

use std::time::Duration;

use tidegate::admission::AdmissionRequest;
use tidegate::limit::PoolId;
use tidegate::route::Ask;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::house::{House, Wire, accept, assert_untouched, upstream};
use crate::clock::{Clock, in_time};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const GET: &str = "GET /v1/models HTTP/1.1\r\nHost: o\r\n\r\n";
const POST: &str = "POST /v1/chat HTTP/1.1\r\nHost: o\r\nContent-Length: 4\r\n\r\nbody";

const ONE_AT_A_TIME: &str = "[pools.one]\nin_flight = 1\n[[routes]]\nmatch = \"POST /v1/chat\"\npools = [\"one\"]\n";

/// A gate with one connection to its upstream, which is idle, and a client's connection.
struct Warm {
    house: House,
    listener: TcpListener,
    client: Wire,
    server: Wire,
}

impl Warm {
    async fn up() -> Self {
        Self::with(OK).await
    }

    /// The upstream's first answer is this one.
    async fn with(answer: &str) -> Self {
        let (listener, address) = upstream().await;
        let house = House::open("", address).await;
        let mut client = house.connect().await;
        client.send(GET).await;
        let mut server = accept(&listener).await;
        server.until("\r\n\r\n").await;
        server.send(answer).await;
        client.until("ok").await;
        Self { house, listener, client, server }
    }
}

/// Closes with a reset: what was sent before it may be lost.
fn reset(Wire(socket): Wire) {
    socket.set_zero_linger().expect("a socket");
    drop(socket);
}

#[tokio::test]
async fn connection_serves_one_request_after_another() {
    let Warm { mut client, mut server, listener, .. } = Warm::up().await;
    for request in [POST, GET, POST] {
        client.send(request).await;
        assert!(server.until("\r\n\r\n").await.starts_with(&request[..4]));
        server.send(OK).await;
        client.until("ok").await;
    }
    assert_untouched(&listener).await;
}

#[tokio::test]
async fn requests_at_once_have_connections_of_their_own() {
    let Warm { house, mut client, mut server, listener } = Warm::up().await;
    let mut other = house.connect().await;
    client.send(GET).await;
    server.until("\r\n\r\n").await;
    other.send(GET).await;
    let mut second = accept(&listener).await;
    second.until("\r\n\r\n").await;
    for (server, client) in [(&mut second, &mut other), (&mut server, &mut client)] {
        server.send(OK).await;
        client.until("ok").await;
    }
    // The one that was used last goes first.
    client.send(GET).await;
    server.until("\r\n\r\n").await;
}

#[tokio::test]
async fn get_closed_on_reuse_goes_again_on_a_new_connection() {
    for close in [drop as fn(Wire), reset] {
        let Warm { mut client, mut server, listener, .. } = Warm::up().await;
        client.send(GET).await;
        let first = server.until("\r\n\r\n").await;
        close(server);
        let mut server = accept(&listener).await;
        assert_eq!(server.until("\r\n\r\n").await, first);
        server.send(OK).await;
        let came = client.until("ok").await;
        assert!(came.starts_with("HTTP/1.1 200"), "{came}");
    }
}

#[tokio::test]
async fn get_goes_again_on_a_new_connection_though_another_is_idle() {
    let Warm { house, mut client, mut server, listener } = Warm::up().await;
    let mut other = house.connect().await;
    client.send(GET).await;
    server.until("\r\n\r\n").await;
    other.send(GET).await;
    let mut idle = accept(&listener).await;
    idle.until("\r\n\r\n").await;
    idle.send(OK).await;
    other.until("ok").await;
    drop(server);
    let mut server = accept(&listener).await;
    server.until("\r\n\r\n").await;
    server.send(OK).await;
    client.until("ok").await;
}

#[tokio::test]
async fn get_is_not_sent_a_third_time() {
    let Warm { mut client, mut server, listener, .. } = Warm::up().await;
    client.send(GET).await;
    server.until("\r\n\r\n").await;
    drop(server);
    let mut server = accept(&listener).await;
    server.until("\r\n\r\n").await;
    drop(server);
    let came = client.answer().await;
    assert!(came.status() == "502" && came.body.contains("tidegate_upstream_unreachable"), "{}", came.body);
    assert_untouched(&listener).await;
}

#[tokio::test]
async fn get_whose_response_has_begun_is_not_sent_again() {
    let Warm { mut client, mut server, listener, .. } = Warm::up().await;
    client.send(GET).await;
    server.until("\r\n\r\n").await;
    server.send("HTTP/1.1 2").await;
    drop(server);
    assert_eq!(client.answer().await.status(), "502");
    assert_untouched(&listener).await;
}

#[tokio::test]
async fn post_closed_on_reuse_is_not_sent_again() {
    let Warm { mut client, mut server, listener, .. } = Warm::up().await;
    client.send(POST).await;
    server.until("body").await;
    drop(server);
    assert_eq!(client.answer().await.status(), "502");
    assert_untouched(&listener).await;
}

/// The gate hears of the reset only as it writes: the request has waited for its turn, and the system is not asked for news
/// between that and the write.
#[tokio::test]
async fn post_goes_again_where_none_of_it_was_written() {
    let (listener, address) = upstream().await;
    let house = House::open(ONE_AT_A_TIME, address).await;
    let mut client = house.connect().await;
    client.send(POST).await;
    let mut server = accept(&listener).await;
    server.until("body").await;
    server.send(OK).await;
    client.until("ok").await;
    let asks = [Ask { pool: PoolId(0), key: None, cost: Some(1) }];
    let permit = house.gate.admission().acquire(&asks, AdmissionRequest::default()).await.expect("a place");
    client.send(POST).await;
    house.until("it waits", |now| now.waiting == 1).await;
    reset(server);
    drop(permit);
    let mut server = accept(&listener).await;
    server.until("body").await;
    server.send(OK).await;
    let came = client.until("ok").await;
    assert!(came.starts_with("HTTP/1.1 200") && came.contains("x-tidegate-attempts: 1\r\n"), "{came}");
}

#[tokio::test]
async fn post_finds_closed_connection_and_takes_a_new_one() {
    let Warm { mut client, server, listener, .. } = Warm::up().await;
    // The system tells of events in the order in which they come: of this end before the request.
    drop(server);
    client.send(POST).await;
    let mut server = accept(&listener).await;
    server.until("body").await;
    server.send(OK).await;
    let came = client.until("ok").await;
    assert!(came.starts_with("HTTP/1.1 200"), "{came}");
}

#[tokio::test]
async fn idle_connection_is_closed_after_its_time() {
    let clock = Clock::stop();
    let Warm { mut server, house: _house, client: _client, .. } = Warm::up().await;
    let mut end = [0; 1];
    let closed = async { in_time("it is closed", server.0.read(&mut end)).await.expect("reads") };
    tokio::select! {
        count = closed => assert_eq!(count, 0),
        never = clock.runs(Duration::from_secs(1)) => match never {},
    }
}

#[tokio::test]
async fn upstream_that_names_its_idle_timeout_is_obeyed() {
    let clock = Clock::stop();
    let answer = "HTTP/1.1 200 OK\r\nkeep-alive: timeout=5, max=100\r\ncontent-length: 2\r\n\r\nok";
    for (time, is_kept) in [(3_900, true), (4_100, false)] {
        let Warm { mut client, server, listener, .. } = Warm::with(answer).await;
        clock.step(Duration::from_millis(time)).await;
        client.send(POST).await;
        let mut used = if is_kept { server } else { accept(&listener).await };
        used.until("body").await;
    }
}

#[tokio::test]
async fn upload_goes_on_after_an_early_response() {
    let (listener, address) = upstream().await;
    let house = House::open("", address).await;
    let mut client = house.connect().await;
    client.send("POST /v1/files HTTP/1.1\r\nHost: o\r\nContent-Length: 8\r\n\r\nhalf").await;
    let mut server = accept(&listener).await;
    server.until("half").await;
    server.send(OK).await;
    client.until("ok").await;
    client.send("rest").await;
    server.until("rest").await;
}

#[tokio::test]
async fn response_that_breaks_off_at_once_passes_as_far_as_it_came() {
    let (listener, address) = upstream().await;
    let house = House::open("", address).await;
    let mut client = house.connect().await;
    client.send(GET).await;
    let mut server = accept(&listener).await;
    server.until("\r\n\r\n").await;
    server.send("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf").await;
    drop(server);
    let came = client.answer().await;
    assert!(came.body == "half" && !came.is_whole && came.status() == "200", "{}", came.body);
}

/// An upload of which more than any buffer holds is still to come, and the upstream's end of it.
async fn upload_under_way() -> (House, Wire, Wire) {
    let (listener, address) = upstream().await;
    let house = House::open("response_timeout = \"600s\"", address).await;
    let mut client = house.connect().await;
    client.send("POST /v1/files HTTP/1.1\r\nHost: o\r\nContent-Length: 100000000\r\n\r\nbegin").await;
    let mut server = accept(&listener).await;
    server.until("begin").await;
    (house, client, server)
}

#[tokio::test]
async fn upload_that_the_upstream_stops_reading_is_given_up() {
    let clock = Clock::stop();
    let (_house, client, mut server) = upload_under_way().await;
    let (mut reads, mut writes) = client.0.into_split();
    let sending = tokio::spawn(async move { while writes.write_all(&[b'x'; 8_192]).await.is_ok() {} });
    let answer = async {
        let mut came = [0; 16];
        in_time("an answer", reads.read_exact(&mut came)).await.expect("reads");
        assert_eq!(&came[..12], b"HTTP/1.1 504");
    };
    let began = Instant::now();
    tokio::select! {
        () = answer => assert!((60..70).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed()),
        never = clock.runs(Duration::from_secs(1)) => match never {},
    }
    sending.abort();
    server.rest().await;
}

#[tokio::test]
async fn upload_that_gets_on_slowly_is_not_given_up() {
    let clock = Clock::stop();
    let (_house, mut client, mut server) = upload_under_way().await;
    for _ in 0..10 {
        clock.step(Duration::from_secs(29)).await;
        client.send("piece").await;
        server.until("piece").await;
    }
}

#[tokio::test]
async fn upload_of_which_its_client_sends_no_more_is_given_up() {
    let clock = Clock::stop();
    let (_house, mut client, mut server) = upload_under_way().await;
    clock.step(Duration::from_secs(29)).await;
    client.send("piece").await;
    server.until("piece").await;
    clock.step(Duration::from_secs(31)).await;
    server.rest().await;
    // What is left of the body has a second to come.
    clock.step(Duration::from_secs(2)).await;
    assert_eq!(client.answer().await.status(), "408");
}

#[tokio::test]
async fn response_is_waited_for_as_long_as_the_sdk_waits() {
    let clock = Clock::stop();
    let (listener, address) = upstream().await;
    let house = House::open("response_timeout = \"600s\"", address).await;
    for (said, seconds) in [("x-stainless-read-timeout: 900.0", 900), ("x-stainless-timeout: 60", 600), ("x-a: b", 600)]
    {
        let mut client = house.connect().await;
        client.send(format!("GET /v1/models HTTP/1.1\r\nHost: o\r\n{said}\r\n\r\n")).await;
        let mut server = accept(&listener).await;
        server.until("\r\n\r\n").await;
        clock.step(Duration::from_secs(seconds)).await;
        let came = client.answer().await;
        assert!(came.status() == "504" && came.body.contains(&format!("within {seconds} s")), "{}", came.body);
    }
}
