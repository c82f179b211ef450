use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::hints::{HeaderLookup, Meanings, UpstreamResponse, UsageReader, allowances, classify_refusal};

/// Says the next of its values for every name.
struct Anything(Vec<String>, std::cell::Cell<usize>);

impl HeaderLookup for Anything {
    fn text(&self, _: &str) -> Option<&str> {
        self.1.set(self.1.get() + 1);
        Some(&self.0[self.1.get() % self.0.len()])
    }
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| number.to_string()),
        "[0-9]{0,40}(\\.[0-9]{0,40})?(ns|us|µs|ms|s|m|h)?([0-9.]{0,4}(ms|s|m|h))?",
        "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z",
    ]
}

fn message() -> impl Strategy<Value = String> {
    let words = [
        "Rate limit reached for ",
        "Request too large for ",
        " in organization ",
        " on ",
        "tokens per ",
        "min",
        "Limit ",
        "Used",
        "try again in ",
        "retry after ",
        "(for limit ",
        ")",
        " per ",
        "`",
        "é",
        "İ",
    ];
    let part = prop_oneof![prop::sample::select(words.to_vec()).prop_map(str::to_owned), value()];
    vec(part, 0..20).prop_map(|parts| parts.concat())
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let error = (any::<Option<String>>(), any::<Option<String>>(), message())
        .prop_map(|(code, kind, message)| serde_json::json!({"code": code, "type": kind, "message": message}))
        .boxed();
    prop_oneof![
        vec(any::<u8>(), 0..500),
        error.clone().prop_map(|error| serde_json::json!({ "error": error }).to_string().into_bytes()),
        error.prop_map(|error| format!("data: {}\n\n", serde_json::json!({ "error": error })).into_bytes()),
    ]
}

proptest! {
    #[test]
    fn nothing_that_an_upstream_answers_breaks_anything(
        values in vec(value(), 1..9),
        body in body(),
        is_busy: bool,
        seconds: u64,
    ) {
        let headers = Anything(values, std::cell::Cell::new(0));
        let (status, now) = (if is_busy { 503 } else { 429 }, Duration::from_secs(seconds));
        let pushback = classify_refusal(&UpstreamResponse { status, headers: &headers, body: &body, now }, &Meanings::default());
        prop_assert!(is_busy || pushback.is_some());
        let longest = Duration::from_hours(31 * 24);
        prop_assert!(pushback.and_then(|pushback| pushback.retry_after).is_none_or(|wait| wait <= longest));
        for allowance in allowances(&headers, now) {
            prop_assert!(allowance.limit > 0 && !allowance.per.is_zero());
        }
        UsageReader::default().push(&body);
    }
}
