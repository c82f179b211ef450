use std::io::Write;
use std::time::Duration;

use anyhow::Result;

use super::asking::Asking;
use crate::admin::{PoolStatus, Status};
use crate::config::{Config, Pool};
use crate::limit::Unit;
use crate::route::Ask;

/// What a running gate knows, if there is one.
pub(super) struct Live {
    status: Result<Status, String>,
}

/// A gate that runs on this machine answers sooner.
const PATIENCE: Duration = Duration::from_millis(500);

impl Live {
    /// Asks the gate that would run with this configuration.
    pub(super) fn ask(config: &Config) -> Result<Self> {
        let Some(admin) = config.server.admin else {
            return Ok(Self { status: Err("no gate was asked, as server.admin is off".to_owned()) });
        };
        let gate = Asking { admin: admin.to_string() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let status = runtime.block_on(gate.status(PATIENCE));
        Ok(Self {
            status: status
                .map_err(|_| format!("no gate answers at {admin}, so what it would have learned is not here")),
        })
    }

    /// What it knows of an instance; nothing where none answers, or it has none.
    pub(super) fn of(&self, ask: &Ask, pool: &Pool) -> Option<&PoolStatus> {
        let counts = if pool.limits.unit == Unit::Tokens { "tokens" } else { "requests" };
        let is_meant = |status: &&PoolStatus| {
            status.name == pool.name && status.counts == counts && status.key.as_deref() == ask.key.as_deref()
        };
        self.status.as_ref().ok()?.pools.iter().find(is_meant)
    }

    /// Says what it knows of these.
    pub(super) fn print<'a>(
        &self,
        out: &mut impl Write,
        instances: impl Iterator<Item = (&'a Ask, &'a Pool)>,
    ) -> Result<()> {
        if let Err(why) = &self.status {
            return Ok(writeln!(out, "live     {why}")?);
        }
        let known: Vec<&PoolStatus> = instances.filter_map(|(ask, pool)| self.of(ask, pool)).collect();
        if known.is_empty() {
            writeln!(out, "live     the gate that runs has not seen any of these yet")?;
        }
        for (index, pool) in known.iter().enumerate() {
            let head = if index == 0 { "live" } else { "" };
            writeln!(out, "{head:<8} {}: {}", pool.label(), pool.diagnosis.text)?;
        }
        Ok(())
    }
}
