//! What the upstream says itself, in refusals and other answers: where it speaks, nothing is guessed.

use std::time::Duration;

use super::verdict::{LimitCase, LimitFigure, LimitUnit};

/// A refusal, as far as its words are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct RefusalSaid {
    /// What it says that it is.
    pub kind: SaidKind,
    /// The limit that it names, of which so much was used.
    pub limit: Option<(LimitFigure, Option<u64>)>,
    /// How long to stay away.
    pub retry_after: Option<Duration>,
}

/// What a refusal says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SaidKind {
    /// A limit, or nothing at all.
    #[default]
    Limit,
    /// The upstream has too much to do.
    Overload,
    /// The rate has grown too fast.
    Ramp,
    /// A person must act: quota, credit, a spend limit.
    Billing,
}

/// An answer that is neither an acceptance nor a refusal by a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There was no answer: DNS, connect, TLS, a proxy.
    Unreachable,
    /// There is nothing at this path any more.
    Gone,
    /// The upstream answered with this status, for example 401.
    Status(u16),
}

/// Limits of longer windows are not paced, unless they name a wait that is short: they refill evenly
/// (docs/upstream.md §7).
const LONGEST: Duration = Duration::from_hours(1);

/// How often in a row something must fail before it is a case. A guess: one 404 is a wrong id.
const OFTEN: u32 = 5;

/// How often it must have too much to do. A guess: an overload can pass by itself, a rate that grew too fast does not.
const OVERLOADS: u32 = 2;

/// Somebody else uses the limit if the upstream counts more than this many times what was sent from here. A guess.
const FOREIGN: u64 = 2;

/// For how many windows words count. A guess.
const WINDOWS: u64 = 10;

/// What was said of one pool instance.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    billing: u32,
    accepted_since: u32,
    overloads: u32,
    ramps: u32,
    told: Option<(LimitFigure, Option<u64>)>,
    foreign: u32,
    said_at: u64,
    /// Failures of one kind in a row.
    failing: Option<Failure>,
    failures: u32,
    /// Nothing goes before.
    pub(super) not_before: u64,
    backed_off_at: u64,
    backoffs: u32,
}

/// The first time that nothing goes after an overload, and how often it doubles. Guesses: the SDKs begin with 500 ms
/// (docs/upstream.md §5.2).
const BACKOFF: Duration = Duration::from_millis(500);
const DOUBLINGS: u32 = 5;

impl Words {
    /// A refusal of what was sent at `sent_at`, when so many were in the window.
    pub(super) fn refused(&mut self, at: u64, sent_at: u64, said: &RefusalSaid, used: u16) {
        self.said_at = at;
        self.answered();
        match said.kind {
            SaidKind::Billing => {
                self.billing += 1;
                self.accepted_since = 0;
            }
            SaidKind::Overload | SaidKind::Ramp => {
                let count = if said.kind == SaidKind::Ramp { &mut self.ramps } else { &mut self.overloads };
                *count += 1;
                if sent_at >= self.backed_off_at {
                    let wait = BACKOFF * 2_u32.pow(self.backoffs.min(DOUBLINGS));
                    self.not_before = self.not_before.max(at + super::traffic::nanos(wait));
                    (self.backed_off_at, self.backoffs) = (at, self.backoffs + 1);
                }
            }
            SaidKind::Limit => {}
        }
        if let Some((figure, counted)) = said.limit {
            self.told = Some((figure, counted));
            let is_foreign = counted.is_some_and(|counted| u64::from(used.max(1)) * FOREIGN < counted);
            self.foreign = if is_foreign { self.foreign + 1 } else { 0 };
        }
        let is_long = said.limit.is_some_and(|(figure, _)| figure.window.is_some_and(|window| window > LONGEST));
        let wait = said.retry_after.filter(|_| said.kind != SaidKind::Billing);
        if let Some(wait) = wait.filter(|wait| !is_long || *wait <= LONGEST) {
            self.not_before = self.not_before.max(at + super::traffic::nanos(wait.min(LONGEST)));
        }
    }

    pub(super) fn accepted(&mut self) {
        self.accepted_since += 1;
        self.answered();
        if self.accepted_since > self.billing {
            self.billing = 0;
        }
    }

    pub(super) fn failed(&mut self, failure: Failure) {
        self.failures = if self.failing == Some(failure) { self.failures + 1 } else { 1 };
        self.failing = Some(failure);
    }

    /// An answer came that is no failure.
    fn answered(&mut self) {
        (self.failing, self.failures) = (None, 0);
    }

    /// The case that needs no guess; the configured figure is in a window of `per`.
    pub(super) fn case(
        &self,
        at: u64,
        configured: Option<u32>,
        per: Duration,
    ) -> Option<(LimitCase, Option<LimitFigure>)> {
        if let Some(failing) = self.failing.filter(|_| self.failures >= OFTEN) {
            let case = match failing {
                Failure::Unreachable => LimitCase::Unreachable,
                Failure::Gone => LimitCase::Gone,
                Failure::Status(_) => LimitCase::Rejected,
            };
            return Some((case, None));
        }
        if self.billing > 0 {
            return Some((LimitCase::Billing, None));
        }
        if at > self.said_at + super::traffic::nanos(per).saturating_mul(WINDOWS) {
            return None;
        }
        if self.overloads >= OVERLOADS || self.ramps > 0 {
            return Some((LimitCase::Throttled, None));
        }
        let (figure, _) = self.told?;
        if self.foreign > 1 {
            return Some((LimitCase::Shared, Some(figure)));
        }
        let is_same = figure.window == Some(per) && figure.counts == LimitUnit::Requests;
        let configured = configured.filter(|_| is_same);
        match configured {
            Some(amount) if figure.max < amount => Some((LimitCase::LowerLimit, Some(figure))),
            Some(amount) if figure.max > amount => Some((LimitCase::ConfiguredTooLow, Some(figure))),
            _ => Some((LimitCase::OwnLimit, Some(figure))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn figure(max: u32, window: Duration) -> LimitFigure {
        LimitFigure { max, window: Some(window), counts: LimitUnit::Requests }
    }

    fn refused(said: RefusalSaid, times: u32) -> Words {
        let mut words = Words::default();
        (0..times).for_each(|time| words.refused(u64::from(time), u64::from(time), &said, 10));
        words
    }

    fn case(words: &Words) -> Option<LimitCase> {
        words.case(10, Some(300), MINUTE).map(|(case, _)| case)
    }

    #[test]
    fn billing_ends_when_more_is_accepted() {
        let mut words = refused(RefusalSaid { kind: SaidKind::Billing, ..RefusalSaid::default() }, 2);
        assert_eq!(case(&words), Some(LimitCase::Billing));
        (0..3).for_each(|_| words.accepted());
        assert_eq!(case(&words), None);
    }

    #[test]
    fn overload_needs_two_refusals_and_ramp_one() {
        let said = |kind| RefusalSaid { kind, ..RefusalSaid::default() };
        assert_eq!(case(&refused(said(SaidKind::Overload), 1)), None);
        assert_eq!(case(&refused(said(SaidKind::Overload), 2)), Some(LimitCase::Throttled));
        assert_eq!(case(&refused(said(SaidKind::Ramp), 1)), Some(LimitCase::Throttled));
    }

    #[test]
    fn named_limit_is_compared_with_configured_one() {
        let said = |max, window| RefusalSaid { limit: Some((figure(max, window), None)), ..RefusalSaid::default() };
        assert_eq!(case(&refused(said(200, MINUTE), 1)), Some(LimitCase::LowerLimit));
        assert_eq!(case(&refused(said(500, MINUTE), 1)), Some(LimitCase::ConfiguredTooLow));
        assert_eq!(case(&refused(said(10_000, MINUTE * 1_440), 1)), Some(LimitCase::OwnLimit));
    }

    #[test]
    fn day_that_refills_is_waited_for_and_long_wait_is_not() {
        let day = Some((figure(10_000, MINUTE * 1_440), Some(10_000)));
        let said = |wait| RefusalSaid { limit: day, retry_after: Some(wait), ..RefusalSaid::default() };
        assert_eq!(refused(said(Duration::from_millis(8_640)), 1).not_before, 8_640_000_000);
        assert_eq!(refused(said(Duration::from_hours(14)), 1).not_before, 0);
    }

    #[test]
    fn failures_in_a_row_are_a_case_until_an_answer() {
        for (failure, expected) in [
            (Failure::Unreachable, LimitCase::Unreachable),
            (Failure::Status(401), LimitCase::Rejected),
            (Failure::Gone, LimitCase::Gone),
        ] {
            let mut words = Words::default();
            (0..4).for_each(|_| words.failed(failure));
            assert_eq!(case(&words), None);
            words.failed(failure);
            assert_eq!(case(&words), Some(expected));
            words.accepted();
            assert_eq!(case(&words), None);
        }
    }
}
