//! How much the things matter that are the matter. There is one order wherever they are shown: `/status`, `/events`, the
//! page, `top` and `diagnose` go by [`Rank`].

use std::time::Instant;

use super::diagnosis::{CauseName, millis};
use crate::admission::{Cause, InstanceState};
use crate::hints::RefusalCause;

/// How much something matters: of two, the greater matters more. First by what it costs, as far as that differs by more
/// than a factor of four; then by its cause, by who waits, and by how full it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    /// A logarithm, so that what costs about as much does not change places all the time.
    cost: u32,
    cause: CauseName,
    waiting: usize,
    full: u64,
}

/// What something costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cost {
    /// How many requests wait because of it.
    pub(super) waiting: usize,
    /// How long the first of them has waited, in milliseconds.
    pub(super) oldest_ms: u64,
    /// How many requests failed because of it in the last minutes.
    pub(super) failures: u64,
}

/// What a failed request costs its app. A guess: it is sent again, or looked into, about a minute later.
const FAILURE_MS: u64 = 60_000;

/// Less than this in all is not worth a word: requests are paced by waits as short as that.
const WORTH_MS: u64 = 1_000;

impl Cost {
    pub(super) fn of(state: &InstanceState, now: Instant) -> Self {
        let oldest = state.waiters.oldest.map_or(0, |oldest| millis(now.saturating_duration_since(oldest)));
        let evidence = &state.evidence;
        let refused: u64 = match state.diagnosis.cause {
            // What is refused for these reasons is not sent again, so the apps get it.
            Cause::Billing { .. } => {
                let bursts = evidence.bursts.iter().filter(|burst| burst.cause == RefusalCause::Billing);
                bursts.map(|burst| u64::from(burst.refusals)).sum::<u64>().min(evidence.requested)
            }
            Cause::Gone { answers, .. } => answers.min(evidence.accepted),
            _ => 0,
        };
        Self { waiting: state.waiters.held, oldest_ms: oldest, failures: evidence.turned_away + refused }
    }

    /// The time that is lost.
    pub(super) fn ms(self) -> u64 {
        self.oldest_ms.saturating_mul(self.waiting as u64).saturating_add(self.failures.saturating_mul(FAILURE_MS))
    }

    /// Whether it is to be spoken of, whatever its cause.
    pub(super) fn is_worth_a_word(self) -> bool {
        self.ms() >= WORTH_MS
    }
}

impl Rank {
    /// Of something with this cause; `full` is how much of its limit is used, in thousandths.
    pub(super) fn new(cost: Cost, cause: CauseName, full: u64) -> Self {
        let cost_class = (cost.ms() / WORTH_MS).checked_ilog2().map_or(0, |log| log / 2 + 1);
        Self { cost: cost_class, cause, waiting: cost.waiting, full }
    }
}
