//! What keeps to a limit that is believed, and finds out whether there is more.

mod concurrency;
mod ramp;
mod rate;
mod spread;

use std::time::Duration;

pub(super) use concurrency::Concurrency;
pub(super) use ramp::Ramp;
pub(super) use rate::Rate;
pub(super) use spread::Spread;

use super::hypothesis::Hypothesis;

/// After a refusal of a probe so many must be accepted before the next: a refusal in two hundred is half of what the
/// issue allows.
pub(super) const PER_PROBE: u32 = 150;

/// And at most, where probes keep failing. A guess.
pub(super) const PER_PROBE_AT_MOST: u32 = 3_200;

/// A limit in force.
#[derive(Clone, Debug)]
pub(super) struct Limiter {
    pub(super) hypothesis: Hypothesis,
    /// The route, where it is of one.
    pub(super) route: Option<u64>,
    pub(super) control: Control,
}

#[derive(Clone, Debug)]
pub(super) enum Control {
    Rate(Rate),
    Concurrency(Concurrency),
    /// Pacing cannot help, unless nothing is accepted any more; or that is so already: one goes now and then.
    Outage(Outage),
}

/// What a limiter says to a request that wants to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    Open,
    /// Not before this instant.
    Until(u64),
    /// Not before one is over.
    Freed,
}

/// While everything is refused, one request goes now and then.
#[derive(Clone, Debug, Default)]
pub(super) struct Outage {
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
    pub(super) fn of_some() -> Self {
        Self { spared: CHANCE, ..Self::default() }
    }

    pub(super) fn check(&mut self, at: u64) -> Gate {
        if at < self.until {
            return Gate::Until(self.until);
        }
        // One goes, and the others wait for what becomes of it.
        if self.streak > self.spared {
            self.until = at + super::traffic::nanos(PAUSE);
        }
        Gate::Open
    }

    pub(super) fn refused(&mut self, at: u64, sent_at: u64) {
        if sent_at + super::traffic::nanos(PAUSE) < self.until {
            return;
        }
        self.streak += 1;
        if let Some(doublings) = self.streak.checked_sub(self.spared + 1) {
            self.until = at + super::traffic::nanos(PAUSE * 2_u32.pow(doublings.min(DOUBLINGS)));
        }
    }

    /// One was accepted; whether that ends an outage.
    pub(super) fn accepted(&mut self) -> bool {
        let was_out = self.streak > self.spared;
        (self.until, self.streak) = (0, 0);
        was_out
    }
}
