//! `tidegate run -- COMMAND`: a command whose requests go through a gate.

mod child;
mod summary;
mod used;
mod variables;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use tokio::time::Instant;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use self::child::{Child, ForwardedSignals};
use self::summary::{RunTotals, Summary};
use self::used::UsedGate;
use super::diagnose::DiagnosisReport;
use super::in_force::InForce;
use super::output::{complain, log_lines};
use super::serve::{LogFormat, raise_open_files};
use super::usage_error::UsageError;
use crate::config::Config;
use crate::telemetry::Filter;

/// Run a command, and send its requests through a gate.
///
/// Starts a gate on free ports, sets OPENAI_BASE_URL and the like for the command, and passes on its output, its signals and
/// its exit code. If a gate runs already at the address of the configuration, the command uses that one. At the end, three
/// lines on standard error say what came of the requests.
#[derive(Debug, Args)]
pub(super) struct RunCommand {
    #[command(flatten)]
    config: InForce,
    /// Print all that `tidegate diagnose` says at the end, not only three lines.
    #[arg(long)]
    report: bool,
    /// How much to log, to standard error, as in "info" or "tidegate=debug".
    #[arg(long, value_name = "FILTER", env = "TIDEGATE_LOG", default_value = "error")]
    log: String,
    /// The command and its arguments.
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

impl RunCommand {
    pub(super) fn run(self) -> Result<ExitCode> {
        let (filter, layer) =
            Filter::new(&self.log).map_err(|error| UsageError(format!("--log {}: {error}", self.log)))?;
        tracing_subscriber::registry().with(layer).with(LogFormat::Text.lines()).init();
        let mut config = self.config.load()?;
        variables::take_upstream(&mut config)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let ended = runtime.block_on(self.go(&config, filter));
        runtime.shutdown_background();
        ended
    }

    async fn go(self, config: &Config, filter: Filter) -> Result<ExitCode> {
        // Before there is a command, so that no signal is missed.
        let signals = ForwardedSignals::listen()?;
        let gate = UsedGate::find_or_start(&self.config, config, filter).await?;
        let (began, before) = (Instant::now(), RunTotals::of(&gate.status().await?));
        let variables = variables::of(&config.upstream.url, gate.address());
        let child = match Child::spawn(&self.command, variables) {
            Ok(child) => child,
            Err(error) => {
                complain(&format!("error: {error}"));
                return Ok(error.code());
            }
        };
        // After the command has its own limit, which is not raised.
        raise_open_files();
        let ended = child.wait(signals).await?;
        let took = began.elapsed();
        let (base_url, status) = (format!("http://{}/v1", gate.address()), gate.end().await?);
        if self.report {
            DiagnosisReport::new(&status).print(&mut log_lines())?;
        }
        complain(&Summary::new(&status, RunTotals::of(&status).since(before), took, base_url).to_string());
        Ok(ended)
    }
}
