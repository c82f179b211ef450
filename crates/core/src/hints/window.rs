use std::time::Duration;

use super::time::{DAY, HOUR, MINUTE, SECOND};

/// By how much a reset that is no whole seconds may be rounded. A guess: `20ms` and `1.898s` were seen
/// (docs/upstream.md §3).
const GRAIN: Duration = Duration::from_millis(10);

/// The window of a bucket that is full again after `reset`; nothing where rounding hides it.
///
/// A bucket refills evenly: reset = (limit − remaining) · window ÷ limit.
pub(super) fn refilling(limit: u64, remaining: u64, reset: Duration) -> Option<Duration> {
    let used = limit.checked_sub(remaining).filter(|used| *used > 0)?;
    let window = |reset: Duration| nearest(reset.as_nanos() * u128::from(limit) / u128::from(used));
    let grain = if reset.subsec_nanos() == 0 { SECOND } else { GRAIN };
    let shortest = window(reset.checked_sub(grain).filter(|reset| !reset.is_zero())?);
    (shortest == window(reset + grain)).then_some(shortest)
}

/// The shortest window that can end after `reset`.
pub(super) fn ending_in(reset: Duration) -> Duration {
    [SECOND, MINUTE, HOUR].into_iter().find(|window| reset <= *window).unwrap_or(DAY)
}

/// The usual window that is nearest by its ratio: the borders are the geometric means.
fn nearest(nanos: u128) -> Duration {
    match nanos / SECOND.as_nanos() {
        ..8 => SECOND,
        8..465 => MINUTE,
        465..17_636 => HOUR,
        _ => DAY,
    }
}
