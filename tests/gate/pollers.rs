//! Crowds that poll: one run by fifty, and fifty runs by a dozen each, at the rates of the Assistants API: a thousand GETs and
//! three hundred POSTs a minute, counted in a tenth of it.

use std::net::SocketAddr;
use std::time::Duration;

use crate::alone::alone;
use serde_json::Value;
use tidegate::config::{Config, Source};
use tidegate::meter::Counting;
use tidegate_lab::mock::{Mock, Options};
use tokio::net::TcpStream;

use super::coalesce::ROUTES;
use super::house::{Answer, House, Wire, upstream};
use super::loops::{Loops, Pace, TICK};
use crate::clock::Clock;

const LIMITS: &str = r#"
[pools.gets]
requests = ["100/6s"]

[pools.posts]
requests = ["30/6s"]

[[routes]]
match = "GET /v1/threads/{*rest}"
pools = ["gets"]

[[routes]]
match = "GET /v1/threads/{thread}/runs/{run}"
pools = ["gets"]
coalesce = true
reuse = "500ms"

[[routes]]
match = "POST /v1/threads"
pools = ["posts"]
"#;

const RUNS: usize = 50;
const POLLERS: usize = 12;

/// How long a run takes.
const WORK: Duration = Duration::from_secs(5);

/// How far apart calls for one run are: the fifty have half of the pool, as it is shipped.
const PACE: Pace = Pace { reuse: Duration::from_millis(500), every: Duration::from_secs(6) };

/// A stand-in upstream that counts every trailing window.
async fn stand_in() -> (Mock, SocketAddr) {
    let config = Config::parse(&Source::Text("test".to_owned()), &alone(LIMITS)).expect("a valid configuration");
    let mock = Mock::new(&config.settings(), Options { window: Counting::Sliding, work: WORK, ..Options::default() });
    let (listener, address) = upstream().await;
    tokio::spawn(mock.clone().run(listener, std::future::pending()));
    (mock, address)
}

fn head(method: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: o\r\nauthorization: Bearer sk\r\n")
}

async fn post(wire: &mut Wire, path: &str, body: &str) -> Answer {
    let (head, length) = (head("POST", path), body.len());
    wire.send(format!("{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")).await;
    let answer = wire.answer().await;
    assert!(answer.status() == "200" && answer.is_whole, "{}", answer.body);
    answer
}

/// Makes one, and gives its path.
async fn make(wire: &mut Wire, collection: &str, body: &str) -> String {
    let made: Value = serde_json::from_str(&post(wire, collection, body).await.body).expect("an object");
    format!("{collection}/{}", made["id"].as_str().expect("an id"))
}

/// The paths of runs that have just begun, made at the upstream itself.
async fn begin(upstream: SocketAddr) -> Vec<String> {
    let mut wire = Wire(TcpStream::connect(upstream).await.expect("a connection"));
    let assistant = make(&mut wire, "/v1/assistants", "{\"model\": \"gpt-4o-mini\"}").await;
    let asked = format!("{{\"assistant_id\": \"{}\"}}", assistant.rsplit('/').next().unwrap_or_default());
    let collection = make(&mut wire, "/v1/threads", "{}").await + "/runs";
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        runs.push(make(&mut wire, &collection, &asked).await);
    }
    runs
}

/// The clients of a run first ask within the first half second, and then about twice a second until it is over.
#[tokio::test]
async fn six_hundred_pollers_delay_no_post() {
    let clock = Clock::stop();
    let (mock, upstream) = stand_in().await;
    let house = House::open(LIMITS, upstream).await;
    let (runs, mut loops) = (begin(upstream).await, Loops::new(PACE, 30..70, RUNS));
    for client in 0..RUNS * POLLERS {
        let run = client % RUNS;
        loops.join(&house, run, head("GET", &runs[run]) + "\r\n", 0..50).await;
    }
    let (mut posting, mut posts) = (house.connect().await, 0);
    while loops.are_there() {
        loops.go(&house, |answer| answer.body.contains("\"completed\"")).await;
        if posts < 26 && 25 * posts * TICK <= loops.now() {
            assert_eq!(post(&mut posting, "/v1/threads", "{}").await.wait_ms(), 0, "at {:?}", loops.now());
            posts += 1;
        }
        let granted = house.gate.admission().snapshot().totals.granted;
        assert_eq!(granted, loops.calls() as u64 + u64::from(posts), "at {:?}", loops.now());
        loops.tick(&clock).await;
    }
    let stats = mock.stats();
    let gets = stats.pools.iter().find(|pool| pool.pool == "gets").expect("some came");
    println!("{} GETs of {RUNS} runs in {:?}, {} in a window", gets.admitted, loops.now(), gets.most_in_window);
    assert_eq!((stats.denied, gets.admitted), (0, 2 * RUNS as u64), "each run is asked for twice");
    assert!(posts > 20 && loops.now() <= PACE.every + PACE.reuse, "the last learned after {:?}", loops.now());
}

#[tokio::test]
async fn fifty_pollers_make_one_call_an_interval() {
    let clock = Clock::stop();
    let (listener, address) = upstream().await;
    let router = axum::Router::new().fallback(|| async { "queued" });
    tokio::spawn(async move { axum::serve(listener, router).await });
    let house = House::open(ROUTES, address).await;
    let pace = Pace { reuse: Duration::from_millis(300), every: Duration::from_millis(2) };
    let mut loops = Loops::new(pace, 1..100, 1);
    for _ in 0..50 {
        loops.join(&house, 0, head("GET", "/v1/runs/1") + "\r\n", 0..50).await;
    }
    while loops.now() < Duration::from_secs(3) {
        loops.go(&house, |_| false).await;
        assert_eq!(house.gate.coalesced()[0].calls, loops.calls() as u64, "at {:?}", loops.now());
        loops.tick(&clock).await;
    }
    let all = house.gate.coalesced().swap_remove(0);
    assert_eq!((all.calls, all.calls + all.saved), (10, all.asked), "an answer serves for 300 ms");
    assert_eq!(house.gate.admission().snapshot().totals.granted, 10);
}
