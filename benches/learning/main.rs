//! Upstreams whose limits nobody wrote down, and what the gate learns of them: who fails, how often the upstream refuses,
//! and how much of its limit is used.
//!
//! `cargo bench --bench learning` (or `make learning`) takes eight minutes, with minutes of sixty seconds; `--minute 6s`
//! after `--` less. `tests/learning.rs` and `crates/core/src/scheduler/tests/upstream` hold the same on virtual clocks.

mod crowd;
mod hidden;
mod house;
mod models;

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;

#[derive(Parser)]
struct Args {
    /// How long a minute of the limits is that are found by their refusals.
    #[arg(long, default_value = "60s", value_parser = humantime::parse_duration)]
    minute: Duration,
    /// For how long the limits of models are used, whose minutes are real.
    #[arg(long, default_value = "4m", value_parser = humantime::parse_duration)]
    models: Duration,
    /// Cargo's own.
    #[arg(long = "bench", hide = true)]
    _bench: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (hidden, models) = runtime.block_on(async { tokio::join!(hidden::all(args.minute), models::all(args.models)) });
    let (hidden, models) = (hidden?, models?);
    ensure!(hidden && models, "not as it should be");
    Ok(())
}
