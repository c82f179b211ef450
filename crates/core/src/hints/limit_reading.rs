use std::time::Duration;

use super::Allowance;

/// What the headers say of one limit, and how long it is until nothing of it is used.
pub(super) struct LimitReading {
    pub(super) allowance: Allowance,
    pub(super) reset: Option<Duration>,
}
