use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{NotYet, Rate};

/// An exact cap on every trailing window: a log of what was spent and when.
///
/// A counter or a bucket whose burst is the limit lets twice the limit through in its first window; a log never does,
/// wherever the window is laid. What was spent at `t` counts in `[t, t + span)`.
#[derive(Clone, Debug)]
pub(super) struct Window {
    rate: Rate,
    /// The window's own length and the margin against jitter on the way.
    span: Duration,
    spent: VecDeque<(Instant, u32)>,
    used: u32,
}

impl Window {
    pub(super) fn new(rate: Rate, margin: Duration) -> Self {
        Self { rate, span: rate.per() + margin, spent: VecDeque::new(), used: 0 }
    }

    pub(super) fn rate(&self) -> Rate {
        self.rate
    }

    /// May `cost` go now, while `held` more may be spent at any moment?
    pub(super) fn check(&mut self, now: Instant, held: u32, cost: u32) -> Result<(), NotYet> {
        self.forget(now);
        let asked = u64::from(self.used) + u64::from(held) + u64::from(cost);
        let excess = asked.saturating_sub(u64::from(self.rate.amount()));
        if excess == 0 {
            return Ok(());
        }
        self.when_freed(excess).map_or(Err(NotYet::Freed), |at| Err(NotYet::Until(at)))
    }

    pub(super) fn spend(&mut self, now: Instant, cost: u32) {
        self.forget(now);
        self.used += cost;
        match self.spent.back_mut() {
            Some((at, sum)) if *at == now => *sum += cost,
            _ => self.spent.push_back((now, cost)),
        }
    }

    /// When the last of `ahead` more would go, if all of them went as early as they may.
    pub(super) fn turn_of(&mut self, now: Instant, ahead: u64) -> Instant {
        self.forget(now);
        let amount = u64::from(self.rate.amount());
        let nth = u64::from(self.used) + ahead;
        if nth <= amount {
            return now;
        }
        // Whoever is `amount` places ahead in the window must leave it first, and so must whoever is ahead of that one.
        let windows = (nth - 1) / amount;
        let place = nth - windows * amount;
        let first = self.when_freed(place).unwrap_or(now + self.span);
        first.max(now) + self.span * u32::try_from(windows - 1).unwrap_or(u32::MAX)
    }

    pub(super) fn used(&mut self, now: Instant) -> u32 {
        self.forget(now);
        self.used
    }

    /// The instant at which the oldest `count` of what is spent will have left the window.
    fn when_freed(&self, mut count: u64) -> Option<Instant> {
        for &(at, cost) in &self.spent {
            count = count.saturating_sub(u64::from(cost));
            if count == 0 {
                return Some(at + self.span);
            }
        }
        None
    }

    fn forget(&mut self, now: Instant) {
        while let Some(&(at, cost)) = self.spent.front()
            && now >= at + self.span
        {
            self.spent.pop_front();
            self.used -= cost;
        }
        if self.spent.is_empty() && self.spent.capacity() > 64 {
            self.spent.shrink_to(0);
        }
    }
}
