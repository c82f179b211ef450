use std::time::Duration;

use smallvec::SmallVec;

use super::Headers;
use crate::limit::Unit;

/// What an answer's headers say of one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// What is counted.
    pub unit: Unit,
    /// The limit.
    pub limit: u64,
    /// In which window.
    pub per: Duration,
    /// What was left once this request had been counted.
    pub remaining: Option<u64>,
}

/// What the headers of an answer say of limits, however the upstream writes them. `now` is the time since the Unix epoch.
#[must_use]
pub fn allowances(_headers: &dyn Headers, _now: Duration) -> SmallVec<[Allowance; 2]> {
    SmallVec::new()
}
