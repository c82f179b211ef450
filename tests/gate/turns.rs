//! Whose turn it is: priorities and shares, as clients and the configuration say, seen in what the upstream gets.

use super::house::{House, Wire, accept, upstream};
use crate::clock::Clock;
use tokio::net::TcpListener;

/// One request at a time.
const ONE_AT_A_TIME: &str = r#"
[clients]
by = ["x-tidegate-client"]
weights = { web = 3 }

[pools.one]
in_flight = 1
max_bytes = "1KiB"

[[routes]]
match = "* /v1/one/{name}"
pools = ["one"]

[[routes]]
match = "* /v1/first/{name}"
pools = ["one"]
priority = "high"
"#;

/// A line before the gate; its first request is under way.
struct Line {
    /// Nobody ages while it stands.
    _clock: Clock,
    house: House,
    listener: TcpListener,
    waiting: Vec<Wire>,
    under_way: Wire,
}

impl Line {
    async fn open() -> Self {
        let clock = Clock::stop();
        let (listener, address) = upstream().await;
        let house = House::open(ONE_AT_A_TIME, address).await;
        let mut client = house.connect().await;
        client.send("GET /v1/one/nobody HTTP/1.1\r\nHost: o\r\n\r\n").await;
        let mut under_way = accept(&listener).await;
        under_way.until("\r\n\r\n").await;
        Self { _clock: clock, house, listener, waiting: vec![client], under_way }
    }

    /// One more comes to wait.
    async fn join(&mut self, path: &str, headers: &str) {
        let mut client = self.house.connect().await;
        client.send(&format!("GET {path} HTTP/1.1\r\nHost: o\r\n{headers}\r\n")).await;
        let count = self.waiting.len();
        self.house.until("one more waits", |now| now.waiting == count).await;
        self.waiting.push(client);
    }

    /// Ends what is under way, and gives the last part of the path of what follows.
    async fn next(&mut self) -> String {
        self.under_way.send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok").await;
        self.under_way = accept(&self.listener).await;
        let head = self.under_way.until("\r\n\r\n").await;
        assert!(!head.contains("x-tidegate-"), "{head}");
        let path = head.split(' ').nth(1).expect("a target");
        path.rsplit('/').next().expect("a name").to_owned()
    }
}

#[tokio::test]
async fn what_is_high_goes_first_and_what_is_low_last() {
    let mut line = Line::open().await;
    line.join("/v1/one/lowered", "x-tidegate-priority: low\r\n").await;
    line.join("/v1/one/poll", "x-stainless-poll-helper: true\r\n").await;
    line.join("/v1/one/raised", "x-tidegate-priority: high\r\n").await;
    line.join("/v1/one/plain", "").await;
    line.join("/v1/first/high", "").await;
    for name in ["high", "raised", "plain", "lowered", "poll"] {
        assert_eq!(line.next().await, name);
    }
}

#[tokio::test]
async fn clients_have_their_turns_by_weight() {
    let mut line = Line::open().await;
    for _ in 0..8 {
        line.join("/v1/one/batch", "x-tidegate-client: batch\r\n").await;
    }
    for _ in 0..8 {
        line.join("/v1/one/web", "x-tidegate-client: web\r\n").await;
    }
    let mut web = 0;
    for _ in 0..8 {
        web += u32::from(line.next().await == "web");
    }
    assert_eq!(web, 6, "of 8 turns, with three shares against one");
}

#[tokio::test]
async fn those_who_wait_for_a_pool_hold_no_more_than_it_allows() {
    let mut line = Line::open().await;
    let body = "x".repeat(600);
    line.join("/v1/one/first", &format!("Connection: close\r\nContent-Length: 600\r\n\r\n{body}")).await;
    let head = "POST /v1/one/second HTTP/1.1\r\nHost: o\r\nConnection: close\r\nContent-Length: 600\r\n\r\n";
    let came = line.house.ask(&format!("{head}{body}")).await;
    assert!(came.starts_with("HTTP/1.1 429") && came.contains("tidegate_queue_full"), "{came}");
    assert!(came.contains("pool 'one' hold 600 bytes"), "{came}");
}
