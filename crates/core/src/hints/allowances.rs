use std::time::Duration;

use smallvec::SmallVec;

use super::HeaderLookup;
use super::allowance::Allowance;
use super::limit_headers;
use super::response_clock::ResponseClock;

/// What the headers of an answer say of limits, however the upstream writes them. `now` is the time since the Unix epoch.
///
/// Of several that count the same in the same window (an organization's and a project's), it is the one with less left.
#[must_use]
pub fn allowances(headers: &dyn HeaderLookup, now: Duration) -> SmallVec<[Allowance; 2]> {
    let mut allowances: SmallVec<[Allowance; 2]> = SmallVec::new();
    if !limit_headers::are_in(headers) {
        return allowances;
    }
    for reading in limit_headers::readings(headers, &ResponseClock::new(headers, now)) {
        let next = reading.allowance;
        match allowances.iter_mut().find(|known| (known.unit, known.per) == (next.unit, next.per)) {
            Some(known) if next.left() < known.left() => *known = next,
            Some(_) => {}
            None => allowances.push(next),
        }
    }
    allowances
}
