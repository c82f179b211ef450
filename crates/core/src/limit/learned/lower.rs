use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use super::{Basis, SavedLimit};
use crate::limit::Rate;
use crate::limit::pace::Pace;
use crate::limit::window::Window;

// "Tuned": with this figure `scheduler/tests/upstream` finds a hidden limit, holds it and gives it up again, under each
// way of counting. Other figures may do as well.

/// How much is tried beyond what has held for a window: a little first, then, if that holds, so much that the configured
/// limit is back soon. Tuned.
const FIRST_STEP: f64 = 1.03;
const NEXT_STEP: f64 = 1.65;

/// What counts as safe grows by this part of it at most, once more has held for two windows. Tuned.
const SAFER_BY: u32 = 25;

/// In this part of a window after a pause, a refusal may still come from the upstream's window before it. Tuned.
const EARLY_PART: u32 = 2;

/// How often in a row a refusal may come too soon to say anything of the rate. Tuned.
const EARLY: u32 = 2;

/// What is left of the amount if refusals keep coming too soon. Tuned.
const LESS_IF_EARLY: f64 = 0.95;

/// After refusals that came too soon, no request goes for this part of a window, times their number in a row. Tuned.
const REST_PARTS: u32 = 20;

/// What is left of the amount at most, after a refusal that says something of the rate. Tuned.
const LESS: f64 = 0.98;

/// What the upstream takes varies if it refuses below this part of what has held, or only above this multiple of it, in
/// the window and over the time since its last refusal. Tuned.
const VARIES_BELOW: f64 = 0.9;
const VARIES_ABOVE: f64 = 1.2;
const VARIES_ABOVE_OVER_TIME: f64 = 1.1;

/// An amount counts as tested if this many tenths of it are used. Tuned.
const TESTED_TENTHS: u64 = 9;

/// The configured limit must hold for this many windows: what a bucket has saved up can last for more than one. Tuned.
const WINDOWS_AT_CONFIGURED: u32 = 2;

/// By how much the rate may grow within how long where it had grown too fast (docs/upstream.md §2.3).
const RAMP: f64 = 1.5;
const RAMP_TIME: Duration = Duration::from_mins(15);

/// A rate that had grown by half returns to where it came from.
const RAMP_BACK: (u64, u64) = (2, 3);

/// A rate may have grown too fast; it is never too fast to begin with so many a window, or with this part of what is
/// configured. A guess: the upstream speaks of rates far above (docs/upstream.md §2.3).
const FEWEST: u32 = 10;
const FEWEST_PART: u32 = 10;

/// A limit that is lower than configured: as much as had been taken when the upstream refused, in every window, evenly.
///
/// Every trailing window holds what an upstream takes that counts windows, however it does, and an even pace what one
/// takes that fills a bucket; so it need not be known which it is.
#[derive(Clone, Debug)]
pub(in crate::limit) struct Lower {
    basis: Basis,
    amount: u32,
    /// What has held.
    safe: u32,
    window: Window,
    pace: Pace,
    stage: Stage,
    refused_at: Instant,
    /// All that had been taken by then.
    taken_then: u64,
    /// When there was room again after that.
    resumed: Instant,
    /// How often the amount was estimated.
    estimates: u32,
    /// How many refusals in a row came too soon.
    early: u32,
    /// More has held for a window.
    held_once: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    /// What is known is kept to for a window.
    Hold { until: Instant },
    /// More is tried.
    Probe { since: Instant },
    /// It grows as fast as the upstream allows.
    Ramp { since: Instant, from: f64 },
}

/// What had been taken when the upstream refused.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// In the window.
    used: f64,
    /// In each window since it refused before, if that is a window ago.
    rate: Option<f64>,
}

impl Seen {
    fn least(self) -> f64 {
        self.rate.map_or(self.used, |rate| rate.min(self.used))
    }
}

/// What a refusal makes of it.
pub(super) enum Turned {
    /// It is still lower; nobody goes for so long.
    Still(Duration),
    /// It is not always the same.
    Varies,
}

impl Lower {
    pub(super) fn new(now: Instant, used: u64, basis: Basis, log: &Window) -> Self {
        let amount = counted(used).clamp(1, basis.limit.unwrap_or(u32::MAX));
        let (window, pace) = (log.capped(amount, basis.per, basis.margin), basis.even(amount));
        let stage = Stage::Hold { until: now + basis.per + basis.margin };
        let taken_then = window.total();
        let mut lower = Self {
            basis,
            amount,
            safe: amount,
            window,
            pace,
            stage,
            refused_at: now,
            taken_then,
            resumed: now,
            estimates: 1,
            early: 0,
            held_once: false,
        };
        lower.resumed = lower.window.turn_of(now, 0, 1);
        lower
    }

    /// As it was before a restart. The upstream may still count what was sent before that, so that for a window a refusal
    /// says nothing of the rate.
    pub(super) fn recalled(now: Instant, limit: Rate, basis: Basis, log: &Window) -> Self {
        let lower = Self::new(now, limit.amount().into(), Basis { per: limit.per(), ..basis }, log);
        let resumed = now + lower.span() / EARLY_PART;
        Self { resumed, estimates: 2, ..lower }
    }

    /// The same, where the rate had grown too fast.
    pub(super) fn recalled_ramp(now: Instant, limit: Rate, basis: Basis, log: &Window) -> Self {
        let stage = Stage::Ramp { since: now, from: limit.amount().into() };
        Self { stage, ..Self::recalled(now, limit, basis, log) }
    }

    /// What has held; of what is being tried nobody knows yet.
    pub(super) fn to_saved(&self) -> SavedLimit {
        match self.stage {
            Stage::Ramp { .. } => SavedLimit::Ramp { limit: self.limit() },
            Stage::Hold { .. } | Stage::Probe { .. } => SavedLimit::Lower { limit: rate(self.safe, self.basis) },
        }
    }

    pub(super) fn ramp(now: Instant, used: u64, basis: Basis, log: &Window) -> Self {
        let fewest = basis.limit.map_or(FEWEST, |limit| limit / FEWEST_PART);
        let before = (used * RAMP_BACK.0).div_ceil(RAMP_BACK.1);
        let mut lower = Self::new(now, before.max(fewest.into()), basis, log);
        lower.stage = Stage::Ramp { since: now, from: f64::from(lower.amount) };
        lower
    }

    pub(super) fn limit(&self) -> Rate {
        rate(self.amount, self.basis)
    }

    pub(super) fn window(&self) -> &Window {
        &self.window
    }

    pub(super) fn window_mut(&mut self) -> &mut Window {
        &mut self.window
    }

    pub(super) fn pace(&self) -> &Pace {
        &self.pace
    }

    pub(super) fn pace_mut(&mut self) -> &mut Pace {
        &mut self.pace
    }

    /// The upstream took another one; whether the configured limit is back.
    pub(super) fn accepted(&mut self, now: Instant) -> bool {
        let stage = self.stage;
        match stage {
            Stage::Hold { until } if now >= until => {
                self.early = 0;
                self.grow(now, FIRST_STEP);
            }
            Stage::Probe { since } if now >= since + self.tried_for() && self.is_used(now) => {
                if Some(self.amount) == self.basis.limit {
                    return true;
                }
                // One window may have seen the rest of another; what has held for two is worth something.
                if std::mem::replace(&mut self.held_once, true) {
                    self.safe = self.amount.min(self.safe + self.safe / SAFER_BY);
                }
                self.grow(now, NEXT_STEP);
            }
            Stage::Ramp { since, from } => {
                let quarters = (now - since).as_secs_f64() / RAMP_TIME.as_secs_f64();
                self.set(from * RAMP.powf(quarters));
                return Some(self.amount) == self.basis.limit;
            }
            _ => {}
        }
        false
    }

    /// The upstream refused although this was kept to.
    pub(super) fn refused(&mut self, now: Instant) -> Turned {
        let (seen, was, stage) = (self.seen(now), self.amount, self.stage);
        let is_early = now < self.resumed + self.span() / EARLY_PART;
        self.hold(now);
        if is_early {
            return Turned::Still(self.wait_for_room(now, was));
        }
        let probed = matches!(stage, Stage::Probe { .. });
        if self.basis.limit.is_some() && self.varies(seen, probed) {
            return Turned::Varies;
        }
        self.estimates += 1;
        let least = if probed { f64::from(self.safe) } else { seen.least().min(f64::from(was) * LESS) };
        self.settle(now, least);
        Turned::Still(Duration::ZERO)
    }

    /// Less had been taken than it seemed.
    pub(super) fn refine(&mut self, now: Instant, used: u64) {
        if self.estimates == 1 && matches!(self.stage, Stage::Hold { .. }) {
            self.taken_then = self.window.total();
            self.settle(now, f64::from(counted(used).min(self.amount)));
        }
    }

    fn seen(&mut self, now: Instant) -> Seen {
        let since_refused = now - self.refused_at;
        let taken = counted(self.window.total().saturating_sub(self.taken_then));
        let rate = f64::from(taken) * self.span().as_secs_f64() / since_refused.as_secs_f64();
        let is_long = since_refused >= self.span();
        Seen { used: counted(self.window.used(now)).into(), rate: is_long.then_some(rate) }
    }

    /// Whether what the upstream takes is not always the same: less than has held, or much more.
    fn varies(&self, Seen { used, rate }: Seen, probed: bool) -> bool {
        let safe = f64::from(self.safe);
        let is_less = used < safe * VARIES_BELOW && (self.estimates > 1 || probed);
        let is_more = used > safe * VARIES_ABOVE && rate.is_some_and(|rate| rate > safe * VARIES_ABOVE_OVER_TIME);
        is_less || is_more && probed
    }

    /// From now on what is known is kept to for a window.
    fn hold(&mut self, now: Instant) {
        self.held_once = false;
        self.stage = Stage::Hold { until: now + self.span() };
        (self.refused_at, self.taken_then) = (now, self.window.total());
    }

    /// So much is known now.
    fn settle(&mut self, now: Instant, amount: f64) {
        self.set(amount);
        self.safe = self.amount;
        self.resumed = self.window.turn_of(now, 0, 1);
    }

    /// It was too soon to say anything of the rate: the upstream's window has not opened yet. If that goes on, it is less.
    fn wait_for_room(&mut self, now: Instant, was: u32) -> Duration {
        self.early += 1;
        let less = if self.early > EARLY { LESS_IF_EARLY } else { 1.0 };
        self.settle(now, f64::from(self.safe.min(was)) * less);
        let rest = self.span() / REST_PARTS * self.early;
        self.resumed = self.resumed.max(now + rest);
        rest
    }

    fn grow(&mut self, now: Instant, by: f64) {
        self.stage = Stage::Probe { since: now };
        let one_more = f64::from(self.amount) + 1.0;
        self.set((f64::from(self.amount) * by).max(one_more));
    }

    fn set(&mut self, amount: f64) {
        let most = f64::from(self.basis.limit.unwrap_or(u32::MAX));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is within the bounds of the type"
        )]
        let amount = amount.clamp(1.0, most) as u32;
        if amount != self.amount {
            self.amount = amount;
            self.window.cap(amount);
            self.pace = self.basis.even(amount).after(&self.pace);
        }
    }

    /// Whether what is allowed is also used, so that it is put to the test.
    fn is_used(&mut self, now: Instant) -> bool {
        self.window.used(now) * 10 >= u64::from(self.amount) * TESTED_TENTHS
    }

    /// For how long the present amount is tried.
    fn tried_for(&self) -> Duration {
        if Some(self.amount) == self.basis.limit { self.span() * WINDOWS_AT_CONFIGURED } else { self.span() }
    }

    fn span(&self) -> Duration {
        self.basis.per + self.basis.margin
    }
}

fn counted(requests: u64) -> u32 {
    u32::try_from(requests).unwrap_or(u32::MAX)
}

fn rate(amount: u32, basis: Basis) -> Rate {
    let amount = NonZeroU32::new(amount).unwrap_or(NonZeroU32::MIN);
    Rate::new(amount, basis.per).expect("a window takes some time")
}
