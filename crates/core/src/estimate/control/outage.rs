use std::time::Duration;

use super::gate::Gate;
use crate::estimate::traffic::nanos;

/// While everything is refused, one request goes now and then.
#[derive(Clone, Debug, Default)]
pub(in crate::estimate) struct Outage {
    until: u64,
    streak: u32,
    /// So many refusals in a row are chance.
    spared: u32,
}

/// The first pause of an outage, and how often it doubles. Guesses: the SDKs begin with 500 ms (docs/upstream.md §5.2).
const PAUSE: Duration = Duration::from_millis(250);
const DOUBLINGS: u32 = 4;

/// So many refusals in a row are still chance where some are refused whatever is sent. A guess: one in five is much.
const CHANCE: u32 = 4;

impl Outage {
    /// Some are refused by chance.
    pub(in crate::estimate) fn of_some() -> Self {
        Self { spared: CHANCE, ..Self::default() }
    }

    pub(in crate::estimate) fn check(&mut self, at: u64) -> Gate {
        if at < self.until {
            return Gate::Until(self.until);
        }
        // One goes, and the others wait for what becomes of it.
        if self.streak > self.spared {
            self.until = at + nanos(PAUSE);
        }
        Gate::Open
    }

    pub(in crate::estimate) fn refused(&mut self, at: u64, sent_at: u64) {
        if sent_at + nanos(PAUSE) < self.until {
            return;
        }
        self.streak += 1;
        if let Some(doublings) = self.streak.checked_sub(self.spared + 1) {
            self.until = at + nanos(PAUSE * 2_u32.pow(doublings.min(DOUBLINGS)));
        }
    }

    /// One was accepted; whether that ends an outage.
    pub(in crate::estimate) fn accepted(&mut self) -> bool {
        let was_out = self.streak > self.spared;
        (self.until, self.streak) = (0, 0);
        was_out
    }
}
