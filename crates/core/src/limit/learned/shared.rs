use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::Basis;
use super::lower::Lower;
use crate::limit::pace::Pace;
use crate::limit::window::Window;

/// After a refusal it is asked again in so many parts of a window. A guess: eight refusals a window, and an eighth of
/// it late.
const PARTS: u32 = 8;

/// So many windows must be alike, to so many percent, for the limit to be steady after all. A guess.
const ALIKE: usize = 3;
const PERCENT: u64 = 5;

/// All of the configured limit is back once a window takes this many percent of it without a refusal. A guess: jitter
/// and the margin take the rest.
const FREE_PERCENT: u64 = 95;

/// A limit from which somebody else takes: as much as is left, which only trying tells.
#[derive(Clone, Debug)]
pub(in crate::limit) struct Shared {
    basis: Basis,
    limit: u32,
    pace: Pace,
    window_began: Instant,
    refused_since: bool,
    /// What was taken in each of the last windows in which the upstream refused.
    taken: SmallVec<[u64; ALIKE]>,
}

/// What an answer makes of it.
pub(super) enum Turned {
    Still,
    /// All of the configured limit is there again.
    Free,
    /// What is left is always the same.
    Steady(Box<Lower>),
}

impl Shared {
    /// Nothing where no limit is configured of which somebody could take.
    pub(super) fn new(now: Instant, basis: Basis) -> Option<Self> {
        let limit = basis.limit?;
        let pace = basis.even(limit);
        Some(Self { basis, limit, pace, window_began: now, refused_since: true, taken: SmallVec::new() })
    }

    pub(super) fn pace(&self) -> &Pace {
        &self.pace
    }

    pub(super) fn pace_mut(&mut self) -> &mut Pace {
        &mut self.pace
    }

    /// How long nobody goes after a refusal.
    pub(super) fn rest(&self) -> Duration {
        self.basis.per / PARTS
    }

    pub(super) fn refused(&mut self) -> Duration {
        self.refused_since = true;
        self.rest()
    }

    pub(super) fn accepted(&mut self, now: Instant, log: &mut Window) -> Turned {
        if now < self.window_began + self.basis.per {
            return Turned::Still;
        }
        let taken = log.used(now);
        let was_refused = std::mem::replace(&mut self.refused_since, false);
        self.window_began = now;
        if !was_refused {
            self.taken.clear();
            return if taken * 100 >= u64::from(self.limit) * FREE_PERCENT { Turned::Free } else { Turned::Still };
        }
        if self.taken.len() == ALIKE {
            self.taken.remove(0);
        }
        self.taken.push(taken);
        let (least, most) = (self.taken.iter().min(), self.taken.iter().max());
        match (least, most) {
            (Some(&least), Some(&most)) if self.taken.len() == ALIKE && (most - least) * 100 <= most * PERCENT => {
                Turned::Steady(Box::new(Lower::new(now, most, self.basis, log)))
            }
            _ => Turned::Still,
        }
    }
}
