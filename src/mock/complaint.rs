use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::limits::Denied;

/// An error as OpenAI says it.
#[derive(Debug)]
pub(super) struct Complaint {
    status: StatusCode,
    message: String,
    kind: &'static str,
    code: Option<&'static str>,
    retry_after_s: Option<u64>,
}

impl Complaint {
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message, "invalid_request_error", None)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message, "invalid_request_error", None)
    }

    pub(super) fn no_model(model: &str) -> Self {
        let message = format!("The model `{model}` does not exist or you do not have access to it.");
        Self::new(StatusCode::NOT_FOUND, message, "invalid_request_error", Some("model_not_found"))
    }

    /// The 429 of a limit on the requests of a model, or of a type.
    pub(super) fn over_limit(denied: &Denied, model: &str, says_when: bool) -> Self {
        let again_in = denied.again_in.as_secs_f64();
        let limit = denied.limit.amount();
        let (message, kind) = if denied.by_model {
            let message = format!(
                "Rate limit reached for {model} in organization org-mock on requests per min (RPM): Limit {limit}, \
                 Used {limit}, Requested 1. Please try again in {again_in:.3}s."
            );
            (message, "requests")
        } else if says_when {
            (format!("You've exceeded the rate limit, please try again after {again_in:.3} seconds."), REQUEST_TYPE)
        } else {
            ("You've exceeded the rate limit, please slow down and try again later.".to_owned(), REQUEST_TYPE)
        };
        let refusal = Self::new(StatusCode::TOO_MANY_REQUESTS, message, kind, Some("rate_limit_exceeded"));
        Self { retry_after_s: says_when.then(|| denied.again_in.as_secs() + 1), ..refusal }
    }

    pub(super) fn new(
        status: StatusCode,
        message: impl Into<String>,
        kind: &'static str,
        code: Option<&'static str>,
    ) -> Self {
        Self { status, message: message.into(), kind, code, retry_after_s: None }
    }
}

/// What the limits on types of requests call their refusals.
const REQUEST_TYPE: &str = "invalid_request_error";

impl IntoResponse for Complaint {
    fn into_response(self) -> Response {
        let error = json!({ "message": self.message, "type": self.kind, "param": null, "code": self.code });
        let body = Json(json!({ "error": error }));
        match self.retry_after_s {
            Some(seconds) => (self.status, [("retry-after", seconds.to_string())], body).into_response(),
            None => (self.status, body).into_response(),
        }
    }
}
