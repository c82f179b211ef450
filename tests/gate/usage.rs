//! What a request takes of a pool of tokens is what its answer says that it has cost.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tidegate::admission::Snapshot;
use tokio::net::TcpListener;

use super::coded::{coded, gzip};
use super::house::{House, Wire, accept, upstream};

const TOKENS: &str = r#"
[pools.tokens]
tokens = ["1000/min"]

[[routes]]
match = "POST /v1/chat"
pools = ["tokens"]
"#;

const EVENTS: [&str; 3] = [
    "data: {\"choices\": [{\"delta\": {\"content\": \"Hi\"}}], \"usage\": null}\n\n",
    "data: {\"choices\": [], \"usage\": {\"prompt_tokens\": 9, \"completion_tokens\": 2, \"total_tokens\": 11}}\n\n",
    "data: [DONE]\n\n",
];

/// A gate and its upstream.
async fn open() -> (House, TcpListener) {
    let (listener, address) = upstream().await;
    (House::open(TOKENS, address).await, listener)
}

/// A request that the upstream has got and not answered.
struct Asked {
    client: Wire,
    server: Wire,
}

impl Asked {
    /// One that asks for so many tokens.
    async fn of(most: u32, (house, listener): &(House, TcpListener)) -> Self {
        let mut client = house.connect().await;
        let body =
            format!(r#"{{"model": "m", "messages": [{{"role": "user", "content": "Hi"}}], "max_tokens": {most}}}"#);
        let head = format!("POST /v1/chat HTTP/1.1\r\nHost: o\r\nConnection: close\r\nContent-Length: {}", body.len());
        client.send(format!("{head}\r\n\r\n{body}")).await;
        let mut server = accept(listener).await;
        server.until(&body).await;
        Self { client, server }
    }

    /// It is answered in these pieces, and they come as they were sent.
    async fn answer_with(mut self, coding: &str, pieces: &[Vec<u8>]) {
        let body = pieces.concat();
        let answer = coded("200 OK", coding, &body);
        self.server.send(&answer[..answer.len() - body.len()]).await;
        for piece in pieces {
            self.server.send(piece).await;
        }
        let came = self.client.rest_of_bytes().await;
        assert!(came.ends_with(&body), "{}", String::from_utf8_lossy(&came));
    }
}

/// How many tokens count.
fn taken(now: &Snapshot) -> u64 {
    now.instances.iter().flat_map(|instance| &instance.usage.windows).map(|&(_, used)| used).sum()
}

async fn takes(house: &House, tokens: u64) {
    let landed = |now: &Snapshot| now.totals.released == now.totals.granted;
    house.until(&format!("{tokens} tokens count"), |now| landed(now) && taken(now) == tokens).await;
}

fn usage(total: u64) -> String {
    format!(r#"{{"choices": [], "usage": {{"total_tokens": {total}}}}}"#)
}

#[tokio::test]
async fn what_was_taken_becomes_what_the_answer_has_cost() {
    for cost in [21, 300] {
        let gate = open().await;
        let asked = Asked::of(100, &gate).await;
        let before = taken(&gate.0.gate.admission().snapshot());
        assert!((101..150).contains(&before), "{before}");
        asked.answer_with("identity", &[usage(cost).into()]).await;
        takes(&gate.0, cost).await;
    }
}

#[tokio::test]
async fn what_a_stream_has_cost_is_what_it_says_at_its_end() {
    let gate = open().await;
    Asked::of(100, &gate).await.answer_with("identity", &EVENTS.map(Vec::from)).await;
    takes(&gate.0, 11).await;
}

#[tokio::test]
async fn what_a_compressed_answer_has_cost_is_found_too() {
    let gate = open().await;
    Asked::of(100, &gate).await.answer_with("gzip", &[gzip(&usage(21))]).await;
    takes(&gate.0, 21).await;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let events = EVENTS.map(|event| {
        encoder.write_all(event.as_bytes()).and_then(|()| encoder.flush()).expect("writes");
        std::mem::take(encoder.get_mut())
    });
    let end = encoder.finish().expect("ends");
    Asked::of(100, &gate).await.answer_with("gzip", &[events.concat(), end]).await;
    takes(&gate.0, 21 + 11).await;
}

#[tokio::test]
async fn an_answer_that_does_not_say_costs_what_was_taken() {
    let gate = open().await;
    let asked = Asked::of(100, &gate).await;
    let before = taken(&gate.0.gate.admission().snapshot());
    asked.answer_with("identity", &[b"{}".to_vec()]).await;
    takes(&gate.0, before).await;
}

#[tokio::test]
async fn what_one_gives_back_is_its_own() {
    let gate = open().await;
    let (long, short) = (Asked::of(500, &gate).await, Asked::of(1, &gate).await);
    long.answer_with("identity", &[usage(10).into()]).await;
    short.answer_with("identity", &[usage(9).into()]).await;
    takes(&gate.0, 10 + 9).await;
}
