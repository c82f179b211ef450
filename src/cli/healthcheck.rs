use std::io::Write;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use super::asking::AdminArgs;
use super::output::output;

/// Ask a running gate whether it is well; for containers that have no curl.
#[derive(Debug, Args)]
pub(super) struct Healthcheck {
    #[command(flatten)]
    gate: AdminArgs,
}

/// How long the gate may take to answer. A guess: less than a container engine waits for its check.
const PATIENCE: Duration = Duration::from_secs(3);

impl Healthcheck {
    pub(super) fn run(&self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.gate.page("/healthz", PATIENCE))?;
        Ok(writeln!(output(), "well")?)
    }
}
