use std::collections::HashMap;

use super::gate::Gate;
use super::probe::{PER_PROBE, PER_PROBE_AT_MOST};

// "Tuned": with this figure the bench in `estimate/tests` finds a limit, keeps to it and gives it up. Other figures may do
// as well.

/// How much is tried beyond what has held: a little first and, if that holds, more. Tuned.
const FIRST_STEP: f64 = 1.03;
const NEXT_STEP: f64 = 1.6;

/// What is left of the rate after a refusal. Tuned.
const LESS: f64 = 0.98;

/// It becomes less by this power of two of that at most, where refusals follow each other within a window. Tuned.
const MOST_FALLS: u32 = 2;

/// What is left of a rate that has not held for a window yet. Tuned.
const LESS_AT_FIRST: f64 = 0.95;

/// What fell far below what the evidence says comes back by this much in each window. Tuned.
const COMES_BACK: f64 = 1.15;
const FAR_BELOW: f64 = 0.85;

/// After a refusal nothing goes for this part of a window, times their number in a row. Tuned.
const REST_PARTS: u64 = 25;

/// An amount counts as tested if this much of it is used. Tuned.
const TESTED: f64 = 0.9;

/// Where the limit varies, the rate grows by this part of it in each of so many parts of a window. Tuned.
const REGROWS: f64 = 1.04;
const REGROWS_PARTS: u64 = 6;

/// So much may go at once as goes within this time. A guess: a timer is 1 ms late.
const TIMER: u64 = 10_000_000;

/// What a timer is late is caught up, up to so much, so that it does not add up. A guess.
const LATE: u64 = 5_000_000;

/// More than this part of the amount in its window is not what the pace let in. A guess.
const OVERSPENT: f64 = 1.05;

/// So many groups are remembered at most before the idle ones are forgotten. A guess.
const GROUPS: usize = 1_000;

/// So many in every window, evenly: an even pace is safe however the upstream counts (docs/upstream.md §6).
#[derive(Clone, Debug)]
pub(in crate::estimate) struct Rate {
    /// How many in a window, and the window.
    amount: f64,
    per: u64,
    /// What has held.
    safe: f64,
    /// The configured rate, which ends the limit.
    most: f64,
    mode: Mode,
    hold_until: u64,
    probing: bool,
    probe_began: u64,
    accepted: u32,
    per_probe: u32,
    groups: HashMap<u64, Group>,
    made_at: u64,
    all_rest_until: u64,
    tested: bool,
    /// How often in a row it became less, and when it last did.
    falls: u32,
    fell_at: u64,
    /// What the evidence said at first, and whether any rate has held for a window since.
    first: f64,
    has_held: bool,
}

/// Requests that count together.
#[derive(Clone, Copy, Debug, Default)]
struct Group {
    /// When the next may go, as far as that is known.
    next: Option<u64>,
    /// Nothing goes before.
    rest_until: u64,
    /// When one was last refused, and how often in a row.
    refused_at: u64,
    streak: u32,
}

/// What is known of the limit beside its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// It is lower than configured.
    Lower,
    /// What there is of it is not always the same.
    Varying,
    /// It is as configured, and spent evenly.
    Even,
}

impl Rate {
    pub(in crate::estimate) fn new(at: u64, amount: u32, per: u64, most: Option<f64>) -> Self {
        let amount = f64::from(amount.max(1));
        Self {
            amount,
            per,
            safe: amount,
            most: most.unwrap_or(f64::MAX).max(1.0),
            mode: Mode::Lower,
            hold_until: at + per,
            probing: false,
            probe_began: at,
            accepted: 0,
            per_probe: PER_PROBE,
            groups: HashMap::new(),
            made_at: at,
            all_rest_until: 0,
            tested: false,
            falls: 0,
            fell_at: 0,
            first: amount,
            has_held: false,
        }
    }

    /// The configured rate, without bursts.
    pub(in crate::estimate) fn even(at: u64, amount: u32, per: u64) -> Self {
        Self { mode: Mode::Even, ..Self::new(at, amount, per, Some(f64::from(amount))) }
    }

    /// Nothing goes before.
    pub(in crate::estimate) fn resting(mut self, until: u64) -> Self {
        self.all_rest_until = until;
        self
    }

    pub(in crate::estimate) fn holds(&self) -> f64 {
        self.safe
    }

    pub(in crate::estimate) fn per(&self) -> u64 {
        self.per
    }

    pub(in crate::estimate) fn set_varies(&mut self, varies: bool) {
        if self.mode != Mode::Even {
            self.mode = if varies { Mode::Varying } else { Mode::Lower };
        }
    }

    /// More had been accepted than it seemed at first.
    pub(in crate::estimate) fn raise(&mut self, amount: u32) {
        if !self.has_held && self.mode == Mode::Lower && self.falls == 0 && f64::from(amount) > self.first {
            self.first = f64::from(amount).min(self.most);
            (self.amount, self.safe) = (self.first, self.first);
        }
    }

    /// It is known to be no more than this, in its own window.
    pub(in crate::estimate) fn at_most(mut self, amount: f64) -> Self {
        self.amount = self.amount.min(amount);
        self.safe = self.amount;
        self
    }

    pub(in crate::estimate) fn check(&mut self, at: u64, group: u64, wait: impl FnOnce() -> u64) -> Gate {
        let ahead = self.burst();
        let group = self.groups.entry(group).or_default();
        let next = (*group.next.get_or_insert_with(|| at + wait())).max(group.rest_until).max(self.all_rest_until);
        if next > at + ahead { Gate::Until(next - ahead) } else { Gate::Open }
    }

    /// Nothing of this group goes before.
    pub(in crate::estimate) fn stay_away(&mut self, group: u64, until: u64) {
        let group = self.groups.entry(group).or_default();
        group.rest_until = group.rest_until.max(until);
    }

    pub(in crate::estimate) fn sent(&mut self, at: u64, group: u64) {
        let (interval, burst, per) = (self.interval(), self.burst(), self.per);
        let group = self.groups.entry(group).or_default();
        let next = group.next.unwrap_or(at).max(group.rest_until);
        // A challenge goes before its time, and is no debt.
        let is_early = next > at + burst;
        group.next =
            Some(if is_early { next.max(at + interval) } else { next.max(at.saturating_sub(LATE)) + interval });
        if self.groups.len() > GROUPS {
            self.groups.retain(|_, group| group.next.is_some_and(|next| next + per > at));
        }
    }

    /// One was accepted that was sent beside so many in its window; whether the limit is gone.
    pub(in crate::estimate) fn accepted(&mut self, at: u64, sent_at: u64, group: u64, used: u32) -> bool {
        if let Some(group) = self.groups.get_mut(&group) {
            if sent_at < group.refused_at.max(self.made_at) {
                return false;
            }
            group.streak = 0;
        }
        self.accepted += 1;
        self.tested |= f64::from(used) + 1.0 >= self.amount * TESTED;
        if self.mode == Mode::Varying {
            if at >= self.probe_began + self.per / REGROWS_PARTS {
                self.probe_began = at;
                self.grow(REGROWS);
                self.safe = self.amount;
            }
            return false;
        }
        self.has_held |= self.tested && at >= self.hold_until;
        if self.amount >= self.most {
            return self.mode != Mode::Even && self.tested && at > self.probe_began.max(self.hold_until) + 2 * self.per;
        }
        if self.probing {
            if self.tested && at > self.probe_began + self.per + self.per / 4 {
                self.safe = self.amount;
                self.per_probe = PER_PROBE;
                self.probe(at, NEXT_STEP);
            }
        } else if at >= self.hold_until && self.amount < self.first * FAR_BELOW {
            self.grow(COMES_BACK);
            self.safe = self.amount;
            self.hold_until = at + self.per;
        } else if at >= self.hold_until && self.accepted >= self.per_probe {
            self.probe(at, FIRST_STEP);
        }
        false
    }

    fn probe(&mut self, at: u64, step: f64) {
        (self.probing, self.probe_began, self.tested) = (true, at, false);
        self.grow(step);
    }

    /// One was refused that was sent beside so many in its window.
    pub(in crate::estimate) fn refused(&mut self, at: u64, sent_at: u64, name: u64, used: u32, is_challenge: bool) {
        let made_at = self.made_at;
        let group = self.groups.entry(name).or_default();
        let before = group.refused_at.max(made_at);
        if sent_at < before {
            return;
        }
        let is_early = sent_at < before + self.per / 2;
        let rest = self.per / REST_PARTS * (1 << group.streak.min(4));
        group.rest_until = group.rest_until.max(at + rest);
        // After challenges there is more in the window than a pace would let in: that decides when the next may go.
        if f64::from(used) > self.amount * OVERSPENT + 1.0 {
            group.next = None;
        }
        (group.refused_at, group.streak) = (at, group.streak + 1);
        let streak = group.streak;
        self.tested = false;
        self.hold_until = at + self.per;
        if is_challenge {
            return;
        }
        if self.mode == Mode::Varying {
            (self.probing, self.accepted, self.probe_began) = (false, 0, at);
            self.amount = (f64::from(used) * LESS).clamp(1.0, self.amount);
            self.safe = self.amount;
        } else if self.probing {
            (self.probing, self.accepted, self.amount) = (false, 0, self.safe);
            self.per_probe = (self.per_probe * 2).min(PER_PROBE_AT_MOST);
        } else if !is_early || streak > 3 {
            // What does not hold for a window was far too much.
            self.falls = if at < self.fell_at + self.per { (self.falls + 1).min(MOST_FALLS) } else { 0 };
            self.fell_at = at;
            let less = if self.has_held { LESS } else { LESS_AT_FIRST };
            self.amount = (self.amount * less.powi(1 << self.falls)).max(0.2);
            self.safe = self.amount;
            self.accepted = 0;
        }
    }

    fn grow(&mut self, by: f64) {
        self.amount = (self.amount * by).max(self.amount + 0.2).min(self.most);
    }

    fn interval(&self) -> u64 {
        let interval = (self.per as f64 / self.amount) as u64;
        interval.max(1)
    }

    /// How early one may go.
    fn burst(&self) -> u64 {
        TIMER.saturating_sub(self.interval())
    }
}
