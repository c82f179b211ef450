//! Bodies that are larger than anything the gate would keep.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::house::{House, Wire, accept, nobody, upstream};
use crate::clock::{Clock, real_sleep};

const MB: usize = 1 << 20;

/// A pool that can never admit what its route takes for every file.
const NEVER: &str = r#"
[pools.files]
requests = ["1/min"]

[[routes]]
match = "POST /v1/vector_stores"
pools = ["files:body.file_ids"]
"#;

const ONE_AT_A_TIME: &str = r#"
[pools.files]
in_flight = 1

[[routes]]
match = "* /v1/files"
pools = ["files"]
"#;

fn head(path: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: o\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n")
}

/// A gate in a process of its own: the other tests of this one take memory too.
pub(super) struct Apart {
    child: Child,
    wire: Wire,
}

impl Apart {
    pub(super) async fn open(upstream: impl std::fmt::Display) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        let command = command.env_clear().env("TIDEGATE_CONFIG", "config/default.toml").arg("serve");
        let command = command.args(["--listen", "127.0.0.1:0", "--admin", "off", "--upstream"]);
        let command = command.arg(format!("http://{upstream}")).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("it starts");
        let mut said = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut said).expect("a line");
        let address = said.trim().strip_prefix("listening on http://").expect("an address");
        Self { wire: Wire(TcpStream::connect(address).await.expect("a connection")), child }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.wire.0.peer_addr().expect("an address")
    }

    /// The most memory it has ever had, in bytes.
    pub(super) fn peak_memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("Linux");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        peak.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") << 10
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Takes one request whose body is so long, and answers it.
async fn take(listener: TcpListener, length: usize) -> usize {
    let mut server = accept(&listener).await;
    let got = server.until("\r\n\r\n").await;
    let mut taken = got.len() - got.find("\r\n\r\n").expect("a head") - 4;
    let mut piece = vec![0; MB / 4];
    while taken < length {
        taken += server.0.read(&mut piece).await.expect("reads");
    }
    server.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    taken
}

#[tokio::test]
async fn half_a_gigabyte_passes_in_constant_memory() {
    let (listener, address) = upstream().await;
    let mut gate = Apart::open(address).await;
    let length = 512 * MB;
    let before = gate.peak_memory();
    let taking = tokio::spawn(take(listener, length));
    gate.wire.send(&head("/v1/files", length)).await;
    let piece = vec![b'x'; MB];
    for _ in 0..length / MB {
        gate.wire.send(&piece).await;
    }
    gate.wire.until("ok").await;
    assert_eq!(taking.await.expect("no panic"), length);
    let grown = gate.peak_memory() - before;
    assert!(grown < 32 * MB, "it took {} MB", grown / MB);
}

#[tokio::test]
async fn a_client_that_is_still_sending_reads_its_refusal() {
    let (_clock, (_listener, address)) = (Clock::stop(), upstream().await);
    let house = House::open(NEVER, address).await;
    let came = send_and_read(&house, "/v1/vector_stores", r#"{"file_ids": ["1", "2"]}"#, 0).await;
    assert!(came.starts_with("HTTP/1.1 429") && came.contains("tidegate_never_fits"), "{came}");
}

/// The upstream answers and resets the connection: now and then the gate has more of the upload to write before its system tells
/// it of the answer.
#[tokio::test]
async fn early_answer_is_read_though_the_upload_breaks_off() {
    const TOO_LARGE: &[u8] = b"HTTP/1.1 413 Payload Too Large\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno";
    let (listener, address) = upstream().await;
    let house = House::open("", address).await;
    for pauses in 0..6 {
        let mut client = house.connect().await;
        client.send(head("/v1/files", MB)).await;
        let mut server = accept(&listener).await;
        server.until("\r\n\r\n").await;
        client.0.try_write(&[b'x'; 1_000]).expect("sends");
        for _ in 0..pauses {
            tokio::task::yield_now().await;
        }
        server.0.try_write(TOO_LARGE).expect("sends");
        server.0.set_zero_linger().expect("a socket");
        drop(server);
        let came = client.until("no").await;
        assert!(came.starts_with("HTTP/1.1 413"), "{came}");
    }
}

#[tokio::test]
async fn a_client_that_is_still_sending_reads_that_there_is_no_upstream() {
    let (_clock, (_nobody, address)) = (Clock::stop(), nobody());
    let house = House::open("", address).await;
    let came = send_and_read(&house, "/v1/files", "", 4 * MB).await;
    assert!(came.starts_with("HTTP/1.1 502") && came.contains("tidegate_upstream_unreachable"), "{came}");
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_a_large_upload_leaves_the_queue() {
    let (listener, address) = upstream().await;
    let house = House::open(ONE_AT_A_TIME, address).await;
    let _first = take_the_place(&house, &listener).await;
    let mut uploader = house.connect().await;
    uploader.send(&head("/v1/files", 64 * MB)).await;
    // More than the gate reads meanwhile, and less than the system takes for it.
    uploader.0.write_all(&vec![b'x'; MB + MB / 16]).await.expect("sends");
    house.until("it waits", |now| now.waiting == 1).await;
    drop(uploader);
    house.until("nobody waits", |now| now.waiting == 0 && now.totals.cancelled == 1).await;
    assert_eq!(house.gate.admission().snapshot().totals.granted, 1);
}

#[tokio::test]
async fn a_large_upload_goes_whole_after_it_has_waited() {
    let (listener, address) = upstream().await;
    let house = House::open(ONE_AT_A_TIME, address).await;
    let (mut first, mut server) = take_the_place(&house, &listener).await;
    let mut uploader = house.connect().await;
    let length = 3 * MB;
    let uploading = tokio::spawn(async move {
        uploader.send(&head("/v1/files", length)).await;
        uploader.0.write_all(&vec![b'x'; length]).await.expect("sends");
        uploader.until("ok").await
    });
    house.until("it waits", |now| now.waiting == 1).await;
    server.send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nfirst").await;
    first.until("first").await;
    assert_eq!(take(listener, length).await, length);
    assert!(uploading.await.expect("no panic").starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test]
async fn a_body_that_could_not_be_read_takes_all_there_is() {
    let (listener, address) = upstream().await;
    let house = House::open(&NEVER.replace("1/min", "50/min"), address).await;
    let taking = tokio::spawn(take(listener, 20));
    let came = send_and_read(&house, "/v1/vector_stores", "{\"file_ids\": [1, 22,", 0).await;
    assert!(came.starts_with("HTTP/1.1 200"), "{came}");
    assert_eq!(house.gate.admission().snapshot().instances[0].usage.windows[0].1, 50);
    taking.await.expect("no panic");
}

#[tokio::test]
async fn the_time_for_the_answer_runs_from_the_end_of_the_upload() {
    let (clock, (listener, address)) = (Clock::stop(), upstream().await);
    let house = House::open("response_timeout = \"1s\"", address).await;
    let mut client = house.connect().await;
    client.send(&head("/v1/files", 4).replace("Connection: close", "Connection: close\r\nExpect: 100-continue")).await;
    client.until("100 Continue\r\n\r\n").await;
    // A body that does not come within a second goes as it comes.
    clock.step(Duration::from_secs(1)).await;
    let mut server = accept(&listener).await;
    server.until("\r\n\r\n").await;
    for byte in ["a", "b", "c", "d"] {
        clock.step(Duration::from_secs(1)).await;
        client.send(byte).await;
        server.until(byte).await;
    }
    server.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let came = client.rest().await;
    assert!(came.starts_with("HTTP/1.1 200"), "{came}");
}

/// Sends all of the body before it reads, as Python's clients do.
async fn send_and_read(house: &House, path: &str, body: &str, filler: usize) -> String {
    let mut stream = TcpStream::connect(house.address).await.expect("a connection");
    stream.write_all(head(path, body.len() + filler).as_bytes()).await.expect("sends");
    stream.write_all(body.as_bytes()).await.expect("sends");
    stream.write_all(&vec![b' '; filler]).await.expect("the gate hears it out");
    let mut came = String::new();
    stream.read_to_string(&mut came).await.expect("reads");
    came
}

/// Sends the one request that may be under way, and leaves it without an answer.
async fn take_the_place(house: &House, listener: &TcpListener) -> (Wire, Wire) {
    let mut client = house.connect().await;
    client.send("GET /v1/files HTTP/1.1\r\nHost: o\r\n\r\n").await;
    let mut server = accept(listener).await;
    server.until("\r\n\r\n").await;
    (client, server)
}

/// When nothing has gone for so long an upload counts as stuck. One that counts too early has sent less.
const STUCK: Duration = Duration::from_millis(500);

/// Sends of an upload that waits until nothing more goes; says how much that was.
async fn send_until_stuck(stream: &mut TcpStream, length: usize) -> usize {
    let piece = vec![b'x'; 64 << 10];
    // More than the gate reads, and less than the system takes for it.
    let mut sent = MB + MB / 4;
    stream.write_all(&vec![b'x'; sent]).await.expect("sends");
    while sent < length {
        tokio::select! {
            count = stream.write(&piece[..piece.len().min(length - sent)]) => sent += count.expect("sends"),
            () = real_sleep(STUCK) => break,
        }
    }
    sent
}

/// An orderly end would stay behind what the client's system has still to send, where nobody can see it.
#[tokio::test]
async fn a_client_that_resets_a_stuck_upload_is_seen_and_costs_nothing() {
    let (listener, address) = upstream().await;
    let house = House::open(ONE_AT_A_TIME, address).await;
    let (mut first, mut server) = take_the_place(&house, &listener).await;
    let mut uploader = house.connect().await.0;
    uploader.write_all(head("/v1/files", 64 * MB).as_bytes()).await.expect("sends");
    let sent = send_until_stuck(&mut uploader, 64 * MB).await;
    assert!(sent < 64 * MB, "the gate takes it whole");
    house.until("it waits", |now| now.waiting == 1).await;
    uploader.set_zero_linger().expect("a reset");
    drop(uploader);
    house.until("nobody waits", |now| now.waiting == 0 && now.totals.cancelled == 1).await;
    server.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    first.until("ok").await;
    house.until("nothing is in flight", |now| now.instances[0].usage.in_flight == 0).await;
    assert_eq!(house.gate.admission().snapshot().totals.granted, 1);
}

#[tokio::test]
async fn an_upload_over_http_2_leaves_the_queue_with_its_stream_or_its_connection() {
    use http_body_util::{BodyExt, Full};
    for connection_too in [false, true] {
        let (listener, address) = upstream().await;
        let house = House::open(ONE_AT_A_TIME, address).await;
        let _first = take_the_place(&house, &listener).await;
        let socket = house.connect().await.0.into_std().expect("a socket");
        let stream = TcpStream::from_std(socket.try_clone().expect("another hold of it")).expect("a stream");
        let io = hyper_util::rt::TokioIo::new(stream);
        let executor = hyper_util::rt::TokioExecutor::new();
        let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.expect("a handshake");
        tokio::spawn(connection);
        let body = Full::new(bytes::Bytes::from(vec![b'x'; 5 * MB])).boxed();
        let request = http::Request::post("http://gate/v1/files").body(body).expect("a request");
        let uploading = tokio::spawn(sender.send_request(request));
        house.until("it waits", |now| now.waiting == 1).await;
        if connection_too {
            socket.shutdown(std::net::Shutdown::Both).expect("closes");
        } else {
            uploading.abort();
        }
        let what = format!("nobody waits (the connection has gone too: {connection_too})");
        house.until(&what, |now| now.waiting == 0 && now.totals.cancelled == 1).await;
    }
}
