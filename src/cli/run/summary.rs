use std::fmt;
use std::time::Duration;

use humantime::format_duration;

use crate::admin::{CountStatus, Status, Worst};

/// What came of the requests of a command, in three lines.
pub(super) struct Summary {
    totals: RunTotals,
    took: Duration,
    base_url: String,
    finding: Option<Finding>,
}

/// What came of some requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RunTotals {
    requests: u64,
    answered: u64,
    refused: u64,
    failed: u64,
    left: u64,
    waited: u64,
    resent: u64,
    shared: u64,
}

/// The worst that is the matter.
struct Finding {
    label: String,
    text: String,
    advice: Option<String>,
}

impl RunTotals {
    /// Of all requests since the gate's start.
    pub(super) fn of(status: &Status) -> Self {
        let of = |count: fn(&CountStatus) -> u64| status.routes.iter().map(|route| count(&route.counts)).sum();
        Self {
            requests: of(|counts| counts.requests),
            answered: of(|counts| counts.passed),
            refused: of(|counts| counts.refused),
            failed: of(|counts| counts.failed),
            left: of(|counts| counts.left),
            waited: of(|counts| counts.waited),
            resent: of(|counts| counts.retried),
            shared: of(|counts| counts.coalesced),
        }
    }

    /// Of those after these.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            requests: self.requests - before.requests,
            answered: self.answered - before.answered,
            refused: self.refused - before.refused,
            failed: self.failed - before.failed,
            left: self.left - before.left,
            waited: self.waited - before.waited,
            resent: self.resent - before.resent,
            shared: self.shared - before.shared,
        }
    }
}

impl Summary {
    pub(super) fn new(status: &Status, totals: RunTotals, took: Duration, base_url: String) -> Self {
        Self { totals, took, base_url, finding: status.worst.first().map(Finding::new) }
    }
}

impl Finding {
    fn new(worst: &Worst) -> Self {
        Self { label: worst.label.clone(), text: worst.text.clone(), advice: worst.advice.clone() }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RunTotals { requests, answered, refused, failed, left, waited, resent, shared } = self.totals;
        if requests == 0 {
            return write!(
                f,
                "tidegate: no request came through the gate: the command does not use OPENAI_BASE_URL ({}).\n\
                 tidegate: If it sends requests, give it that as its base URL; it may have one of its own in its settings.",
                self.base_url
            );
        }
        let took = format_duration(Duration::from_millis(u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX)));
        let are = if requests == 1 { "request" } else { "requests" };
        write!(f, "tidegate: {requests} {are} in {took}: {answered} answered")?;
        let rest =
            [(shared, "of them shared"), (refused, "refused by the gate"), (failed, "failed"), (left, "cancelled")];
        rest.iter().filter(|(count, _)| *count > 0).try_for_each(|(count, what)| write!(f, ", {count} {what}"))?;
        write!(
            f,
            "\ntidegate: {waited} waited instead of going over a limit; {resent} met a refusal of the upstream and were sent again\n"
        )?;
        match &self.finding {
            Some(Finding { label, text, advice }) => {
                write!(f, "tidegate: {label}: {text}")?;
                advice.iter().try_for_each(|advice| write!(f, " What to do: {advice}"))
            }
            None => f.write_str("tidegate: no limit held the command back for long"),
        }
    }
}
