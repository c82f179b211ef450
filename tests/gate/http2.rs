//! An upstream that speaks HTTP/2, frame by frame.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::house::{House, Wire, accept, assert_untouched, upstream};
use crate::clock::{Clock, in_time};

const GET: &str = "GET /v1/models HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n";
const POST: &str = "POST /v1/chat HTTP/1.1\r\nHost: o\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody";

/// The kinds of frames that matter here (RFC 9113 §6).
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

/// Of `HEADERS`: nothing follows, neither of the head nor behind it. Of `SETTINGS`: they are taken.
const WHOLE: u8 = 0b101;
const ACK: u8 = 1;

/// Error codes (RFC 9113 §7).
const INTERNAL_ERROR: [u8; 4] = [0, 0, 0, 2];
const REFUSED_STREAM: [u8; 4] = [0, 0, 0, 7];

/// The upstream's end of a connection.
struct Server(Wire);

impl Server {
    async fn accept(listener: &TcpListener) -> Self {
        let mut server = Self(accept(listener).await);
        let mut preface = [0; 24];
        in_time("the preface", server.0.0.read_exact(&mut preface)).await.expect("reads");
        server.send(SETTINGS, 0, 0, &[]).await;
        server.send(SETTINGS, ACK, 0, &[]).await;
        server
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).expect("a small one");
        let mut frame = length.to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.0.send(frame).await;
    }

    /// The stream of the next request.
    async fn request(&mut self) -> u32 {
        loop {
            let mut head = [0; 9];
            in_time("a frame", self.0.0.read_exact(&mut head)).await.expect("reads");
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            in_time("all of it", self.0.0.read_exact(&mut payload)).await.expect("reads");
            if head[3] == HEADERS {
                return u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            }
        }
    }

    /// Answers with a status of 200 (in HPACK's static table) and no body.
    async fn answer(&mut self, stream: u32) {
        self.send(HEADERS, WHOLE, stream, &[0x88]).await;
    }
}

async fn open() -> (TcpListener, House) {
    let (listener, address) = upstream().await;
    let house = House::open("http2_connections = 1", address).await;
    (listener, house)
}

#[tokio::test]
async fn refused_stream_goes_again_on_a_new_connection() {
    for request in [GET, POST] {
        let (listener, house) = open().await;
        let (came, _first) = tokio::join!(house.ask(request), async {
            let mut first = Server::accept(&listener).await;
            let stream = first.request().await;
            first.send(RST_STREAM, 0, stream, &REFUSED_STREAM).await;
            let mut second = Server::accept(&listener).await;
            let stream = second.request().await;
            second.answer(stream).await;
            (first, second)
        });
        assert!(came.starts_with("HTTP/1.1 200"), "{came}");
    }
}

#[tokio::test]
async fn request_beyond_goaway_goes_again_on_a_new_connection() {
    let (listener, house) = open().await;
    let (came, _first) = tokio::join!(house.ask(POST), async {
        let mut first = Server::accept(&listener).await;
        first.request().await;
        // No stream was processed, and there is no error.
        first.send(GOAWAY, 0, 0, &[0; 8]).await;
        let mut second = Server::accept(&listener).await;
        let stream = second.request().await;
        second.answer(stream).await;
        (first, second)
    });
    assert!(came.starts_with("HTTP/1.1 200"), "{came}");
}

#[tokio::test]
async fn refused_stream_is_not_sent_a_third_time() {
    let (listener, house) = open().await;
    let (came, _servers) = tokio::join!(house.ask(GET), async {
        let mut servers = Vec::new();
        for _ in 0..2 {
            let mut server = Server::accept(&listener).await;
            let stream = server.request().await;
            server.send(RST_STREAM, 0, stream, &REFUSED_STREAM).await;
            servers.push(server);
        }
        servers
    });
    assert!(came.starts_with("HTTP/1.1 502"), "{came}");
    assert_untouched(&listener).await;
}

#[tokio::test]
async fn stream_that_failed_otherwise_is_not_sent_again() {
    for request in [GET, POST] {
        let (listener, house) = open().await;
        let (came, _server) = tokio::join!(house.ask(request), async {
            let mut server = Server::accept(&listener).await;
            let stream = server.request().await;
            server.send(RST_STREAM, 0, stream, &INTERNAL_ERROR).await;
            server
        });
        assert!(came.starts_with("HTTP/1.1 502"), "{came}");
        assert_untouched(&listener).await;
    }
}

#[tokio::test]
async fn connection_cut_costs_a_get_nothing_and_a_post_its_response() {
    for (request, is_repeated) in [(GET, true), (POST, false)] {
        let (listener, house) = open().await;
        let (came, _server) = tokio::join!(house.ask(request), async {
            let mut first = Server::accept(&listener).await;
            first.request().await;
            drop(first);
            if !is_repeated {
                return None;
            }
            let mut second = Server::accept(&listener).await;
            let stream = second.request().await;
            second.answer(stream).await;
            Some(second)
        });
        assert!(came.starts_with(if is_repeated { "HTTP/1.1 200" } else { "HTTP/1.1 502" }), "{came}");
        assert_untouched(&listener).await;
    }
}

#[tokio::test]
async fn connection_that_leaves_pings_unanswered_is_closed() {
    let clock = Clock::stop();
    let (listener, house) = open().await;
    let (came, mut server) = tokio::join!(house.ask(GET), async {
        let mut server = Server::accept(&listener).await;
        let stream = server.request().await;
        server.answer(stream).await;
        server
    });
    assert!(came.starts_with("HTTP/1.1 200"), "{came}");
    let began = Instant::now();
    tokio::select! {
        _ = server.0.rest_of_bytes() => assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed()),
        never = clock.runs(Duration::from_secs(1)) => match never {},
    }
}

#[tokio::test]
async fn response_with_60_kb_of_fields_passes() {
    let (listener, house) = open().await;
    let answer = service_fn(|_: Request<Incoming>| async {
        let response = Response::builder().header("x-big", "v".repeat(60_000));
        Ok::<_, Infallible>(response.body(Full::new(Bytes::from_static(b"ok"))).expect("a response"))
    });
    tokio::spawn(async move {
        let stream = TokioIo::new(accept(&listener).await.0);
        hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(stream, answer).await
    });
    let came = house.ask(GET).await;
    assert!(came.starts_with("HTTP/1.1 200") && came.ends_with("ok"), "{came:.200}");
}

#[tokio::test]
async fn upload_that_is_not_taken_ends_after_a_minute() {
    let clock = Clock::stop();
    let (listener, house) = open().await;
    let leaves_unread = service_fn(|request: Request<Incoming>| async move {
        let _unread = request;
        pending::<Result<Response<Full<Bytes>>, Infallible>>().await
    });
    tokio::spawn(async move {
        let stream = TokioIo::new(accept(&listener).await.0);
        hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(stream, leaves_unread).await
    });
    let (reads, mut writes) = house.connect().await.0.into_split();
    tokio::spawn(async move {
        let head =
            format!("POST /v1/files HTTP/1.1\r\nHost: o\r\nConnection: close\r\nContent-Length: {UPLOAD}\r\n\r\n");
        writes.write_all(head.as_bytes()).await?;
        writes.write_all(&vec![b'x'; UPLOAD]).await
    });
    let (mut reads, began) = (BufReader::new(reads), Instant::now());
    let mut status = String::new();
    tokio::select! {
        read = reads.read_line(&mut status) => drop(read.expect("an answer")),
        never = clock.runs(Duration::from_secs(1)) => match never {},
    }
    assert!(status.starts_with("HTTP/1.1 504"), "{status}");
    assert!((60..150).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

/// More than all windows and buffers on the way hold.
const UPLOAD: usize = 16 << 20;

#[tokio::test]
async fn upload_of_which_its_client_sends_no_more_is_given_up_over_http_2() {
    let clock = Clock::stop();
    let (listener, address) = upstream().await;
    let house = House::open("http2_connections = 1\n[server]\nstall_timeout = \"5s\"", address).await;
    let mut client = house.connect().await;
    client.send("POST /v1/files HTTP/1.1\r\nHost: o\r\nContent-Length: 100000000\r\n\r\nbegin").await;
    let mut server = Server::accept(&listener).await;
    server.request().await;
    server.0.until("begin").await;
    clock.step(Duration::from_secs(4)).await;
    client.send("piece").await;
    server.0.until("piece").await;
    let began = Instant::now();
    tokio::select! {
        came = client.until("\r\n\r\n") => assert!(came.starts_with("HTTP/1.1 408"), "{came}"),
        never = clock.runs(Duration::from_millis(100)) => match never {},
    }
    assert!(began.elapsed() >= Duration::from_secs(4), "{:?}", began.elapsed());
}
