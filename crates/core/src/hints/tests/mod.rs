//! What is read in the upstream's answers, and that nothing they say breaks anything.

mod allowances;
mod arbitrary;
mod broken;
mod codings;
mod dates;
mod gone;
mod hints;
mod providers;
mod refusals;
mod streamed;
mod usage;

use std::borrow::Cow;
use std::time::Duration;

use super::{HeaderLookup, Meanings, Pushback, UpstreamResponse, classify_refusal};

/// 2026-11-25 00:00:00 UTC.
const NOW: Duration = Duration::from_hours(498_768);

impl HeaderLookup for Vec<(&str, &str)> {
    fn text(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|&(_, value)| value)
    }

    fn list(&self, name: &str) -> Option<Cow<'_, str>> {
        let lines: Vec<&str> = self.iter().filter(|(known, _)| *known == name).map(|&(_, value)| value).collect();
        (!lines.is_empty()).then(|| lines.join(", ").into())
    }
}

/// The headers of a text: a name and a value a line.
fn headers(text: &str) -> Vec<(&str, &str)> {
    text.lines().filter_map(|line| line.trim().split_once(": ")).collect()
}

fn understood(status: u16, head: &str, body: impl AsRef<[u8]>) -> Option<Pushback> {
    let answer = UpstreamResponse { status, headers: &headers(head), body: body.as_ref(), now: NOW };
    classify_refusal(&answer, &Meanings::default())
}

/// The body of a refusal, as OpenAI writes it; what is empty is null.
fn body(kind: &str, code: &str, message: &str) -> String {
    let named = |name: &str| if name.is_empty() { serde_json::Value::Null } else { name.into() };
    let error = serde_json::json!({"message": message, "type": named(kind), "param": null, "code": named(code)});
    serde_json::json!({ "error": error }).to_string()
}
