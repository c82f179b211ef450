//! Everything that apps send, and much that none should, each with a key and a body that have the word in them.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::gate::{Kind, Running};
use crate::clock::{in_time, real_sleep};

pub(crate) struct Crowd<'g> {
    gate: &'g Running,
}

/// Every operation of the API, as `tests/operations.rs` has them.
const OPERATIONS: &str = include_str!("../operations.tsv");

const BODY: &str = r#"{"model": "gpt-4o", "messages": [{"role": "user", "content": "canary in the body"}],
    "input": "canary in the body", "user": "canary", "file_ids": ["canary-1"], "metadata": {"canary": "canary"}}"#;

/// Who has no answer by then leaves. What must come is asked for until it does, so that no verdict depends on this.
const PATIENCE: Duration = Duration::from_secs(8);

/// One for each kind of thing, as each client has a quota.
pub(crate) fn key(of: &str) -> String {
    format!("sk-proj-canary-{of}")
}

fn head(request: &str, of: &str) -> String {
    let key = key(of);
    let keys = format!("Authorization: Bearer {key}\r\napi-key: {key}\r\nx-api-key: {key}\r\nCookie: key={key}");
    let told = "traceparent: canary\r\nbaggage: canary=canary\r\nx-tidegate-priority: canary\r\nUser-Agent: canary";
    format!("{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{keys}\r\n{told}\r\n")
}

fn post(path: &str, of: &str, headers: &str) -> String {
    let head = head(&format!("POST {path}?key=canary"), of);
    format!("{head}{headers}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{BODY}", BODY.len())
}

impl<'g> Crowd<'g> {
    pub(crate) fn new(gate: &'g Running) -> Self {
        Self { gate }
    }

    /// What the gate has said itself.
    pub(crate) async fn send_everything(&self) -> String {
        let mut said = self.every_operation().await;
        if self.gate.kind == Kind::Echoes {
            self.what_waits().await;
            // What the upstream says passes, to whom it says it.
            return String::new();
        }
        said.extend(self.what_makes_no_sense().await);
        said.extend(self.pages_of_other_sites().await);
        said.extend(self.what_waits().await);
        said.extend(self.too_many().await);
        self.those_who_ask_the_same().await;
        self.those_who_leave().await;
        self.a_websocket().await;
        if self.gate.kind == Kind::KeyOfItsOwn {
            self.over_http_2().await;
        }
        let own = said.into_iter().filter(|answer| answer.contains("x-tidegate-source: tidegate"));
        own.collect::<Vec<_>>().join("\n")
    }

    async fn every_operation(&self) -> Vec<String> {
        let mut said = Vec::new();
        for line in OPERATIONS.lines().skip(1) {
            let (method, path) = line.split_once('\t').expect("columns");
            let path = path.split('\t').next().expect("a path").replace(['{', '}'], "");
            let request = post(&path, "operations", "x-tidegate-max-wait: 0\r\n").replacen("POST", method, 1);
            said.push(self.ask(&request).await);
        }
        said
    }

    async fn what_makes_no_sense(&self) -> Vec<String> {
        let head = |request: &str| head(request, "nonsense");
        let posted = head("POST /v1/responses");
        let bad = [
            "canary\r\n\r\n".to_owned(),
            "GET canary HTTP/9.9\r\ncanary\r\n\r\n".to_owned(),
            "GET /v1/models HTTP/1.1\r\ncanary canary\r\n\r\n".to_owned(),
            format!("{}\r\n", head("CANARY /v1/responses")),
            format!("{}\r\n", head("CONNECT canary.example:443")),
            format!("{}\r\n", head("GET http://canary:canary@example.com/v1/models")),
            format!("{posted}Content-Length: canary\r\n\r\n"),
            format!("{posted}Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\ncanary"),
            format!("{posted}Transfer-Encoding: chunked\r\n\r\ncanary\r\ncanary"),
            format!("{posted}Content-Length: 7\r\nContent-Encoding: gzip\r\n\r\ncanary!"),
            format!("{posted}Content-Length: 7\r\nContent-Type: application/json\r\n\r\n{{canary"),
            format!("{}x-canary: {}\r\n\r\n", head("GET /v1/models"), "canary".repeat(100_000)),
            format!("{}x-tidegate-max-wait: canary\r\nx-stainless-timeout: canary\r\n\r\n", head("GET /v1/models")),
            "\u{16}\u{3}\u{1}canary canary canary".to_owned(),
        ];
        let mut said = Vec::new();
        for request in bad {
            said.push(self.ask(&request).await);
        }
        said
    }

    async fn pages_of_other_sites(&self) -> Vec<String> {
        vec![self.ask(&post("/v1/responses", "sites", "sec-fetch-site: cross-site\r\norigin: http://canary\r\n")).await]
    }

    /// One goes, one waits in silence, one is kept alive while it does.
    async fn what_waits(&self) -> Vec<String> {
        let plain = post("/v1/slow", "waits", "");
        let stream = plain.replacen(r#"{"model""#, r#"{"stream":true,"model""#, 1);
        let longer = format!("Content-Length: {}", BODY.len() + r#""stream":true,"#.len());
        let stream = stream.replacen(&format!("Content-Length: {}", BODY.len()), &longer, 1);
        let kept = async {
            loop {
                let (.., kept) = tokio::join!(self.ask(&plain), self.ask(&plain), self.ask(&stream));
                // By the second comment it has waited for longer than the log is silent about it.
                if kept.matches(": tidegate waits").count() > 1 {
                    return kept;
                }
            }
        };
        let kept = in_time("one is kept alive", kept).await;
        let rare = post("/v1/rare", "waits", "x-tidegate-max-wait: 0\r\n");
        self.ask(&rare).await;
        vec![kept, self.ask(&rare).await]
    }

    async fn too_many(&self) -> Vec<String> {
        let mut said = Vec::new();
        for _ in 0..360 {
            said.push(self.ask(&format!("{}\r\n", head("GET /v1/models", "quota"))).await);
        }
        said
    }

    async fn those_who_ask_the_same(&self) {
        let request = format!("{}\r\n", head("GET /v1/files/file-1?key=canary", "same"));
        let ask = || self.ask(&request);
        tokio::join!(ask(), ask(), ask(), ask());
    }

    async fn those_who_leave(&self) {
        let (whole, mut early) = (post("/v1/responses", "leaves", ""), self.connect().await);
        early.write_all(&whole.as_bytes()[..whole.len() - 20]).await.expect("it is sent");
        let mut late = self.connect().await;
        late.write_all(post("/v1/slow", "leaves", "").as_bytes()).await.expect("it is sent");
    }

    /// A key in the name of a protocol, as browsers have to send it, and the word in a message.
    async fn a_websocket(&self) {
        let key = key("socket");
        let asks = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
        let protocols = format!("Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.{key}");
        let head = head("GET /v1/realtime?model=gpt-realtime", "socket").replacen("Connection: close\r\n", "", 1);
        let mut socket = self.connect().await;
        socket.write_all(format!("{head}{asks}\r\n{protocols}\r\n\r\n").as_bytes()).await.expect("it is sent");
        let mut came = [0; 4096];
        let count = in_time("a websocket", socket.read(&mut came)).await.expect("an answer");
        let came = String::from_utf8_lossy(&came[..count]);
        assert!(came.starts_with("HTTP/1.1 101"), "{came}");
        let message = br#"{"type": "canary", "text": "canary"}"#;
        // A whole text, masked with nothing (RFC 6455 §5.2).
        let frame = [&[0x81, 0x80 | u8::try_from(message.len()).expect("short"), 0, 0, 0, 0][..], message].concat();
        socket.write_all(&frame).await.expect("it is sent");
    }

    async fn over_http_2(&self) {
        let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Full<Bytes>>();
        for path in ["/v1/responses", "/v1/slow", "/v1/nowhere"] {
            let key = key("http2");
            let request =
                Request::post(format!("http://{}{path}?key=canary", self.gate.address)).version(Version::HTTP_2);
            let request = request.header("authorization", format!("Bearer {key}")).header("x-api-key", &key);
            let request = request.header("x-tidegate-max-wait", "5s").body(Full::from(BODY)).expect("a request");
            let answer = in_time("an answer over HTTP/2", client.request(request)).await.expect("an answer");
            answer.into_body().collect().await.expect("a body");
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.gate.address).await.expect("it listens")
    }

    /// Sends it, and reads what comes; whoever makes no sense may be cut off.
    async fn ask(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        drop(stream.write_all(request.as_bytes()).await);
        let mut came = Vec::new();
        tokio::select! {
            _ = stream.read_to_end(&mut came) => {}
            () = real_sleep(PATIENCE) => {}
        }
        String::from_utf8_lossy(&came).into_owned()
    }
}
