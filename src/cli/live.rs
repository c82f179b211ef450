use std::io::Write;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use super::asking::{AdminAddress, AdminArgs};
use crate::admin::{Live, Status, Taken};
use crate::config::Config;

/// Which running gate is asked, if it is not the one of the configuration.
#[derive(Debug, Args)]
pub(super) struct AskedAt {
    /// The admin address of the gate to ask, or "off" to ask none [default: that of the configuration].
    #[arg(long, value_name = "URL|off", env = "TIDEGATE_ADMIN", hide_env_values = true, value_parser = AdminAddress)]
    admin: Option<String>,
}

/// What a running gate says, or why there is nothing.
pub(super) struct LiveStatus {
    status: Result<Status, String>,
    /// It runs with another configuration than the one that is explained.
    differs: bool,
}

/// A gate that runs on this machine answers sooner. A guess.
const PATIENCE: Duration = Duration::from_millis(500);

/// One that somebody named may be far away. A guess.
const PATIENCE_NAMED: Duration = Duration::from_secs(5);

impl AskedAt {
    /// Asks the gate that is named, or the one that would run with this configuration, for a client with this label.
    pub(super) fn ask(&self, config: &Config, client: &str) -> Result<LiveStatus> {
        let named = self.admin.clone();
        let patience = if named.is_some() { PATIENCE_NAMED } else { PATIENCE };
        let configured = || config.server.admin.map(|admin| admin.to_string());
        let Some(admin) = named.or_else(configured).filter(|admin| admin != "off") else {
            let status = Err("no gate was asked, as its admin port is off".to_owned());
            return Ok(LiveStatus { status, differs: false });
        };
        let gate = AdminArgs { admin };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let status = runtime.block_on(gate.status_for(client, patience));
        let nobody = |_| format!("no gate answers at {}, so what it would have learned is not here", gate.admin);
        let differs = status.as_ref().is_ok_and(|status| status.config_hash != config.hash);
        Ok(LiveStatus { status: status.map_err(nobody), differs })
    }
}

impl LiveStatus {
    pub(super) fn status(&self) -> Option<&Status> {
        self.status.as_ref().ok()
    }

    /// Says what it knows of what is taken.
    pub(super) fn print<'t>(&self, out: &mut impl Write, taken: impl Iterator<Item = &'t Taken>) -> Result<()> {
        if let Err(why) = &self.status {
            return Ok(writeln!(out, "live     {why}")?);
        }
        if let (true, Ok(status)) = (self.differs, &self.status) {
            writeln!(out, "config   the gate that runs has another one, {}: what it says may not fit", status.config)?;
        }
        let known: Vec<&Live> = taken.filter_map(|taken| taken.live.as_ref()).collect();
        if known.is_empty() {
            writeln!(
                out,
                "live     the gate that runs has not seen any of these yet; pools by account are told apart with -H 'authorization: …'"
            )?;
        }
        for (index, live) in known.iter().enumerate() {
            let head = if index == 0 { "live" } else { "" };
            writeln!(out, "{head:<8} {}: {}", live.label, live.diagnosis.text)?;
            writeln!(out, "         {}", live.text)?;
        }
        Ok(())
    }
}
