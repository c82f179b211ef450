use std::cell::Cell;
use std::time::Duration;

use super::HeaderLookup;
use super::date::date;

/// The time at which a response was made, since the Unix epoch, by the clock of whoever made it.
///
/// Dates in a response are of the upstream's clock, and so is its `Date` (RFC 9110 §6.6.1): their difference does not
/// depend on the local clock. Read only when a date has to be compared with it.
pub(super) struct ResponseClock<'a> {
    headers: &'a dyn HeaderLookup,
    local: Duration,
    read: Cell<Option<Duration>>,
}

impl<'a> ResponseClock<'a> {
    /// The clock of these headers; the local time where they have no `Date`.
    pub(super) fn new(headers: &'a dyn HeaderLookup, local: Duration) -> Self {
        Self { headers, local, read: Cell::new(None) }
    }

    pub(super) fn now(&self) -> Duration {
        let read = self.read.get().or_else(|| self.headers.text("date").and_then(date));
        let now = read.unwrap_or(self.local);
        self.read.set(Some(now));
        now
    }

    /// How long it is until a moment; nothing once it is over.
    pub(super) fn until(&self, moment: Duration) -> Option<Duration> {
        moment.checked_sub(self.now())
    }
}
