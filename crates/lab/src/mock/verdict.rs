use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};

use super::arrival::Arrival;
use super::budget::Standing;
use super::cap::{Exhausted, Left, Measure};
use super::complaint::Complaint;
use super::refusals::Refusal;
use super::span::Span;

/// What becomes of a request.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) denied: Option<Denied>,
    /// How long the answer takes.
    pub(super) latency: Duration,
    /// How the limits of its model stand.
    pub(super) standing: Standing,
}

/// Why a request is not let in.
#[derive(Debug, PartialEq)]
pub(super) enum Denied {
    /// There is nothing any more where it goes.
    Gone,
    /// The stand-in was told to refuse it.
    Told(Refusal),
    /// A limit is exhausted, of this model where it is a model's.
    Over(String, Exhausted),
}

impl Denied {
    /// The reason; what is gone is no refusal.
    pub(super) fn kind(&self) -> Option<Refusal> {
        match self {
            Self::Gone => None,
            Self::Told(refusal) => Some(*refusal),
            Self::Over(_, exhausted) if exhausted.is_too_large() => Some(Refusal::TooLarge),
            Self::Over(_, exhausted) => Some(match exhausted.measure {
                Measure::OfType => Refusal::RequestType,
                Measure::Requests => Refusal::RequestsPerMinute,
                Measure::RequestsADay => Refusal::RequestsPerDay,
                Measure::Tokens => Refusal::TokensPerMinute,
            }),
        }
    }

    pub(super) fn answer(&self, arrival: &Arrival, says_when: bool) -> Response {
        match self {
            Self::Gone => Complaint::no_url(&arrival.head.method, &arrival.head.uri).into_response(),
            Self::Told(refusal) => refusal.answer(arrival.model().unwrap_or("gpt-mock")),
            Self::Over(_, exhausted) if exhausted.measure == Measure::OfType => {
                Complaint::over_type(exhausted.again_in, says_when).into_response()
            }
            Self::Over(model, exhausted) => Complaint::over_model(model, exhausted, says_when).into_response(),
        }
    }
}

impl Standing {
    /// As `x-ratelimit-*`.
    pub(super) fn write(self, headers: &mut HeaderMap) {
        for (left, counts) in [(self.requests, "requests"), (self.tokens, "tokens")] {
            let Some(Left { limit, remaining, reset }) = left else { continue };
            let fields = [
                ("limit", limit.to_string()),
                ("remaining", remaining.to_string()),
                ("reset", Span(reset).to_string()),
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
