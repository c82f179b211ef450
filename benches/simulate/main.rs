//! How fast `simulate` is, and how near its waits are to those of a real gate before a real upstream.
//!
//! `cargo bench --bench simulate` takes a minute and a half. `tests/simulate/mod.rs` holds the same on a virtual clock.

mod real;
mod scene;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;
use tidegate::config::{Config, DEFAULT, Source};
use tidegate_lab::simulate::{SimulationReport, Waited, read, simulate};
use tokio::time::Instant;

use crate::scene::{CONFIG, Scene, scenes};

/// An hour of a hundred requests a second must not take longer.
const MOST: Duration = Duration::from_secs(5);

/// How far the waits of the simulation may be from the real ones.
#[derive(Clone, Copy)]
struct Apart {
    /// As a share of these.
    share: f64,
    /// In milliseconds, where they are short: what a call takes besides comes off the wait of the next.
    ms: f64,
}

/// On a machine that does nothing else.
const CALM: Apart = Apart { share: 0.05, ms: 25.0 };

/// For how long anybody begins something.
const SECONDS: u32 = 40;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    println!("{:<10} {:>28} {:>28} {:>28}", "", "mean wait, s: real, simulated", "p95", "calls");
    let scenes = scenes(SECONDS);
    let met = runtime.block_on(try_join_all(scenes.iter().map(real::run)))?;
    scenes.iter().zip(&met).try_for_each(|(scene, real)| agrees(scene, real))?;
    hour()
}

fn agrees(scene: &Scene, real: &real::Met) -> Result<()> {
    let report = simulated(CONFIG, &scene.scenario())?;
    let Waited { mean, p95, .. } = report.whole.wait_ms;
    println!(
        "{:<10} {:>18.3} {:>9.3} {:>18.3} {:>9.3} {:>18} {:>9}",
        scene.name,
        real.mean / 1_000.0,
        mean / 1_000.0,
        real.p95 / 1_000.0,
        p95 / 1_000.0,
        real.calls,
        report.whole.served
    );
    ensure!(real.refused == 0 && report.refused() == 0, "{}: nobody should be refused", scene.name);
    ensure!(CALM.holds(real.mean, mean) && CALM.holds(real.p95, p95), "{}: the waits are not the same", scene.name);
    ensure!(
        real.calls.abs_diff(report.whole.served) <= real.calls / 20 + 2,
        "{}: the calls are not as many",
        scene.name
    );
    Ok(())
}

impl Apart {
    fn holds(self, real: f64, simulated: f64) -> bool {
        (real - simulated).abs() <= (real * self.share).max(self.ms)
    }
}

fn hour() -> Result<()> {
    let text = std::fs::read_to_string("config/scenarios/hour.toml").context("from the root of the repository")?;
    let began = Instant::now();
    let report = simulated(DEFAULT, &text)?;
    let took = began.elapsed();
    println!("\nan hour of {} requests: {:.2} s", report.whole.requests, took.as_secs_f64());
    ensure!(report.whole.requests > 350_000 && took < MOST, "{took:?}");
    Ok(())
}

fn simulated(config: &str, scenario: &str) -> Result<SimulationReport> {
    let config = Config::parse(&Source::Text("bench".to_owned()), config)?;
    Ok(simulate(&config.settings(), &read("bench", scenario)?, Instant::now().into_std(), |_| ()))
}
