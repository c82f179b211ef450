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

use self::child::{Child, ForwardedSignals};
use self::summary::{RunTotals, Summary};
use self::used::UsedGate;
use super::diagnose::DiagnosisReport;
use super::in_force::InForce;
use super::output::{complain, log_lines};
use super::serve::{LogFormat, raise_open_files, start_log};
use crate::config::Config;
#[cfg(feature = "lab")]
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
    #[command(flatten)]
    report: Report,
    /// How much to log, to standard error, as in "info" or "tidegate=debug".
    #[arg(long, value_name = "FILTER", env = "TIDEGATE_LOG", default_value = "error")]
    log: String,
    /// The command and its arguments.
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

/// How much is said at the end.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Report {
    /// After a command: print all that `tidegate diagnose` says, not only three lines.
    #[arg(long)]
    report: bool,
}

impl RunCommand {
    pub(super) fn run(self) -> Result<ExitCode> {
        let log = start_log(&self.log, LogFormat::Text)?;
        let mut config = self.config.load()?;
        variables::take_upstream(&mut config)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let ended = runtime.block_on(async {
            let signals = ForwardedSignals::listen()?;
            let gate = UsedGate::find_or_start(&self.config, &config, log.filter.clone()).await?;
            through(gate, &config, &self.command, self.report, signals).await
        });
        runtime.shutdown_background();
        ended
    }
}

/// Runs a command before a gate with this configuration, whatever else runs.
#[cfg(feature = "lab")]
pub(super) async fn before_own_gate(
    wanted: &InForce,
    config: &Config,
    filter: Filter,
    command: &[OsString],
    report: Report,
) -> Result<ExitCode> {
    let signals = ForwardedSignals::listen()?;
    let gate = UsedGate::start(wanted, config, filter).await?;
    through(gate, config, command, report, signals).await
}

/// Runs it to its end. The signals are listened to before there is a command, so that none is missed.
async fn through(
    gate: UsedGate,
    config: &Config,
    command: &[OsString],
    Report { report }: Report,
    signals: ForwardedSignals,
) -> Result<ExitCode> {
    let (began, before) = (Instant::now(), RunTotals::of(&gate.status().await?));
    let variables = variables::of(&config.upstream.url, gate.address());
    let child = match Child::spawn(command, variables) {
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
    if report {
        DiagnosisReport::new(&status).print(&mut log_lines())?;
    }
    complain(&Summary::new(&status, RunTotals::of(&status).since(before), took, base_url).to_string());
    Ok(ended)
}
