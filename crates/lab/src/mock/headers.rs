use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::go_duration::GoDuration;
use super::measure::RateLimitStatus;

/// The state of a model's limits, as `x-ratelimit-*` headers state it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct RateLimitHeaders {
    pub(super) requests: Option<RateLimitStatus>,
    pub(super) tokens: Option<RateLimitStatus>,
}

impl RateLimitHeaders {
    /// Adds the headers `x-ratelimit-*`.
    pub(super) fn write(self, headers: &mut HeaderMap) {
        for (left, counts) in [(self.requests, "requests"), (self.tokens, "tokens")] {
            let Some(RateLimitStatus { limit, remaining, reset }) = left else { continue };
            let fields = [
                ("limit", limit.to_string()),
                ("remaining", remaining.to_string()),
                ("reset", GoDuration(reset).to_string()),
            ];
            for (field, value) in fields {
                let name = HeaderName::try_from(format!("x-ratelimit-{field}-{counts}"));
                if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
                    headers.insert(name, value);
                }
            }
        }
    }
}
