//! What passes through the gate, and how: seen as bytes from both sides.

use super::house::{House, Wire, accept, assert_untouched, nobody, upstream};
use tokio::net::{TcpListener, TcpStream};

const ONE: &str = r#"
[pools.one]
requests = ["1/h"]
in_flight = 1
max_wait = "2h"

[[routes]]
match = "* /v1/one"
pools = ["one"]
"#;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Sends a request through a gate and gives what the upstream got of it, answered with [`OK`], and what came back.
async fn through(config: &str, base: &str, request: &str) -> (String, String) {
    let (listener, address) = upstream().await;
    let house = House::open(config, format!("{address}{base}")).await;
    let mut client = house.connect().await;
    client.send(request).await;
    let mut server = accept(&listener).await;
    let got = server.until("\r\n\r\n").await;
    server.send(OK).await;
    (got, client.until("ok").await)
}

#[tokio::test]
async fn an_answer_passes_and_says_which_way_it_took() {
    let (got, came) = through(ONE, "", "GET /v1/one?x=1 HTTP/1.1\r\nHost: gate\r\nX-Mine: 1\r\n\r\n").await;
    assert!(got.starts_with("GET /v1/one?x=1 HTTP/1.1\r\n"), "{got}");
    assert!(got.contains("x-mine: 1\r\n") && !got.contains("host: gate"), "{got}");
    assert!(came.starts_with("HTTP/1.1 200 OK\r\n"), "{came}");
    for said in [
        "x-tidegate-route: * /v1/one\r\n",
        "x-tidegate-pools: one\r\n",
        "x-tidegate-wait-ms: 0\r\n",
        "x-tidegate-source: upstream\r\n",
        "x-tidegate-attempts: 1\r\n",
        "server-timing: tidegate;dur=0.0\r\n",
    ] {
        assert!(came.contains(said), "{said} in {came}");
    }
}

#[tokio::test]
async fn the_target_is_sent_as_it_came_after_the_base_path() {
    let (got, _) = through("", "/base", "GET /v1//a/%2e%2e/B?q=%20 HTTP/1.1\r\nHost: o\r\n\r\n").await;
    assert!(got.starts_with("GET /base//a/%2e%2e/B?q=%20 HTTP/1.1\r\n"), "{got}");
}

#[tokio::test]
async fn a_missing_v1_is_put_before_a_path_that_is_known_with_it() {
    let (got, _) = through(ONE, "/v1", "GET /one HTTP/1.1\r\nHost: o\r\n\r\n").await;
    assert!(got.starts_with("GET /v1/one HTTP/1.1\r\n"), "{got}");
    let (got, _) = through(ONE, "/v1", "GET /other HTTP/1.1\r\nHost: o\r\n\r\n").await;
    assert!(got.starts_with("GET /other HTTP/1.1\r\n"), "{got}");
}

#[tokio::test]
async fn nothing_climbs_out_of_the_base_path() {
    let (listener, address) = upstream().await;
    let house = House::open("", format!("{address}/base")).await;
    for path in
        ["/../v1/one", "/v1/../../other", "/v1/../other", "/%2e%2e/v1/one", "/v1/..%2F..%5cone", "/a;/../../one"]
    {
        let came = house.ask(&format!("GET {path} HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n")).await;
        assert!(came.starts_with("HTTP/1.1 400") && came.contains("tidegate_bad_request"), "{path}: {came}");
    }
    assert_untouched(&listener).await;
}

#[tokio::test]
async fn the_body_of_a_get_passes_in_chunks() {
    let request = "GET /v1/x HTTP/1.1\r\nHost: o\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let (listener, address) = upstream().await;
    let house = House::open("", address).await;
    let mut client = house.connect().await;
    client.send(request).await;
    let got = accept(&listener).await.until("0\r\n\r\n").await;
    assert!(got.contains("transfer-encoding: chunked\r\n") && got.contains("abc"), "{got}");
}

#[tokio::test]
async fn no_upgrade_but_that_to_a_websocket_goes_on() {
    let h2c = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n";
    let (got, came) = through("", "", &format!("GET /v1/x HTTP/1.1\r\nHost: o\r\n{h2c}\r\n")).await;
    assert!(!got.contains("upgrade") && !got.contains("http2-settings"), "{got}");
    assert!(came.starts_with("HTTP/1.1 200"), "{came}");
}

/// A variable that is surely there; whatever it holds goes on as the key.
const ADDS_KEY: &str = "api_key_env = \"CARGO_PKG_NAME\"\n";

#[tokio::test]
async fn the_key_that_the_gate_adds_takes_the_place_of_the_apps() {
    let (got, _) =
        through(ADDS_KEY, "", "GET /v1/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer app\r\n\r\n").await;
    assert!(got.contains("authorization: Bearer tidegate\r\n") && !got.contains("app"), "{got}");
}

#[tokio::test]
async fn events_leave_when_they_arrive() {
    let (listener, address) = upstream().await;
    let house = House::open("", address).await;
    let mut client = house.connect().await;
    client.send("GET /v1/stream HTTP/1.1\r\nHost: o\r\n\r\n").await;
    let mut server = accept(&listener).await;
    server.until("\r\n\r\n").await;
    server.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n").await;
    for event in ["data: 1\n\n", "data: 2\n\n"] {
        server.send(&format!("{:x}\r\n{event}\r\n", event.len())).await;
        client.until(event).await;
    }
}

#[tokio::test]
async fn a_body_streams_up_while_it_comes_and_its_trailers_follow() {
    let (listener, address) = upstream().await;
    let house = House::open("", address).await;
    let mut client = house.connect().await;
    client
        .send("POST /v1/x HTTP/1.1\r\nHost: o\r\nTrailer: x-sum\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        .await;
    let mut server = accept(&listener).await;
    server.until("abc").await;
    client.send("3\r\ndef\r\n0\r\nx-sum: 6\r\n\r\n").await;
    let rest = server.until("x-sum: 6").await;
    assert!(rest.contains("def"), "{rest}");
}

#[tokio::test]
async fn trailers_of_an_answer_reach_who_asks_for_them() {
    let (listener, address) = upstream().await;
    let house = House::open("", address).await;
    let mut client = house.connect().await;
    client.send("GET /v1/x HTTP/1.1\r\nHost: o\r\nTE: trailers\r\nConnection: TE\r\n\r\n").await;
    let mut server = accept(&listener).await;
    assert!(server.until("\r\n\r\n").await.contains("te: trailers\r\n"));
    server
        .send("HTTP/1.1 200 OK\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx-sum: 1\r\n\r\n")
        .await;
    client.until("x-sum: 1\r\n").await;
}

#[tokio::test]
async fn a_body_that_waits_to_be_invited_is_invited_once_it_may_go() {
    let (listener, address) = upstream().await;
    let house = House::open("", address).await;
    let mut client = house.connect().await;
    client.send("POST /v1/x HTTP/1.1\r\nHost: o\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n").await;
    client.until("HTTP/1.1 100 Continue\r\n\r\n").await;
    client.send("abc").await;
    let got = accept(&listener).await.until("abc").await;
    assert!(!got.contains("expect"), "{got}");
}

#[tokio::test]
async fn ambiguous_requests_are_refused_and_never_forwarded() {
    let (listener, address) = upstream().await;
    let house = House::open("", address).await;
    for ambiguous in [
        "Host: p\r\n\r\n",
        "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "Content-Length: 3, 3\r\n\r\nabc",
        "Content-Length: +3\r\n\r\nabc",
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    ] {
        let came = house.ask(&format!("POST /v1/x HTTP/1.1\r\nHost: o\r\n{ambiguous}")).await;
        assert!(came.starts_with("HTTP/1.1 400"), "{ambiguous:?}: {came}");
    }
    assert_untouched(&listener).await;
}

#[tokio::test]
async fn bad_chunking_ends_the_request_on_both_sides() {
    let (listener, address) = upstream().await;
    let house = House::open("", address).await;
    let mut client = house.connect().await;
    client.send("POST /v1/x HTTP/1.1\r\nHost: o\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n").await;
    let came = client.rest().await;
    assert!(came.is_empty() || came.starts_with("HTTP/1.1 400"), "{came}");
    // Whatever the gate has sent came before a connection that the test makes now.
    let own = TcpStream::connect(address).await.expect("a connection");
    loop {
        let mut server = accept(&listener).await;
        if server.0.peer_addr().expect("an address") == own.local_addr().expect("an address") {
            break;
        }
        let got = server.rest().await;
        assert!(!got.contains("0\r\n\r\n"), "the upstream took it for a whole request: {got}");
    }
}

#[tokio::test]
async fn connect_is_told_how_the_gate_is_meant_to_be_used() {
    let (listener, address) = upstream().await;
    let house = House::open("", address).await;
    let came = house.connect().await.then("CONNECT api.openai.com:443 HTTP/1.1\r\nHost: o\r\n\r\n", "}}").await;
    assert!(came.starts_with("HTTP/1.1 405") && came.contains("OPENAI_BASE_URL"), "{came}");
    assert_untouched(&listener).await;
}

#[tokio::test]
async fn an_upgraded_connection_is_relayed_and_in_flight_until_it_ends() {
    let (listener, address) = upstream().await;
    let house = House::open(ONE, address).await;
    let mut client = house.connect().await;
    client.send("GET /v1/one HTTP/1.1\r\nHost: o\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").await;
    let mut server = accept(&listener).await;
    assert!(server.until("\r\n\r\n").await.contains("upgrade: websocket\r\n"));
    server.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n").await;
    let head = client.until("\r\n\r\n").await;
    assert!(head.contains("upgrade: websocket\r\n") && head.contains("connection: upgrade\r\n"), "{head}");
    client.send("up").await;
    server.until("up").await;
    server.send("down").await;
    client.until("down").await;
    assert_eq!(house.gate.admission().snapshot().instances[0].usage.in_flight, 1);
    drop((client, server));
    house.until("nothing is in flight", |now| now.instances[0].usage.in_flight == 0).await;
}

#[tokio::test]
async fn a_request_that_finds_no_upstream_costs_nothing() {
    let (_nobody, address) = nobody();
    let house = House::open(ONE, address).await;
    let came = house.ask("POST /v1/one HTTP/1.1\r\nHost: o\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx").await;
    assert!(came.starts_with("HTTP/1.1 502") && came.contains("tidegate_upstream_unreachable"), "{came}");
    house.until("it has landed", |now| now.totals.released == 1).await;
    let now = house.gate.admission().snapshot();
    assert_eq!((now.totals.sent, now.totals.refunded), (0, 1));
    assert_eq!(now.instances[0].usage.windows[0].1, 0);
}

#[tokio::test]
async fn a_client_that_leaves_while_it_waits_leaves_the_queue() {
    let (listener, address) = upstream().await;
    let house = House::open(ONE, address).await;
    let first = take_the_place(&house, &listener).await;
    let mut client = house.connect().await;
    client.send("POST /v1/one HTTP/1.1\r\nHost: o\r\nContent-Length: 3\r\n\r\nabc").await;
    house.until("one waits", |now| now.waiting == 1).await;
    drop(client);
    house.until("nobody waits", |now| now.waiting == 0 && now.totals.cancelled == 1).await;
    drop(first);
}

#[tokio::test]
async fn those_who_wait_are_told_when_the_gate_stops_and_those_under_way_may_end() {
    let (listener, address) = upstream().await;
    let house = House::open(ONE, address).await;
    let (mut client, mut server) = take_the_place(&house, &listener).await;
    let mut waiting = house.connect().await;
    waiting.send("GET /v1/one HTTP/1.1\r\nHost: o\r\n\r\n").await;
    house.until("one waits", |now| now.waiting == 1).await;
    house.stop();
    let came = waiting.rest().await;
    assert!(came.starts_with("HTTP/1.1 503") && came.contains("tidegate_draining"), "{came}");
    assert!(came.contains("retry-after: 1\r\n"), "{came}");
    server.send(OK).await;
    client.until("ok").await;
    house.stopped().await;
}

#[tokio::test]
async fn http_2_by_prior_knowledge_is_served() {
    let (listener, address) = upstream().await;
    let house = House::open("", address).await;
    let stream = TcpStream::connect(house.address).await.expect("connects");
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.expect("a handshake");
    tokio::spawn(connection);
    let request = http::Request::get("http://gate/v1/x").body(http_body_util::Empty::<bytes::Bytes>::new());
    let answer = tokio::spawn(sender.send_request(request.expect("a request")));
    let mut server = accept(&listener).await;
    let got = server.until("\r\n\r\n").await;
    assert!(got.starts_with("GET /v1/x HTTP/1.1\r\n"), "{got}");
    server.send(OK).await;
    assert_eq!(answer.await.expect("no panic").expect("an answer").status(), 200);
}

/// Sends the one request that the pool admits, and leaves it without an answer.
async fn take_the_place(house: &House, listener: &TcpListener) -> (Wire, Wire) {
    let mut client = house.connect().await;
    client.send("GET /v1/one HTTP/1.1\r\nHost: o\r\n\r\n").await;
    let mut server = accept(listener).await;
    server.until("\r\n\r\n").await;
    (client, server)
}

impl Wire {
    async fn then(mut self, request: &str, end: &str) -> String {
        self.send(request).await;
        self.until(end).await
    }
}

/// So many fields of a head.
fn fields(count: u32) -> String {
    (0..count).fold(String::new(), |fields, at| fields + &format!("x-field-{at}: 1\r\n"))
}

/// RFC 9112 §5.1 and §5.2 want them mended; RFC 6265 §3 wants cookies kept apart.
#[tokio::test]
async fn odd_heads_of_an_upstream_are_mended() {
    let fields = fields(120);
    let odd = "x-spaced : 1\r\nx-folded: a\r\n b\r\nset-cookie: a=1\r\nset-cookie: b=2, c\r\n";
    let (listener, address) = upstream().await;
    let house = House::open("", address).await;
    let mut client = house.connect().await;
    client.send("GET /v1/x HTTP/1.1\r\nHost: o\r\n\r\n").await;
    let mut server = accept(&listener).await;
    server.until("\r\n\r\n").await;
    server.send(&format!("HTTP/1.1 200 OK\r\n{odd}{fields}content-length: 2\r\n\r\nok")).await;
    let came = client.until("\r\n\r\nok").await;
    for line in ["x-spaced: 1", "set-cookie: a=1", "set-cookie: b=2, c", "x-field-119: 1"] {
        assert!(came.contains(&format!("\r\n{line}\r\n")), "{line}: {came}");
    }
    assert!(came.lines().any(|line| line.starts_with("x-folded: a") && line.ends_with('b')), "{came}");
}

#[tokio::test]
async fn large_and_many_fields_of_a_request_pass() {
    let fields = fields(150);
    let large = "x".repeat(24 << 10);
    let request = format!("GET /v1/x HTTP/1.1\r\nHost: o\r\n{fields}x-large: {large}\r\n\r\n");
    let (got, came) = through("", "", &request).await;
    assert!(got.contains("x-field-149: 1\r\n") && got.contains(&large), "{} bytes", got.len());
    assert!(came.starts_with("HTTP/1.1 200"), "{came}");
}

#[tokio::test]
async fn space_before_the_colon_of_a_request_is_refused() {
    let (listener, address) = upstream().await;
    let house = House::open("", address).await;
    let came = house.ask("GET /v1/x HTTP/1.1\r\nHost: o\r\nX-Spaced : 1\r\n\r\n").await;
    assert!(came.starts_with("HTTP/1.1 400"), "{came}");
    assert_untouched(&listener).await;
}
