use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use super::{NotYet, Rate};

/// An exact cap on every trailing window: a log of what was committed and when.
///
/// A counter or a bucket whose burst is the limit lets twice the limit through in its first window; a log never does,
/// wherever the window is laid. What was committed at `t` counts in `[t, t + span)`.
#[derive(Clone, Debug)]
pub(super) struct Window {
    rate: Rate,
    /// How much may be in it: the rate's amount, or less where less was learned; nothing where no limit is known.
    most: Option<u64>,
    /// The window's own length and the margin against jitter on the way.
    span: Duration,
    /// What is committed within so short a time of each other is kept as one [`Grain`].
    grain: Duration,
    committed: VecDeque<Grain>,
    /// All that has ever been committed, and of it what no longer counts.
    total: u64,
    gone: u64,
}

/// What was committed at about the same time. All of it counts until the last of it no longer does.
#[derive(Clone, Copy, Debug)]
struct Grain {
    first: Instant,
    last: Instant,
    /// All that has ever been committed up to its end.
    total: u64,
}

/// The longest log, in grains. Limits up to it are kept request by request, and greater ones to the 8192nd part of
/// their window: freed up to so much late, never early. Otherwise a pool of millions a minute would remember millions.
/// A guess: a minute is kept to 7 ms, at 40 bytes a grain.
const GRAINS: u32 = 8_192;

/// An empty log that is longer gives its memory back. A guess: shorter ones cost less than to allocate them again.
const KEPT_EMPTY: usize = 64;

impl Window {
    pub(super) fn new(rate: Rate, margin: Duration) -> Self {
        let span = rate.per().saturating_add(margin);
        let grain = if rate.amount() > GRAINS { span / GRAINS } else { Duration::ZERO };
        Self { rate, most: Some(rate.amount().into()), span, grain, committed: VecDeque::new(), total: 0, gone: 0 }
    }

    /// A log of what is committed, without a cap.
    pub(super) fn open(per: Duration) -> Self {
        let rate = Rate::new(NonZeroU32::MAX, per).expect("a window takes some time");
        Self { most: None, ..Self::new(rate, Duration::ZERO) }
    }

    /// The same log under another cap, in windows of another length.
    pub(super) fn capped(&self, most: u32, per: Duration, margin: Duration) -> Self {
        Self { most: Some(most.into()), span: per.saturating_add(margin), ..self.clone() }
    }

    pub(super) fn is_open(&self) -> bool {
        self.most.is_none()
    }

    /// Changes the cap.
    pub(super) fn cap(&mut self, most: u32) {
        self.most = Some(most.into());
    }

    pub(super) fn rate(&self) -> Rate {
        self.rate
    }

    /// May `cost` go now, while `reserved` more may be committed at any moment?
    pub(super) fn check(&mut self, now: Instant, reserved: u64, cost: u32) -> Result<(), NotYet> {
        let asked = self.used(now) + reserved + u64::from(cost);
        let Some(most) = self.most else { return Ok(()) };
        // What has become too much by itself goes when nothing else counts.
        let excess = asked.saturating_sub(most.max(cost.into()));
        if excess == 0 {
            return Ok(());
        }
        self.when_freed(excess).map_or(Err(NotYet::Freed), |at| Err(NotYet::Until(at)))
    }

    /// Whether `later` may still go at `at` if `cost` goes now, beside the `reserved`.
    pub(super) fn leaves(&self, now: Instant, reserved: u64, cost: u32, later: u32, at: Instant) -> bool {
        if at >= now + self.span {
            return true;
        }
        let taken = self.total - self.gone_at(at) + reserved + u64::from(cost) + u64::from(later);
        self.most.is_none_or(|most| taken <= most)
    }

    /// How much may go from now on until `by`, if all of it goes as early as it may.
    pub(super) fn room_by(&self, now: Instant, by: Instant) -> u64 {
        let Some(amount) = self.most else { return u64::MAX };
        let time = by.saturating_duration_since(now);
        // If all of it goes as early as it may, each whole span lets the cap through once more. The rest of the time lets
        // through the cap less what still counts at its end.
        let rounds = time.as_nanos() / self.span.as_nanos().max(1);
        let into_last = time.saturating_sub(self.span * u32::try_from(rounds).unwrap_or(u32::MAX));
        let free = amount.saturating_sub(self.total - self.gone_at(now + into_last));
        free.saturating_add(u64::try_from(rounds).unwrap_or(u64::MAX).saturating_mul(amount))
    }

    /// All that will ever have left the window by then, as things stand.
    fn gone_at(&self, at: Instant) -> u64 {
        let counting = self.committed.partition_point(|grain| grain.last + self.span <= at);
        self.total_before(counting)
    }

    pub(super) fn commit(&mut self, now: Instant, cost: u32) {
        self.forget(now);
        self.add(now, cost.into());
    }

    /// What was committed before the start, at `at`: never before what is known already, so that it never leaves early.
    pub(super) fn recommit(&mut self, now: Instant, at: Instant, cost: u64) {
        let latest = self.committed.back().map_or(at, |grain| grain.last.max(at));
        self.add(latest.min(now), cost);
        self.forget(now);
    }

    fn add(&mut self, at: Instant, cost: u64) {
        self.total += cost;
        match self.committed.back_mut() {
            Some(grain) if at - grain.first <= self.grain => {
                grain.last = at;
                grain.total = self.total;
            }
            _ => self.committed.push_back(Grain { first: at, last: at, total: self.total }),
        }
    }

    /// What counts at `now`, with its times, in no more than `most` entries. Of several that become one the last counts.
    pub(super) fn spent(&mut self, now: Instant, most: usize) -> Vec<(Instant, u64)> {
        self.forget(now);
        let together = self.committed.len().div_ceil(most.max(1)).max(1);
        let last_of = self.committed.iter().enumerate().filter(|(at, _)| (at + 1) % together == 0);
        let ends = last_of.map(|(_, grain)| grain).chain(self.committed.back());
        let mut before = self.gone;
        let amounts = ends.map(|grain| (grain.last, grain.total - std::mem::replace(&mut before, grain.total)));
        amounts.filter(|&(_, cost)| cost > 0).collect()
    }

    /// As if all that it may hold had been committed at `at`.
    pub(super) fn fill(&mut self, now: Instant, at: Instant) {
        let Some(most) = self.most else { return };
        let used = self.used(now);
        self.recommit(now, at, most.saturating_sub(used));
    }

    /// When something that costs `own` would go after `ahead` more, if all of them went as early as they may.
    pub(super) fn turn_of(&mut self, now: Instant, ahead: u64, own: u32) -> Instant {
        let Some(amount) = self.most else { return now };
        let nth = self.used(now) + ahead + u64::from(own).min(amount);
        if nth <= amount {
            return now;
        }
        // The place `amount` ahead in the window must leave it first, and so must the one `amount` ahead of that.
        let windows = (nth - 1) / amount;
        let place = nth - windows * amount;
        let first = self.when_freed(place).unwrap_or(now + self.span);
        first.max(now) + self.span * u32::try_from(windows - 1).unwrap_or(u32::MAX)
    }

    /// When something that costs `own` would go after `before` more of which none goes before `first`.
    pub(super) fn turn_after(&self, first: Instant, before: u64, own: u32) -> Instant {
        let Some(amount) = self.most else { return first };
        let windows = (before + u64::from(own).min(amount)).saturating_sub(1) / amount;
        first + self.span * u32::try_from(windows).unwrap_or(u32::MAX)
    }

    /// What was committed at `at` or a little later has not counted after all, if it still would.
    pub(super) fn uncommit(&mut self, now: Instant, at: Instant, cost: u32) {
        self.forget(now);
        if at + self.span <= now {
            return;
        }
        let first = self.committed.partition_point(|grain| grain.last < at);
        let before = self.total_before(first);
        let cost = u64::from(cost).min(self.total - before);
        // Totals are sums from the beginning on: all grains from this one on have less, but no grain less than none.
        self.committed.range_mut(first..).for_each(|grain| grain.total = grain.total.saturating_sub(cost).max(before));
        self.total -= cost;
    }

    /// All that has ever been committed and counted.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// What has been committed since.
    pub(super) fn committed_since(&self, at: Instant) -> u64 {
        self.total - self.total_before(self.committed.partition_point(|grain| grain.last < at))
    }

    /// All that had ever been committed before this grain.
    fn total_before(&self, nth: usize) -> u64 {
        nth.checked_sub(1).map_or(self.gone, |before| self.committed[before].total)
    }

    /// How much of it is used, in thousandths.
    pub(super) fn used_thousandths(&self) -> u64 {
        (self.total - self.gone) * 1_000 / self.most.unwrap_or(u64::MAX).max(1)
    }

    /// When the oldest of what counts was committed.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.committed.front().map(|grain| grain.first)
    }

    pub(super) fn used(&mut self, now: Instant) -> u64 {
        self.forget(now);
        self.total - self.gone
    }

    /// The instant at which the oldest `count` of what is committed will have left the window.
    fn when_freed(&self, count: u64) -> Option<Instant> {
        let freeing = self.committed.partition_point(|grain| grain.total < self.gone + count);
        self.committed.get(freeing).map(|grain| grain.last + self.span)
    }

    fn forget(&mut self, now: Instant) {
        while let Some(grain) = self.committed.front()
            && now >= grain.last + self.span
        {
            self.gone = grain.total;
            self.committed.pop_front();
        }
        if self.committed.is_empty() && self.committed.capacity() > KEPT_EMPTY {
            self.committed.shrink_to(0);
        }
    }
}
