use std::time::Duration;

use axum::response::{IntoResponse, Response};

use super::api_error::ApiError;
use super::arrival::ArrivedRequest;
use super::headers::RateLimitHeaders;
use super::measure::{Measure, OverLimit};
use super::refusal::MockRefusal;
use crate::meter::Counted;

/// What happens to a request.
#[derive(Debug, Default)]
pub(super) struct MockDecision {
    pub(super) denied: Option<Denial>,
    /// The time until the response.
    pub(super) latency: Duration,
    /// The state of its model's limits.
    pub(super) headers: RateLimitHeaders,
    /// The rules by which it counts, until its response has ended.
    pub(super) counted: Counted,
}

/// Why a request is not admitted.
#[derive(Debug, PartialEq)]
pub(super) enum Denial {
    /// Its endpoint is gone.
    Gone,
    /// The faults say to refuse it.
    Fault(MockRefusal),
    /// A rule has no room for it, for so long.
    ByRule(Option<Duration>),
    /// A limit is used up. The text names the model in the refusal.
    OverLimit(String, OverLimit),
}

impl Denial {
    /// The reason; `None` for an endpoint that is gone, which is no refusal.
    pub(super) fn kind(&self) -> Option<MockRefusal> {
        match self {
            Self::Gone => None,
            Self::Fault(refusal) => Some(*refusal),
            Self::ByRule(_) => Some(MockRefusal::RequestType),
            Self::OverLimit(_, exhausted) if exhausted.is_too_large() => Some(MockRefusal::TooLarge),
            Self::OverLimit(_, exhausted) => Some(match exhausted.measure {
                Measure::OfType => MockRefusal::RequestType,
                Measure::Requests => MockRefusal::RequestsPerMinute,
                Measure::RequestsADay => MockRefusal::RequestsPerDay,
                Measure::Tokens => MockRefusal::TokensPerMinute,
            }),
        }
    }

    pub(super) fn answer(&self, arrival: &ArrivedRequest, says_when: bool) -> Response {
        match self {
            Self::Gone => ApiError::no_url(&arrival.head.method, &arrival.head.uri).into_response(),
            Self::Fault(refusal) => refusal.answer(arrival.model().unwrap_or("gpt-mock")),
            Self::ByRule(again_in) => {
                ApiError::over_type(again_in.unwrap_or_default(), says_when && again_in.is_some()).into_response()
            }
            Self::OverLimit(_, exhausted) if exhausted.measure == Measure::OfType => {
                ApiError::over_type(exhausted.again_in, says_when).into_response()
            }
            Self::OverLimit(model, exhausted) => ApiError::over_model(model, exhausted, says_when).into_response(),
        }
    }
}
