mod compare;
mod print;
mod progress;
mod words;

use std::fs;
use std::io::{Read, Write, stdin};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;
use tokio::time::Instant;

use self::print::Paper;
use self::progress::Progress;
use self::words::time;
use super::config_args::ConfigArgs;
use super::output::output;
use super::usage_error::UsageError;
use crate::config::Config;
use tidegate_lab::simulate::{self, SearchStep, SimulationReport, Traffic, TrafficError};

/// Simulate traffic: which requests wait, how long, and how full the pools get.
#[derive(Debug, Args)]
pub(super) struct Simulate {
    /// The traffic: a scenario in TOML (docs/simulate.md), the gate's access log in JSON, or a HAR; - is standard input.
    #[arg(value_name = "FILE")]
    traffic: PathBuf,
    #[command(flatten)]
    config: ConfigArgs,
    /// Another configuration, to see both side by side.
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// Draw used, waiting and waits over time into this file.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Find the largest number of workers for which no request is refused and 95 of 100 wait no longer than --within.
    /// STREAM is the name of the stream of workers, or "workers" if there is only one.
    #[arg(long, value_name = "STREAM", conflicts_with_all = ["compare", "svg"])]
    search: Option<String>,
    /// How long 95 of 100 requests may wait.
    #[arg(long, value_name = "TIME", default_value = "1s", requires = "search", value_parser = humantime::parse_duration)]
    within: Duration,
}

impl Simulate {
    pub(super) fn run(&self) -> Result<()> {
        let traffic = self.traffic()?;
        let config = self.config.load()?;
        if let Some(name) = &self.search {
            return self.search(&config, &traffic, name);
        }
        let other = self.compare.as_deref().map(|path| Config::load(Some(path))).transpose()?;
        let began = Instant::now();
        let reports: Vec<SimulationReport> =
            [&config].into_iter().chain(&other).map(|config| run(config, &traffic)).collect();
        let took = began.elapsed();
        if let Some(path) = &self.svg {
            let picture = simulate::picture(&reports);
            fs::write(path, picture).with_context(|| format!("cannot write {}", path.display()))?;
        }
        let mut out = output();
        if self.json {
            return Ok(writeln!(out, "{}", json!({ "reports": reports }))?);
        }
        let mut paper = Paper::new(&mut out);
        match reports.as_array() {
            Some(both) => compare::print(&mut paper, &self.name(), both)?,
            None => reports.iter().try_for_each(|report| paper.print(&self.name(), report))?,
        }
        paper.end(&traffic_notes(&reports), took)
    }

    fn traffic(&self) -> Result<Traffic> {
        let text = if self.traffic == Path::new("-") {
            let mut text = String::new();
            stdin().read_to_string(&mut text).map(|_| text)
        } else {
            fs::read_to_string(&self.traffic)
        };
        let unreadable = |error| UsageError(format!("cannot read the traffic {}: {error}", self.name()));
        simulate::read(&self.name(), &text.map_err(unreadable)?).map_err(|unusable| match unusable {
            TrafficError::Scenario(invalid) => invalid.into(),
            TrafficError::Recording { .. } => UsageError(unusable.to_string()).into(),
        })
    }

    fn name(&self) -> String {
        if self.traffic == Path::new("-") { "standard input".to_owned() } else { self.traffic.display().to_string() }
    }

    fn search(&self, config: &Config, traffic: &Traffic, name: &str) -> Result<()> {
        let stream = traffic.workers(name).map_err(|known| UsageError(not_there(name, &known)))?;
        let mut tried = Vec::new();
        let simulate = |workers: NonZeroU32| run(config, &traffic.with_workers(stream, workers));
        let most = simulate::most_workers(self.within, simulate, |one| {
            if !self.json {
                // Who listens no more is told so at the end.
                drop(writeln!(output(), "{}", told(one)));
            }
            tried.push(one);
        });
        let within = humantime::format_duration(self.within);
        if self.json {
            let tried: Vec<_> = tried.iter().map(as_json).collect();
            writeln!(
                output(),
                "{}",
                json!({ "workers": most, "within_ms": self.within.as_secs_f64() * 1_000.0, "tried": tried })
            )?;
        } else if let Some(most) = most {
            writeln!(output(), "\n{most} workers: nobody is refused, and 95 of 100 requests wait at most {within}.")?;
        } else {
            writeln!(
                output(),
                "\nNot even one worker: with it somebody is refused, or 5 of 100 requests wait longer than {within}."
            )?;
        }
        Ok(())
    }
}

fn run(config: &Config, traffic: &Traffic) -> SimulationReport {
    let mut progress = Progress::new(&config.source.to_string());
    simulate::simulate(&config.settings(), traffic, Instant::now().into_std(), |part| progress.reaches(part))
}

fn traffic_notes(reports: &[SimulationReport]) -> Vec<&str> {
    let mut notes: Vec<&str> = reports.iter().flat_map(|report| &report.notes).map(String::as_str).collect();
    notes.dedup();
    notes
}

fn told(SearchStep { workers, wait_p95_ms, refused, answered, fits }: SearchStep) -> String {
    let verdict = if fits { "fits" } else { "too many" };
    let wait = time(wait_p95_ms);
    format!("{workers:>8} workers: p95 wait {wait:>8}, {refused:>6} refused, {answered:>8} answered: {verdict}")
}

fn as_json(tried: &SearchStep) -> serde_json::Value {
    let SearchStep { workers, wait_p95_ms, refused, answered, fits } = tried;
    json!({
        "workers": workers, "wait_p95_ms": wait_p95_ms, "refused": refused, "answered": answered, "fits": fits,
    })
}

fn not_there(name: &str, known: &[&str]) -> String {
    match known {
        [] => "--search: no stream of the traffic has workers; write workers = 10 in one of [[streams]]".to_owned(),
        known => format!("--search {name}: there is no such stream of workers, but {}", known.join(", ")),
    }
}
