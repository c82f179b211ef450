//! How a request counted where it was sent.

use smallvec::SmallVec;

use super::Levels;
use super::hypothesis::View;
use super::traffic::Tick;

/// What is known of how a request counted where it was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) view: u8,
    pub(super) slot: u8,
    /// How many of the group had been refused by then.
    pub(super) refused: u32,
    /// How many of it had been sent.
    pub(super) number: u32,
    pub(super) levels: Levels,
}

impl Sample {
    pub(super) fn level(&self, indicator: usize) -> u16 {
        self.levels[indicator]
    }
}

/// Where a request counts in one record.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) record: u16,
    pub(super) sent: Tick,
    /// The last answer before it was sent was a refusal.
    pub(super) after_refusal: bool,
    pub(super) samples: SmallVec<[Sample; 3]>,
}

impl Place {
    pub(super) fn level(&self, view: View, indicator: usize) -> u16 {
        let sample = self.samples.iter().find(|sample| usize::from(sample.view) == view.index());
        sample.map_or(0, |sample| sample.level(indicator))
    }
}
