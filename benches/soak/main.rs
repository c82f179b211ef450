//! A hundred thousand connections in bursts, half of them cut at random points. When all is over nobody waits, every
//! place has been spent or given back once, the upstream has seen as many as were sent, and the memory has come back.
//!
//! `cargo bench --bench soak` (or `make soak`) takes two minutes; `tests/gate/soak.rs` is a short form that
//! counts no time.

mod crowd;
mod program;
mod wire;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crowd::{Crowd, Met};
use program::Program;
use serde_json::Value;
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep};
use wire::Wire;

/// Chance starts here, so that every run cuts at the same points.
const SEED: u64 = 3;

/// Two pools, one of them with many instances; both full most of the time, with a queue that is full in every burst.
const CONFIG: &str = r#"
extends = "none"

[queue]
max_wait = "250ms"

[pools.crowd]
requests = ["2000/s"]
margin = "50ms"
in_flight = 60
max_waiting = 150

[pools.threads]
requests = ["1500/s"]
margin = "50ms"
in_flight = 5
key = ["header.x-soak"]

[[routes]]
match = "POST /v1/chat/completions"
pools = ["crowd"]

[[routes]]
match = "POST /v1/threads"
pools = ["threads", "crowd"]
"#;

/// How much more memory the gate may have once the crowd has left than before it came.
const GROWTH: f64 = 2.5;

/// When that is looked at: it looks itself every five seconds whether a crowd has left.
const CALM: Duration = Duration::from_secs(12);

fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    Builder::new_multi_thread().enable_all().build()?.block_on(soak(Crowd::new(100_000, 60), folder.path()))
}

async fn soak(crowd: Crowd, folder: &Path) -> Result<()> {
    let config = folder.join("soak.toml");
    std::fs::write(&config, CONFIG)?;
    let mock = ["--window", "sliding", "--latency", "5ms", "--jitter", "20ms", "--gap", "1ms"];
    let mock = Program::start("mock", &config, &mock)?;
    let wire = Wire::default();
    let upstream = format!("http://{}", wire.to(mock.address()).await?);
    let gate =
        Program::start("serve", &config, &["--log", "error", "--admin", "127.0.0.1:0", "--upstream", &upstream])?;
    let before = gate.memory_kib();
    let began = Instant::now();
    let met = crowd.come(gate.address(), SEED).await?;
    let lasted = began.elapsed();
    let crowded = gate.memory_kib();
    let status = until_over(&gate, &met).await?;
    let stats = mock.get(mock.address(), "/__mock/stats").await?;
    println!("{met} in {:.1} s", lasted.as_secs_f64());
    println!("gate      {}", status["tally"]);
    println!("upstream  {} came, {} admitted, {} denied", wire.begun(), stats["admitted"], stats["denied"]);
    ensure!(stats["denied"] == 0, "the upstream has refused {}", stats["denied"]);
    let (sent, begun) = (number(&status["tally"]["sent"]), wire.begun());
    ensure!(begun == sent, "what has come to the upstream is not what was sent: {begun} and {sent}");
    ensure!(number(&stats["admitted"]) <= begun, "the upstream has seen more than has come");
    ensure!(sent >= met.served, "more were served than sent");
    ensure!(number(&status["tally"]["cancelled"]) > 0, "nobody left while it waited");
    ensure!(number(&status["tally"]["refused"]) >= met.refused, "more were refused than the gate knows");
    let after = when_calm(&gate, before).await?;
    println!("memory    {before} KB before, {crowded} KB with the crowd, {after} KB after");
    Ok(())
}

/// Waits until the gate has nothing more to do, and checks that every place is accounted for.
async fn until_over(gate: &Program, met: &Met) -> Result<Value> {
    let deadline = Instant::now() + Duration::from_secs(20);
    let status = loop {
        let status = gate.get(gate.admin()?, "/status").await?;
        if is_over(&status) {
            break status;
        }
        ensure!(Instant::now() < deadline, "it is not over: {status:#}");
        sleep(Duration::from_millis(50)).await;
    };
    let tally = |what: &str| number(&status["tally"][what]);
    ensure!(tally("granted") == tally("sent") + tally("given_back"), "a place is lost or doubled: {}", status["tally"]);
    ensure!(tally("granted") == tally("landed"), "one is in flight for ever: {}", status["tally"]);
    let came = tally("granted") + tally("refused") + tally("cancelled");
    ensure!(came <= met.all(), "{came} have come of {}", met.all());
    Ok(status)
}

fn is_over(status: &Value) -> bool {
    let pools = status["pools"].as_array().map_or(&[][..], Vec::as_slice);
    let idle = |pool: &Value| ["waiting", "held", "in_flight"].iter().all(|what| number(&pool[*what]) == 0);
    number(&status["waiting"]) == 0 && pools.iter().all(idle)
}

/// Waits until the memory must have come back; gives what there is then.
async fn when_calm(gate: &Program, before: u64) -> Result<u64> {
    sleep(CALM).await;
    let after = gate.memory_kib();
    #[expect(clippy::cast_precision_loss, reason = "memory is no 2^52 KB")]
    let grown = after as f64 / before as f64;
    ensure!(grown <= GROWTH, "it has {grown:.1} times the memory of before: {after} KB");
    Ok(after)
}

fn number(value: &Value) -> u64 {
    value.as_u64().context("a number").unwrap_or(u64::MAX)
}
