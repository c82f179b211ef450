//! Fifty runs with a dozen pollers each, at the rates of the Assistants API: a thousand GETs and three hundred POSTs a minute,
//! counted in a tenth of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tidegate::config::{Config, Source};
use tidegate::meter::Counting;
use tidegate::mock::{Mock, Options};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep};

use super::house::{Answer, House, Wire, upstream};

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

/// How long a run takes, and how far apart the polls of one loop are.
const WORK: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(500);

/// How far apart calls for one run are: the fifty have half of the pool, as it is shipped.
const EVERY: Duration = Duration::from_secs(6);

/// A stand-in upstream that counts every trailing window.
async fn stand_in() -> (Mock, SocketAddr) {
    let config = Config::parse(&Source::Text("test".to_owned()), LIMITS).expect("a valid configuration");
    let mock = Mock::new(&config, Options { window: Counting::Sliding, work: WORK, ..Options::default() });
    let (listener, address) = upstream().await;
    tokio::spawn(mock.clone().run(listener, std::future::pending()));
    (mock, address)
}

async fn ask(wire: &mut Wire, method: &str, path: &str, body: &str) -> Answer {
    let head = format!("{method} {path} HTTP/1.1\r\nHost: o\r\nauthorization: Bearer sk\r\n");
    let length = body.len();
    wire.send(format!("{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")).await;
    let answer = wire.answer().await;
    assert!(answer.status() == "200" && answer.is_whole, "{}", answer.body);
    answer
}

/// Makes one, and gives its path.
async fn make(wire: &mut Wire, collection: &str, body: &str) -> String {
    let made: Value = serde_json::from_str(&ask(wire, "POST", collection, body).await.body).expect("an object");
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

/// Polls by hand until the run is over.
async fn poll(mut wire: Wire, run: String) -> Instant {
    loop {
        if ask(&mut wire, "GET", &run, "").await.body.contains("\"completed\"") {
            return Instant::now();
        }
        sleep(PAUSE).await;
    }
}

/// The longest that a POST waits in the gate while so many come, one every quarter of a second.
async fn longest_wait(house: &House, posts: usize) -> u64 {
    let (mut wire, mut turn, mut longest) = (house.connect().await, interval(PAUSE / 2), 0);
    for _ in 0..posts {
        turn.tick().await;
        longest = longest.max(ask(&mut wire, "POST", "/v1/threads", "{}").await.wait_ms());
    }
    longest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn six_hundred_pollers_of_fifty_runs_are_refused_nothing_and_delay_no_post() {
    let (mock, upstream) = stand_in().await;
    let house = Arc::new(House::open(LIMITS, upstream).await);
    let runs = begin(upstream).await;
    let (began, mut pollers) = (Instant::now(), JoinSet::new());
    for run in runs.iter().cycle().take(RUNS * POLLERS) {
        pollers.spawn(poll(house.connect().await, run.clone()));
    }
    assert_eq!(longest_wait(&house, 20).await, 0, "milliseconds that a POST waits beside the pollers");
    let learned = pollers.join_all().await;
    let last = learned.into_iter().max().expect("some") - began;
    let stats = mock.stats();
    let gets = stats.pools.iter().find(|pool| pool.pool == "gets").expect("some came");
    println!("{} GETs of {RUNS} runs in {last:?}, {} in a window", gets.admitted, gets.most_in_window);
    assert_eq!(stats.denied, 0);
    assert!(last < WORK + EVERY + 2 * PAUSE + Duration::from_secs(3), "the last learned {last:?} after it began");
    // At first each is asked for at once; from then on they keep to half of the pool.
    let half = 50 * last.as_millis() / 6_000;
    assert!(
        u128::from(gets.admitted) <= RUNS as u128 + half + 10,
        "{} GETs, half of the pool are {half}",
        gets.admitted
    );
}
