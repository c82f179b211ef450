//! What is used of a pool, taken over a restart: what it had committed counts on.

use std::time::{Duration, Instant};

use super::Pool;
use crate::limit::Limits;

/// The most entries that are kept of one window. A guess: a minute is kept to 30 ms, in less than 50 KB.
const MOST_ENTRIES: usize = 2_000;

/// What is used of one pool instance, to be saved over a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SavedUsage {
    /// Since when it has been watched: nothing that the gate sent since then is missing here.
    pub watched: Option<Instant>,
    /// What each of its windows holds.
    pub windows: Vec<SavedWindow>,
    /// What each of its paces owes.
    pub paces: Vec<SavedPace>,
}

/// What one window holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedWindow {
    /// Its length.
    pub per: Duration,
    /// When how much was committed, the oldest first.
    pub spent: Vec<(Instant, u64)>,
}

/// What one pace owes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavedPace {
    /// The span of its rate.
    pub per: Duration,
    /// When all that was committed is paid off.
    pub paid_off: Instant,
}

impl Pool {
    /// What is worth saving of it, if anything is.
    #[must_use]
    pub(crate) fn saved_usage(&mut self, now: Instant) -> Option<SavedUsage> {
        let saved = |(per, spent)| SavedWindow { per, spent };
        let windows = self.windows.iter_mut().map(|window| (window.rate().per(), window.spent(now, MOST_ENTRIES)));
        let windows = windows.filter(|(_, spent)| !spent.is_empty()).map(saved).collect();
        let spans = self.windows.iter().map(|window| window.rate().per());
        let owed = spans.zip(&self.paces).filter_map(|(per, pace)| Some(SavedPace { per, paid_off: pace.paid_off()? }));
        let paces = owed.filter(|pace| pace.paid_off > now).collect();
        let usage = SavedUsage { watched: self.watched, windows, paces };
        (usage != SavedUsage::default()).then_some(usage)
    }

    /// What was used before the start counts on, whatever spans the limits have now.
    pub(crate) fn restore(&mut self, now: Instant, saved: &SavedUsage) {
        self.watched = [self.watched, saved.watched].into_iter().flatten().min();
        for window in &mut self.windows {
            let spent = saved.windows_for(window.rate().per()).map_or(&[][..], |saved| &saved.spent);
            spent.iter().for_each(|&(at, cost)| window.recommit(now, at, cost));
        }
        let spans = self.windows.iter().map(|window| window.rate().per());
        for (per, pace) in spans.zip(&mut self.paces) {
            let same = saved.paces.iter().filter(|pace| pace.per == per).map(|pace| pace.paid_off).max();
            if let Some(paid_off) = same {
                pace.owe_until(paid_off);
            }
        }
    }

    /// The same pool under other limits. What was sent and is under way counts on, whatever the limits were; what was learned
    /// holds as far as it still tightens them; and if nothing may go for a while, nothing does.
    pub(crate) fn recut(&mut self, now: Instant, limits: &Limits) {
        let (usage, estimate, opens) = (self.saved_usage(now), self.saved(), self.opens(now));
        let mut next = Self::new(limits);
        if let Some(usage) = usage {
            next.restore(now, &usage);
        }
        if let Some(estimate) = estimate {
            // One that would not tighten these limits is forgotten.
            let _ = next.recall(now, estimate);
        }
        if opens > now {
            next.stay_away(now, opens - now);
        }
        (next.reserved, next.in_flight) = (self.reserved, self.in_flight);
        if self.stocks.is_some() {
            // What was leased under the other limits ends by itself, and counts until then.
            next.lease(limits);
        }
        *self = next;
    }

    /// Since when it has been watched.
    pub(crate) fn watched_since(&self) -> Option<Instant> {
        self.watched
    }

    /// A request was sent before the start, at `at`, that [`Pool::restore`] does not know of.
    pub(crate) fn recommit(&mut self, now: Instant, at: Instant, cost: u32) {
        let at = at.min(now);
        self.watched = Some(self.watched.map_or(at, |watched| watched.min(at)));
        self.windows.iter_mut().for_each(|window| window.recommit(now, at, cost.into()));
        self.paces.iter_mut().for_each(|pace| pace.commit(at, cost));
    }

    /// As if all that its limits admit had been sent at `at`.
    pub(crate) fn start_full(&mut self, now: Instant, at: Instant) {
        self.windows.iter_mut().for_each(|window| window.fill(now, at));
        self.paces.iter_mut().for_each(|pace| pace.exhaust(at));
    }
}

impl SavedUsage {
    /// The window that holds all that one of this span would: the shortest that is no shorter, else the longest there is.
    fn windows_for(&self, per: Duration) -> Option<&SavedWindow> {
        let whole = self.windows.iter().filter(|saved| saved.per >= per).min_by_key(|saved| saved.per);
        whole.or_else(|| self.windows.iter().max_by_key(|saved| saved.per))
    }
}
