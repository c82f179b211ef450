//! Single values of a scenario. Problems are collected, with a harmless value in place of each invalid one.

use std::ops::Range;
use std::time::Duration;

use toml::Value;

use super::file::{SpannedText, TimesEntry};
use crate::limit::Rate;
use crate::meter::{Counting, Rule};
use crate::problem::Problem;
use crate::route::{Priority, Template};
use crate::simulate::pattern::Pattern;
use crate::simulate::spread::{LONGEST, Spread};

/// The problems so far.
#[derive(Default)]
pub(super) struct Problems(pub(super) Vec<Problem>);

const A_TIME: &str = "write a time, as in \"300ms\", \"2s\" or \"1h 30m\"";
const TIMES: &str = "write a time, as in \"300ms\"; or [\"100ms\", \"500ms\"] for any between; or { mean = \"300ms\" }; or \
                     { p50 = \"300ms\", p95 = \"2s\" }";

impl Problems {
    pub(super) fn note(&mut self, what: impl Into<String>, at: Range<usize>, label: impl Into<String>, mend: &str) {
        self.0.push(Problem::new(what, at, label, mend));
    }

    pub(super) fn time(&mut self, text: &SpannedText) -> Duration {
        let time = humantime::parse_duration(text.get_ref()).unwrap_or_else(|error| {
            self.note("no time", text.span(), error.to_string(), A_TIME);
            Duration::from_secs(1)
        });
        self.bounded(time, text.span())
    }

    fn bounded(&mut self, time: Duration, at: Range<usize>) -> Duration {
        if time > LONGEST {
            self.note("too long a time", at, "longer than a year", "write a year at most, as in \"1y\"");
        }
        time.min(LONGEST)
    }

    /// A time above 0.
    pub(super) fn some_time(&mut self, text: &SpannedText) -> Duration {
        let time = self.time(text);
        if time.is_zero() {
            self.note("no time at all", text.span(), "must be above zero", A_TIME);
        }
        time
    }

    pub(super) fn rate(&mut self, text: &SpannedText) -> Rate {
        let rate: Rate = text.get_ref().parse().unwrap_or_else(|error: crate::limit::ParseRateError| {
            self.note("no rate", text.span(), error.to_string(), "write a rate, as in \"5/s\" or \"300/min\"");
            Rate::new(std::num::NonZeroU32::MIN, Duration::from_secs(1)).expect("a second is some time")
        });
        self.bounded(rate.per(), text.span());
        rate
    }

    pub(super) fn priority(&mut self, text: &SpannedText) -> Priority {
        text.get_ref().parse().unwrap_or_else(|_| {
            self.note("no priority", text.span(), "unknown", "write \"high\", \"normal\" or \"low\"");
            Priority::default()
        })
    }

    /// A method and a target.
    pub(super) fn request(&mut self, text: &SpannedText) -> (String, Pattern) {
        const MEND: &str = "write a method and a path, as in \"POST /v1/threads/{thread}/runs\"; {thread} is another in each \
                            request, {thread:5} one of five";
        let (method, path) = text.get_ref().split_once(' ').unwrap_or(("", text.get_ref()));
        let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
        let parsed = if is_method { Pattern::parse(path.trim()) } else { Err("it begins with no method") };
        let pattern = parsed.unwrap_or_else(|wrong| {
            self.note("no request", text.span(), wrong, MEND);
            Pattern::literal("/")
        });
        (method.to_owned(), pattern)
    }

    pub(super) fn template(&mut self, text: &SpannedText) -> Option<Template> {
        let parsed: Result<Template, _> = text.get_ref().parse();
        let mend = "write it as the match of a route, as in \"POST /v1/threads/{*rest}\"";
        parsed.map_err(|error| self.note("no match", text.span(), error.to_string(), mend)).ok()
    }

    pub(super) fn rule(&mut self, text: &SpannedText) -> Option<Rule> {
        let parsed: Result<Rule, _> = text.get_ref().parse();
        let mend = "write it as `tidegate mock --rule` takes it, as in \"* /{*path} = 10 in flight\"";
        parsed.map_err(|error| self.note("no rule", text.span(), error.to_string(), mend)).ok()
    }

    pub(super) fn window(&mut self, text: &SpannedText) -> Counting {
        text.get_ref().parse().unwrap_or_else(|_| {
            let mend = "write \"fixed\", \"fixed-clock\", \"sliding\", \"counter\" or \"bucket\"";
            self.note("no way to count", text.span(), "unknown", mend);
            Counting::Fixed
        })
    }

    /// The text of a JSON body.
    pub(super) fn body(&mut self, text: &SpannedText) -> String {
        if serde_json::from_str::<serde::de::IgnoredAny>(text.get_ref()).is_err() {
            self.note("a body that is no JSON", text.span(), "", "write JSON, as in '{\"file_ids\": [\"a\", \"b\"]}'");
        }
        text.get_ref().clone()
    }

    pub(super) fn spread(&mut self, times: &TimesEntry) -> Spread {
        let spread = spread(times.get_ref()).unwrap_or_else(|| {
            self.note("no time, and none to choose from", times.span(), "", TIMES);
            Spread::Fixed(Duration::from_secs(1))
        });
        self.bounded(spread.longest(), times.span());
        spread
    }
}

fn spread(value: &Value) -> Option<Spread> {
    let time = |value: &Value| humantime::parse_duration(value.as_str()?).ok();
    match value {
        Value::String(_) => time(value).map(Spread::Fixed),
        Value::Array(values) => match &values[..] {
            [least, most] => Some(Spread::Between(time(least)?, time(most)?)).filter(in_order),
            _ => None,
        },
        Value::Table(table) => match (table.get("mean"), table.get("p50"), table.get("p95"), table.len()) {
            (Some(mean), None, None, 1) => time(mean).map(Spread::Mean),
            (None, Some(p50), Some(p95), 2) => {
                Some(Spread::Quantiles { p50: time(p50)?, p95: time(p95)? }).filter(in_order)
            }
            _ => None,
        },
        _ => None,
    }
}

/// Whether the first is at most the second and, where it is a divisor, above 0.
fn in_order(spread: &Spread) -> bool {
    match *spread {
        Spread::Between(least, most) => least <= most,
        Spread::Quantiles { p50, p95 } => !p50.is_zero() && p50 <= p95,
        Spread::Fixed(_) | Spread::Mean(_) => true,
    }
}
