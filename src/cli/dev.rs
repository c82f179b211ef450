use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Error, Result};
use clap::Args;
use tidegate_lab::mock::{Mock, Options};
use tokio::net::TcpListener;

use super::in_force::InForce;
use super::listen::HandedSockets;
use super::output::{complain, say};
use super::run::{self, Report};
use super::serve::{LogFormat, serve, start_log};
use super::usage_error::UsageError;
use crate::config::Config;
use crate::telemetry::Filter;

/// Try the gate without a key: a mock upstream and a gate before it, in one, with the same limits and the same minute.
///
/// With a command, runs it as `tidegate run` does, before the mock upstream.
#[derive(Debug, Args)]
pub(super) struct Dev {
    #[command(flatten)]
    config: InForce,
    /// How much to log, to standard error, as in "info" or "tidegate=debug" [default: info; with a command: error].
    #[arg(long, value_name = "FILTER", env = "TIDEGATE_LOG")]
    log: Option<String>,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    report: Report,
    /// A command and its arguments, whose requests go through the gate.
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

/// As limits are written.
const MINUTE: Duration = Duration::from_mins(1);

impl Dev {
    pub(super) fn run(self) -> Result<ExitCode> {
        if self.config.is_upstream() {
            return Err(
                UsageError("--upstream: `dev` has an upstream of its own; see `tidegate serve`".to_owned()).into()
            );
        }
        let level = self.log.as_deref().unwrap_or(if self.command.is_empty() { "info" } else { "error" });
        let log = start_log(level, LogFormat::Text)?;
        let config = self.config.load()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let ended = runtime.block_on(self.go(config, log.filter.clone()));
        runtime.shutdown_background();
        ended
    }

    async fn go(self, mut config: Config, filter: Filter) -> Result<ExitCode> {
        let mut options = self.options;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let upstream = format!("http://{}", listener.local_addr()?);
        let settings = config.settings();
        config.upstream.set_url(&upstream).map_err(Error::msg)?;
        if options.minute != MINUTE {
            // They say how many, and SDKs and gate take it for a minute of 60 s.
            options.model_limits.no_ratelimit_headers = true;
        }
        config.shrink(options.minute, &options.model_limits.for_all());
        tokio::spawn(Mock::new(&settings, options).run(listener, std::future::pending()));
        if self.command.is_empty() {
            say(&format!("mock on {upstream}"));
            serve(config, filter, HandedSockets::default(), None).await?;
            return Ok(ExitCode::SUCCESS);
        }
        complain(&format!("tidegate: mock at {upstream}"));
        run::before_own_gate(&self.config, &config, filter, &self.command, self.report).await
    }
}
