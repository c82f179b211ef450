use std::time::Duration;

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

impl Allowance {
    pub(super) fn left(&self) -> (u64, u64) {
        (self.remaining.unwrap_or(self.limit), self.limit)
    }
}
