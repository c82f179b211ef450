use std::time::Instant;

use super::Pool;
use crate::limit::window::Window;
use crate::limit::{EstimateView, Rate};

/// What of a limit is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// The limit.
    pub limit: Rate,
    /// What of it.
    pub used: u64,
}

impl Fill {
    /// Which part of it, where 1 is all.
    #[must_use]
    pub fn ratio(self) -> f64 {
        f64::from(u32::try_from(self.used).unwrap_or(u32::MAX)) / f64::from(self.limit.amount())
    }
}

impl Pool {
    /// The limit in force that is nearest to its end, as far as it counts what goes; nothing where none is known.
    pub(crate) fn fill(&mut self, now: Instant) -> Option<Fill> {
        self.fills(now).max_by(|one, other| one.ratio().total_cmp(&other.ratio()))
    }

    /// The limit in force that lets the fewest go, over time; nothing where none is known.
    pub(crate) fn tightest(&mut self, now: Instant) -> Option<Fill> {
        self.fills(now).max_by_key(|fill| fill.limit.interval())
    }

    /// Of each limit in force, configured or learned.
    fn fills(&mut self, now: Instant) -> impl Iterator<Item = Fill> {
        let learned = self.estimate(now).and_then(|estimate| self.learned_fill(now, estimate));
        let stocks = self.stocks.as_deref();
        let configured = self.windows.iter_mut().enumerate().filter(|(_, window)| !window.is_open());
        let used = move |(nth, window): (usize, &mut Window)| {
            let by_all = stocks.and_then(|stocks| stocks.used_by_all(nth));
            Fill { limit: window.rate(), used: by_all.unwrap_or_else(|| window.used(now)) }
        };
        configured.map(used).chain(learned)
    }

    fn learned_fill(&self, now: Instant, estimate: EstimateView) -> Option<Fill> {
        let limit = estimate.limit()?;
        if let EstimateView::Reported { left, .. } = estimate {
            return Some(Fill { limit, used: u64::from(limit.amount()).saturating_sub(left) });
        }
        let since = now.checked_sub(limit.per())?;
        let used = self.windows.iter().map(|log| log.committed_since(since)).max()?;
        Some(Fill { limit, used })
    }
}
