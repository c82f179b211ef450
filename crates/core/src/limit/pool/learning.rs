//! How a pool learns from the upstream's answers.

use std::time::{Duration, Instant};

use super::{Learn, Pool};
use crate::limit::learned::{Basis, Learned};
use crate::limit::window::Window;
use crate::limit::{EstimateView, Rate, Share};

/// What an answer tells of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The limit.
    pub limit: Rate,
    /// What is left of it; what was left when this one was counted, if it was accepted.
    pub left: Option<u64>,
}

impl Hint {
    /// What it tells a gate that has this part of the account.
    #[must_use]
    pub fn shared(self, share: Share) -> Self {
        Self { limit: share.of_rate(self.limit), left: self.left.map(|left| share.of_amount(left)) }
    }
}

/// How well a refusal fits a pool; of two the greater fits better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RefusalFit {
    /// It was under way when this pool's limit was met.
    same: bool,
    /// How near the count is to that at the last refusal, in parts ([`ALIKE_PARTS`]).
    alike: u64,
    /// The pool is known to have less than is configured.
    known: bool,
    /// How much of its limit is used, in thousandths.
    fill: u64,
}

/// How full a pool instance is, by the window that is nearest to its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FillLevel {
    /// What the window holds.
    pub used: u64,
    /// What it may hold, where that is configured.
    pub limit: Option<Rate>,
    /// How long ago the first of it was spent.
    pub since: Duration,
}

impl Pool {
    /// The upstream took a request that was sent at about `sent_at`.
    pub(crate) fn accepted(&mut self, now: Instant, sent_at: Instant, cost: u32, reported: Option<Hint>) {
        if self.learn == Learn::Never {
            return;
        }
        if let Some(learned) = &mut self.learned {
            learned.is_well(sent_at);
        }
        if let Some(Hint { limit, left }) = reported.filter(|reported| self.is_news(reported.limit)) {
            let spent = self.log().committed_since(sent_at).saturating_sub(cost.into());
            let margin = self.margin;
            let bucket = self.learned().reported(now, limit, margin);
            if let Some(left) = left {
                bucket.sync(now, left, now.saturating_duration_since(sent_at), spent);
            }
            bucket.accepted();
            return;
        }
        if reported.is_some() {
            self.forget_reported();
        }
        if let (Some(learned), log, basis) = self.parts() {
            learned.accepted(now, sent_at, basis, log);
            if learned.is_stale(now) {
                self.learned = None;
            }
        }
    }

    /// The upstream refused a request that was sent at about `sent_at`, by this pool's limit, and said to stay away for so
    /// long. What it refuses it has not counted.
    pub(crate) fn refused(&mut self, now: Instant, sent_at: Instant, hint: Option<Duration>, reported: Option<Hint>) {
        if self.learn == Learn::Never {
            return self.stay_away(now, hint.unwrap_or(PAUSE).max(SHORTEST));
        }
        if let Some(Hint { limit, left }) = reported.filter(|reported| self.is_news(reported.limit)) {
            let margin = self.margin;
            let bucket = self.learned().reported(now, limit, margin);
            if let Some(left) = left {
                bucket.set(now, left);
            }
        }
        self.learned();
        if let (Some(learned), log, basis) = self.parts() {
            learned.refused(now, sent_at, hint, basis, log);
        }
    }

    /// What a request costs that we take for so much, by the upstream's count as far as refusals have reported it.
    #[must_use]
    pub(crate) fn scaled(&self, cost: u32) -> u32 {
        self.learned.as_deref().map_or(cost, |learned| learned.scaled(cost))
    }

    /// A refusal says how much had been asked for that was accepted for `charged`.
    pub(crate) fn measure(&mut self, requested: u64, charged: u32) {
        if let Some(bucket) = self.learned.as_deref_mut().and_then(Learned::bucket_mut) {
            bucket.measure(requested, charged);
        }
    }

    /// What was sent at about `sent_at` has not counted after all.
    pub(crate) fn uncommit(&mut self, now: Instant, sent_at: Instant, cost: u32) {
        self.windows_mut().for_each(|window| window.uncommit(now, sent_at, cost));
        self.correct_stocks(sent_at, cost.into(), 0);
    }

    /// What was sent at about `sent_at` has cost more, or less, than it was accepted for.
    pub(crate) fn correct(&mut self, now: Instant, sent_at: Instant, accepted: u32, cost: u32) {
        match cost.checked_sub(accepted) {
            Some(more) => {
                self.windows_mut().for_each(|window| window.commit(now, more));
                self.correct_stocks(now, 0, more.into());
            }
            None => self.uncommit(now, sent_at, accepted - cost),
        }
        // A bucket is reported what is left of it.
        if self.learned.as_deref().is_none_or(|learned| !learned.is_synced()) {
            self.paces_mut().for_each(|pace| pace.correct(now, accepted, cost));
        }
    }

    /// The rate has grown faster than the upstream wants.
    pub(crate) fn ramp(&mut self, now: Instant, hint: Option<Duration>) {
        if self.learn == Learn::Never {
            return self.stay_away(now, hint.unwrap_or(PAUSE).max(SHORTEST));
        }
        self.learned();
        if let (Some(learned), log, basis) = self.parts() {
            learned.ramp(now, basis, log);
        }
        self.stay_away(now, hint.unwrap_or_default().max(PAUSE));
    }

    /// No request goes for this time.
    pub(crate) fn stay_away(&mut self, now: Instant, time: Duration) {
        self.learned().stay_away(now + time);
    }

    /// The upstream is overloaded: no request goes for a while, longer each time.
    pub(crate) fn back_off(&mut self, now: Instant, sent_at: Instant, hint: Option<Duration>) {
        let time = self.learned().back_off(now, sent_at);
        self.stay_away(now, hint.unwrap_or_default().max(time));
    }

    /// The limit that the upstream has reported, if that is what is believed.
    #[must_use]
    pub(crate) fn reported_limit(&self) -> Option<Rate> {
        self.learned.as_deref().and_then(Learned::reported_limit)
    }

    /// The upstream tells no less than is configured.
    fn forget_reported(&mut self) {
        if self.reported_limit().is_some() {
            self.learned = None;
        }
    }

    /// What has been learned of it, if anything.
    #[must_use]
    pub(crate) fn estimate(&self, now: Instant) -> Option<EstimateView> {
        self.learned.as_deref().and_then(|learned| learned.usage(now).estimate)
    }

    /// How well a refusal of what was sent at about `sent_at` fits this pool.
    pub(crate) fn fits(&mut self, now: Instant, sent_at: Instant) -> RefusalFit {
        if self.windows.is_empty() {
            return RefusalFit::default();
        }
        let log = self.log();
        let (used, fill) = (log.used(now), log.used_thousandths());
        let Some(learned) = self.learned.as_deref() else { return RefusalFit { fill, ..RefusalFit::default() } };
        let likeness = |then: u64| then.min(used) * ALIKE_PARTS / then.max(used).max(1);
        RefusalFit {
            same: learned.is_under_way(sent_at),
            alike: learned.used_then().map_or(0, likeness),
            known: learned.holds_less(),
            fill,
        }
    }

    /// How full it is.
    pub(crate) fn level(&mut self, now: Instant) -> FillLevel {
        if self.windows.is_empty() {
            return FillLevel { used: 0, limit: None, since: Duration::ZERO };
        }
        let log = self.log();
        let (used, limit) = (log.used(now), (!log.is_open()).then(|| log.rate()));
        FillLevel { used, limit, since: log.oldest().map_or(Duration::ZERO, |oldest| now - oldest) }
    }

    /// What the window held when something was sent at about `sent_at`.
    pub(crate) fn used_at(&mut self, now: Instant, sent_at: Instant) -> u64 {
        if self.windows.is_empty() {
            return 0;
        }
        let log = self.log();
        log.used(now).saturating_sub(log.committed_since(sent_at))
    }

    /// Whether requests wait for the limits as configured or reported, and not because the upstream refused.
    #[must_use]
    pub(crate) fn is_as_reported(&self, now: Instant) -> bool {
        self.learned.as_ref().map(|learned| learned.usage(now)).is_none_or(|learned| {
            matches!(learned.estimate, None | Some(EstimateView::Reported { .. })) && learned.not_until.is_none()
        })
    }

    /// The upstream refused at this count, whichever pool it was.
    pub(crate) fn suspect(&mut self, now: Instant) {
        if !self.windows.is_empty() {
            let used = self.log().used(now);
            self.learned().suspect(used);
        }
    }

    /// It was another pool's limit all the time.
    pub(crate) fn acquit(&mut self) {
        if let Some(learned) = &mut self.learned {
            learned.forget_less();
        }
    }

    /// A limit that says more than is configured.
    pub(super) fn is_news(&self, limit: Rate) -> bool {
        let configured = self.windows.iter().filter(|window| !window.is_open() && window.rate().per() == limit.per());
        configured.map(|window| window.rate().amount()).min().is_none_or(|amount| limit.amount() < amount)
    }

    fn learned(&mut self) -> &mut Learned {
        self.learned.get_or_insert_with(|| Box::new(Learned::nothing()))
    }

    /// The window that is nearest to its limit.
    fn log(&mut self) -> &mut Window {
        let at = self.fullest();
        &mut self.windows[at]
    }

    fn fullest(&mut self) -> usize {
        if self.windows.len() < 2 {
            0
        } else {
            (0..self.windows.len()).max_by_key(|&at| self.windows[at].used_thousandths()).unwrap_or(0)
        }
    }

    fn parts(&mut self) -> (Option<&mut Learned>, &mut Window, Basis) {
        let at = self.fullest();
        let log = &mut self.windows[at];
        let basis = Basis::of(log, self.margin);
        (self.learned.as_deref_mut(), log, basis)
    }
}

/// Counts are compared in this many parts, so that a few requests under way make no difference. A guess.
const ALIKE_PARTS: u64 = 20;

/// How long no request goes where the upstream does not say and nothing may be learned. A guess: the shortest
/// `Retry-After` that is not zero.
const PAUSE: Duration = Duration::from_secs(1);

/// And where it says a shorter time than this. A guess: about a round trip.
const SHORTEST: Duration = Duration::from_millis(100);
