use std::time::Duration;

use serde_json::{Map, Value};

use super::limit_headers::until_refilled;
use super::response_clock::ResponseClock;
use super::{HeaderLookup, time};

/// In what a field of a body or a header says how long to stay away.
#[derive(Clone, Copy)]
enum WaitUnit {
    /// As [`time::until`] reads it: seconds, a span, or a moment.
    Span,
    Millis,
}
use WaitUnit::{Millis, Span};

/// The headers that say how long to stay away. The last is Discord's, and that of servers made after it.
const HEADERS: [(&str, WaitUnit); 3] =
    [("retry-after-ms", Millis), ("retry-after", Span), ("x-ratelimit-reset-after", Span)];

/// The fields of a body that say so, wherever they are: Discord and LiteLLM; OpenRouter; Google's `RetryInfo` and
/// `ErrorInfo`; ChatGPT's plans (docs/upstream.md §7).
const FIELDS: [(&str, WaitUnit); 8] = [
    ("retry_after", Span),
    ("retry_after_ms", Millis),
    ("retry_after_seconds", Span),
    ("retryDelay", Span),
    ("quotaResetDelay", Span),
    ("quotaResetTimeStamp", Span),
    ("resets_in_seconds", Span),
    ("resets_at", Span),
];

/// How deep fields are looked for: OpenRouter's are three deep, below an array it is four. A guess beyond that.
const DEEPEST: usize = 6;

/// How long to stay away by the headers that are there to say so: the longest of them.
pub(super) fn by_headers(headers: &dyn HeaderLookup, clock: &ResponseClock<'_>) -> Option<Duration> {
    HEADERS.iter().filter_map(|&(name, unit)| unit.read(headers.text(name)?, clock)).max()
}

/// How long to stay away by the fields of a body: the longest of them.
pub(super) fn by_fields(body: &Value, clock: &ResponseClock<'_>) -> Option<Duration> {
    within(body, clock, DEEPEST)
}

fn within(value: &Value, clock: &ResponseClock<'_>, deep: usize) -> Option<Duration> {
    let deeper = deep.checked_sub(1)?;
    match value {
        Value::Array(values) => values.iter().filter_map(|value| within(value, clock, deeper)).max(),
        Value::Object(fields) => fields.iter().filter_map(|(name, value)| field(name, value, clock, deeper)).max(),
        _ => None,
    }
}

fn field(name: &str, value: &Value, clock: &ResponseClock<'_>, deeper: usize) -> Option<Duration> {
    let known = FIELDS.iter().find(|(known, _)| *known == name);
    match (known, value) {
        (Some((_, unit)), Value::String(text)) => unit.read(text, clock),
        (Some((_, unit)), Value::Number(number)) => unit.read(&number.to_string(), clock),
        // OpenRouter repeats the headers, which a server in between may have taken out.
        (_, Value::Object(headers)) if name == "headers" => {
            let headers = RepeatedHeaders(headers);
            by_headers(&headers, clock).or_else(|| until_refilled(&headers, clock, None))
        }
        _ => within(value, clock, deeper),
    }
}

impl WaitUnit {
    fn read(self, text: &str, clock: &ResponseClock<'_>) -> Option<Duration> {
        match self {
            Span => time::until(text, clock),
            Millis => time::millis(text),
        }
    }
}

/// Headers that a body repeats.
struct RepeatedHeaders<'b>(&'b Map<String, Value>);

impl HeaderLookup for RepeatedHeaders<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?.1.as_str()
    }
}
