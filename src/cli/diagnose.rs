use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;

use super::asking::AdminArgs;
use super::output::output;
use super::which_limit::which_limit;
use crate::admin::{CauseName, PoolStatus, Status, Sureness, UpstreamRefusalStatus, Worst};

/// Say what limit is hit, whether there are hidden ones, whether the upstream throttles, and what to do. Asks a running gate.
#[derive(Debug, Args)]
pub(super) struct Diagnose {
    #[command(flatten)]
    gate: AdminArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// How long a gate may take to answer. A guess: it may be far away.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many findings are written out. A guess: a screen.
const WRITTEN: usize = 12;

const NO_GATE: &str = "a diagnosis is made by a gate that runs: start it with `tidegate serve`, send what meets 429s through \
                       it for some minutes, and ask again; --admin says where it is, unless at its usual place";

impl Diagnose {
    pub(super) fn run(self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let status = runtime.block_on(self.gate.status(PATIENCE)).context(NO_GATE)?;
        let report = DiagnosisReport::new(&status);
        if self.json { Ok(writeln!(output(), "{}", report.json())?) } else { report.print(&mut output()) }
    }
}

/// What is the matter with a gate, the worst first.
pub(super) struct DiagnosisReport<'s> {
    status: &'s Status,
    findings: Vec<&'s Worst>,
    within: usize,
    unknown: usize,
    /// By the upstream, since the start.
    refused: &'s [UpstreamRefusalStatus],
}

impl<'s> DiagnosisReport<'s> {
    pub(super) fn new(status: &'s Status) -> Self {
        let mut findings: Vec<&Worst> = status.worst.iter().collect();
        findings.dedup_by(|one, before| one.text == before.text);
        let calm: Vec<_> = status.pools.iter().filter(|pool| !pool.is_finding()).collect();
        let within = calm.iter().filter(|pool| pool.diagnosis.cause == CauseName::WithinLimits).count();
        Self { status, findings, within, unknown: calm.len() - within, refused: &status.upstream_refusals }
    }

    fn json(&self) -> serde_json::Value {
        let finding = |worst: &&Worst| match self.pool(worst) {
            Some(pool) => json!({
                "pool": pool.name, "key": pool.key, "counts": pool.counts, "learned": pool.learned,
                "diagnosis": pool.diagnosis, "worst": worst,
            }),
            None => json!({ "pool": null, "worst": worst }),
        };
        let findings: Vec<_> = self.findings.iter().map(finding).collect();
        json!({ "findings": findings, "within_limits": self.within, "not_enough_evidence": self.unknown })
    }

    /// The pool instance that a finding is about, if it is about one.
    fn pool(&self, worst: &Worst) -> Option<&'s PoolStatus> {
        let counts = worst.counts.as_ref()?;
        let is_meant = |pool: &&PoolStatus| (&pool.name, &pool.key, &pool.counts) == (&worst.name, &worst.key, counts);
        self.status.pools.iter().find(is_meant)
    }

    pub(super) fn print(&self, out: &mut impl Write) -> Result<()> {
        self.print_findings(out)?;
        self.print_hidden(out)?;
        self.print_throttling(out)?;
        self.print_advice(out)?;
        let (within, unknown) = (self.within, self.unknown);
        Ok(writeln!(out, "\nPools within their limits: {within}; of which nothing is known: {unknown}.")?)
    }

    fn print_findings(&self, out: &mut impl Write) -> Result<()> {
        writeln!(out, "Which limit is hit?")?;
        match (self.findings.is_empty(), self.refused.is_empty()) {
            (true, true) if self.status.totals.granted + self.requests() == 0 => {
                writeln!(out, "  None yet: no request has come through.")?;
            }
            (true, true) => writeln!(out, "  None: the upstream refused nothing, and no request had to wait lately.")?,
            (true, false) => {
                writeln!(out, "  None now. Since the start the upstream has refused: {}.", self.refused())?;
            }
            (false, _) => {}
        }
        if !self.findings.is_empty() && self.findings.iter().all(|worst| is_no_limit(worst.cause)) {
            writeln!(out, "  None, but requests fail:")?;
        }
        for worst in self.findings.iter().take(WRITTEN) {
            if let Some(limit) = which_limit(worst) {
                writeln!(out, "  {limit}")?;
            }
            writeln!(out, "  {}: {}{}", worst.label, worst.text, sureness(worst.estimate.confidence))?;
        }
        if self.findings.len() > WRITTEN {
            writeln!(out, "  And {} more: --json prints them all.", self.findings.len() - WRITTEN)?;
        }
        Ok(())
    }

    fn print_hidden(&self, out: &mut impl Write) -> Result<()> {
        let hidden = self.named(|case| {
            matches!(case, CauseName::LowerLimit | CauseName::InFlight | CauseName::Bursts | CauseName::Shared)
        });
        let unclear = self.named(|case| case == CauseName::NotEnoughEvidence);
        let answer = match (hidden.is_empty(), unclear.is_empty()) {
            (false, _) => format!("Yes: {hidden}."),
            (true, false) => format!("Perhaps: {unclear}."),
            (true, true) => "None has shown.".to_owned(),
        };
        Ok(writeln!(out, "\nAre there hidden limits?\n  {answer}")?)
    }

    fn print_throttling(&self, out: &mut impl Write) -> Result<()> {
        let throttled = self.named(|case| matches!(case, CauseName::Throttled | CauseName::Incident));
        let answer = if throttled.is_empty() { "No.".to_owned() } else { format!("Yes: {throttled}.") };
        Ok(writeln!(out, "\nIs the upstream throttling?\n  {answer}")?)
    }

    fn print_advice(&self, out: &mut impl Write) -> Result<()> {
        writeln!(out, "\nWhat to do?")?;
        let mut advised: Vec<(&str, Vec<&str>)> = Vec::new();
        for worst in self.findings.iter().take(WRITTEN) {
            let Some(advice) = worst.advice.as_deref() else { continue };
            match advised.iter_mut().find(|(known, _)| *known == advice) {
                Some((_, labels)) => labels.push(&worst.label),
                None => advised.push((advice, vec![&worst.label])),
            }
        }
        if advised.is_empty() {
            writeln!(out, "  Nothing.")?;
        }
        for (advice, labels) in advised {
            writeln!(out, "  {}: {advice}", labels.join(", "))?;
        }
        self.print_permanent(out)
    }

    /// The lines of configuration that make what was found permanent.
    fn print_permanent(&self, out: &mut impl Write) -> Result<()> {
        let mut lines: Vec<&str> =
            self.findings.iter().take(WRITTEN).filter_map(|worst| worst.toml.as_deref()).collect();
        lines.dedup();
        if lines.is_empty() {
            return Ok(());
        }
        writeln!(out, "\nTo make it permanent, write into tidegate.toml:\n")?;
        Ok(write!(out, "{}", lines.join("\n"))?)
    }

    /// What the upstream has refused, and why.
    fn refused(&self) -> String {
        let one = |refused: &UpstreamRefusalStatus| {
            format!("{} of {} ({})", refused.requests, refused.pool, refused.cause.replace('_', " "))
        };
        self.refused.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    /// The pools of which this is true.
    fn named(&self, is_meant: impl Fn(CauseName) -> bool) -> String {
        let meant = self.findings.iter().filter(|worst| is_meant(worst.cause));
        meant.take(WRITTEN).map(|worst| &*worst.label).collect::<Vec<_>>().join(", ")
    }

    /// How many requests are over, whatever became of them.
    fn requests(&self) -> u64 {
        self.status.routes.iter().map(|route| route.counts.requests).sum()
    }
}

/// Whether it is about requests that fail for another reason than a limit.
fn is_no_limit(cause: CauseName) -> bool {
    matches!(cause, CauseName::Rejected | CauseName::Unreachable | CauseName::Gone)
}

fn sureness(sureness: Sureness) -> &'static str {
    if sureness == Sureness::Fair { " (likely)" } else { "" }
}
