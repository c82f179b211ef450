use std::time::Duration;

use super::limit_reading::LimitReading;
use super::response_clock::ResponseClock;
use super::time::{self, DAY, MINUTE, MONTH, SECOND};
use super::{Allowance, HeaderLookup, ratelimit_fields, window};
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
    /// By this header, in the manner of the IETF; without it, as the reset says.
    Policy(&'static str),
}

/// The figures of one limit.
struct LimitLevel {
    limit: u64,
    remaining: Option<u64>,
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

/// OpenAI's, which Azure and Groq send too; OpenRouter's; Mistral's, whose size is tokens; those of the IETF's drafts
/// up to 06, as express-rate-limit sends them; Anthropic's, whose output tokens are left out, as it is the sum that is
/// counted here (docs/upstream.md §3 and §7).
const LIMIT_HEADERS: [LimitHeaders; 11] = [
    limit_headers!(Requests, "x-ratelimit-", "-requests", REQUEST_RENEWAL),
    limit_headers!(Tokens, "x-ratelimit-", "-tokens", TOKEN_RENEWAL),
    limit_headers!(Tokens, "x-ratelimit-", "-project-tokens", TOKEN_RENEWAL),
    limit_headers!(Requests, "x-ratelimit-", "", WindowRule::EndsAtReset),
    limit_headers!(Tokens, "ratelimitbysize-", "", WindowRule::Is(MINUTE)),
    limit_headers!(Tokens, "x-ratelimitbysize-", "-minute", WindowRule::Is(MINUTE)),
    limit_headers!(Tokens, "x-ratelimitbysize-", "-month", WindowRule::Is(MONTH)),
    limit_headers!(Requests, "ratelimit-", "", WindowRule::Policy("ratelimit-policy")),
    anthropic!(Requests, "requests"),
    anthropic!(Tokens, "tokens"),
    anthropic!(Tokens, "input-tokens"),
];

/// How the names of all of them begin.
const BEGINNINGS: [&str; 3] = ["x-ratelimit", "ratelimit", "anthropic-ratelimit-"];

/// Whether there may be anything that says something of limits.
pub(super) fn are_in(headers: &dyn HeaderLookup) -> bool {
    BEGINNINGS.iter().any(|beginning| headers.begin(beginning))
}

/// Everything that the headers of an answer say of limits.
pub(super) fn readings(headers: &dyn HeaderLookup, clock: &ResponseClock<'_>) -> impl Iterator<Item = LimitReading> {
    let told = BEGINNINGS.map(|beginning| headers.begin(beginning).then_some(beginning));
    let is_told = move |limit: &LimitHeaders| told.iter().flatten().any(|beginning| limit.limit.starts_with(beginning));
    let fields = told[1].map(|_| ratelimit_fields::readings(headers));
    let rows =
        LIMIT_HEADERS.iter().filter(move |limit| is_told(limit)).filter_map(move |limit| limit.read(headers, clock));
    rows.chain(fields.into_iter().flatten())
}

/// How long it is until the used up limits of this unit, or of any, are as if unused.
///
/// That is longer than has to be waited, so it is for refusals that say nothing else.
pub(super) fn until_refilled(
    headers: &dyn HeaderLookup,
    clock: &ResponseClock<'_>,
    unit: Option<Unit>,
) -> Option<Duration> {
    let in_question = |reading: &LimitReading| unit.is_none_or(|unit| reading.allowance.unit == unit);
    let readings = readings(headers, clock).filter(in_question);
    let resets = readings.filter(|reading| reading.allowance.remaining == Some(0)).filter_map(|reading| reading.reset);
    resets.chain(ratelimit_fields::until_refilled(headers)).max()
}

impl LimitHeaders {
    fn read(&self, headers: &dyn HeaderLookup, clock: &ResponseClock<'_>) -> Option<LimitReading> {
        let level = self.level(headers, clock)?;
        let per = self.window(headers, &level).unwrap_or(MINUTE);
        let LimitLevel { limit, remaining, reset } = level;
        Some(LimitReading { allowance: Allowance { unit: self.unit, limit, per, remaining }, reset })
    }

    /// Where a figure is negative or no number, or the limit zero, nothing is said (Azure).
    fn level(&self, headers: &dyn HeaderLookup, clock: &ResponseClock<'_>) -> Option<LimitLevel> {
        let limit = amount(headers.text(self.limit)?).filter(|limit| *limit > 0)?;
        let remaining = match headers.text(self.remaining) {
            Some(text) => Some(count(text)?),
            None => None,
        };
        Some(LimitLevel { limit, remaining, reset: headers.text(self.reset).and_then(|text| time::until(text, clock)) })
    }

    fn window(&self, headers: &dyn HeaderLookup, level: &LimitLevel) -> Option<Duration> {
        match self.window {
            WindowRule::Is(per) => Some(per),
            WindowRule::EndsAtReset => level.reset.map(window::ending_in),
            WindowRule::Policy(name) => {
                let policy = headers.text(name).and_then(|policy| ratelimit_fields::window_of(policy, level.limit));
                policy.or_else(|| level.reset.map(window::ending_in))
            }
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

/// A limit may be followed by its policies: `100, 100;w=60` (IETF draft 03 §3.1).
fn amount(text: &str) -> Option<u64> {
    count(text.split([',', ';']).next()?)
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
