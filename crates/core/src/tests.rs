//! What the tests of several modules need.

use std::time::Instant;

/// Where a test's clock begins.
#[expect(clippy::disallowed_methods, reason = "any instant will do")]
pub(crate) fn any_instant() -> Instant {
    Instant::now()
}
