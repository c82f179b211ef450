use std::time::Duration;

use super::time::{self, DAY, MINUTE, MONTH, SECOND};
use super::{Allowance, HeaderLookup, window};
use crate::limit::Unit;

/// The headers in which an upstream tells of one limit.
struct LimitHeaders {
    unit: Unit,
    limit: &'static str,
    remaining: &'static str,
    reset: &'static str,
    window: WindowRule,
}

/// How to know the window.
enum WindowRule {
    Is(Duration),
    /// By this header, in seconds; without it, by how long the bucket takes to refill.
    Renewal(&'static str),
    EndsAtReset,
}

/// The figures of one limit.
struct LimitLevel {
    limit: u64,
    remaining: Option<u64>,
    reset: Option<Duration>,
}

/// What the headers say of one limit, and how long it is until nothing of it is used.
pub(super) struct LimitReading {
    pub(super) allowance: Allowance,
    reset: Option<Duration>,
}

macro_rules! limit_headers {
    ($unit:ident, $before:literal, $after:literal, $window:expr) => {
        LimitHeaders {
            unit: Unit::$unit,
            limit: concat!($before, "limit", $after),
            remaining: concat!($before, "remaining", $after),
            reset: concat!($before, "reset", $after),
            window: $window,
        }
    };
}

macro_rules! anthropic {
    ($unit:ident, $counted:literal) => {
        LimitHeaders {
            unit: Unit::$unit,
            limit: concat!("anthropic-ratelimit-", $counted, "-limit"),
            remaining: concat!("anthropic-ratelimit-", $counted, "-remaining"),
            reset: concat!("anthropic-ratelimit-", $counted, "-reset"),
            window: WindowRule::Is(MINUTE),
        }
    };
}

const REQUEST_RENEWAL: WindowRule = WindowRule::Renewal("x-ratelimit-renewalperiod-requests");
const TOKEN_RENEWAL: WindowRule = WindowRule::Renewal("x-ratelimit-renewalperiod-tokens");

/// OpenAI's, which Azure and Groq send too; OpenRouter's; Mistral's, whose size is tokens; Anthropic's, whose
/// output tokens are left out, as it is the sum that is counted here (docs/upstream.md §3 and §7).
const LIMIT_HEADERS: [LimitHeaders; 10] = [
    limit_headers!(Requests, "x-ratelimit-", "-requests", REQUEST_RENEWAL),
    limit_headers!(Tokens, "x-ratelimit-", "-tokens", TOKEN_RENEWAL),
    limit_headers!(Tokens, "x-ratelimit-", "-project-tokens", TOKEN_RENEWAL),
    limit_headers!(Requests, "x-ratelimit-", "", WindowRule::EndsAtReset),
    limit_headers!(Tokens, "ratelimitbysize-", "", WindowRule::Is(MINUTE)),
    limit_headers!(Tokens, "x-ratelimitbysize-", "-minute", WindowRule::Is(MINUTE)),
    limit_headers!(Tokens, "x-ratelimitbysize-", "-month", WindowRule::Is(MONTH)),
    anthropic!(Requests, "requests"),
    anthropic!(Tokens, "tokens"),
    anthropic!(Tokens, "input-tokens"),
];

/// How the names of all of them begin.
const BEGINNINGS: [&str; 3] = ["x-ratelimit", "ratelimitbysize-", "anthropic-ratelimit-"];

/// Everything that the headers of an answer say of limits.
pub(super) fn readings(headers: &dyn HeaderLookup, now: Duration) -> impl Iterator<Item = LimitReading> {
    let told = BEGINNINGS.map(|beginning| headers.begin(beginning).then_some(beginning));
    let is_told =
        move |source: &&LimitHeaders| told.iter().flatten().any(|beginning| source.limit.starts_with(beginning));
    LIMIT_HEADERS.iter().filter(is_told).filter_map(move |source| source.read(headers, now))
}

/// How long it is until the used up limits of this unit, or of any, are as if unused.
///
/// That is longer than has to be waited, so it is for refusals that say nothing else.
pub(super) fn until_refilled(headers: &dyn HeaderLookup, now: Duration, unit: Option<Unit>) -> Option<Duration> {
    let in_question = |reading: &LimitReading| unit.is_none_or(|unit| reading.allowance.unit == unit);
    let readings = readings(headers, now).filter(in_question);
    readings.filter(|reading| reading.allowance.remaining == Some(0)).filter_map(|reading| reading.reset).max()
}

impl LimitHeaders {
    fn read(&self, headers: &dyn HeaderLookup, now: Duration) -> Option<LimitReading> {
        let level = self.level(headers, now)?;
        let per = self.window(headers, &level).unwrap_or(MINUTE);
        let LimitLevel { limit, remaining, reset } = level;
        Some(LimitReading { allowance: Allowance { unit: self.unit, limit, per, remaining }, reset })
    }

    /// Where a figure is negative or no number, or the limit zero, nothing is said (Azure).
    fn level(&self, headers: &dyn HeaderLookup, now: Duration) -> Option<LimitLevel> {
        let limit = count(headers.text(self.limit)?).filter(|limit| *limit > 0)?;
        let remaining = match headers.text(self.remaining) {
            Some(text) => Some(count(text)?),
            None => None,
        };
        Some(LimitLevel { limit, remaining, reset: headers.text(self.reset).and_then(|text| time::until(text, now)) })
    }

    fn window(&self, headers: &dyn HeaderLookup, level: &LimitLevel) -> Option<Duration> {
        match self.window {
            WindowRule::Is(per) => Some(per),
            WindowRule::EndsAtReset => level.reset.map(window::ending_in),
            WindowRule::Renewal(_) if self.is_groqs_requests(headers) => Some(DAY),
            WindowRule::Renewal(name) => {
                renewal(headers, name).or_else(|| window::refilling(level.limit, level.remaining?, level.reset?))
            }
        }
    }

    /// Groq counts requests per day, and tokens per minute (docs/upstream.md §7).
    fn is_groqs_requests(&self, headers: &dyn HeaderLookup) -> bool {
        self.unit == Unit::Requests && headers.text("x-groq-region").is_some()
    }
}

fn renewal(headers: &dyn HeaderLookup, name: &str) -> Option<Duration> {
    let seconds = count(headers.text(name)?).filter(|seconds| (1..=MONTH.as_secs()).contains(seconds))?;
    Some(SECOND * u32::try_from(seconds).ok()?)
}

fn count(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_header_begins_in_a_known_way() {
        for source in LIMIT_HEADERS {
            assert!(BEGINNINGS.iter().any(|beginning| source.limit.starts_with(beginning)), "{}", source.limit);
        }
    }
}
