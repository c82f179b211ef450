use std::time::Duration;

use axum::Json;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::go_duration::GoDuration;
use super::measure::OverLimit;

/// An error response in OpenAI's shape.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    message: String,
    kind: &'static str,
    code: Option<&'static str>,
    retry_after_s: Option<u64>,
}

impl ApiError {
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message, "invalid_request_error", None)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message, "invalid_request_error", None)
    }

    pub(super) fn no_url(method: &Method, uri: &Uri) -> Self {
        Self::not_found(format!("Invalid URL ({method} {})", uri.path()))
    }

    pub(super) fn no_model(model: &str) -> Self {
        let message = format!("The model `{model}` does not exist or you do not have access to it.");
        Self::new(StatusCode::NOT_FOUND, message, "invalid_request_error", Some("model_not_found"))
    }

    /// The 429 of a limit on requests of a type.
    pub(super) fn over_type(again_in: Duration, says_when: bool) -> Self {
        let again_s = again_in.as_secs_f64();
        let message = if says_when {
            format!("You've exceeded the rate limit, please try again after {again_s:.3} seconds.")
        } else {
            "You've exceeded the rate limit, please slow down and try again later.".to_owned()
        };
        let refusal = Self::new(StatusCode::TOO_MANY_REQUESTS, message, "invalid_request_error", LIMITED);
        if says_when { refusal.after(again_in) } else { refusal }
    }

    /// The 429 of a limit on a model, or on a family of models.
    pub(super) fn over_model(model: &str, exhausted: &OverLimit, says_when: bool) -> Self {
        let OverLimit { measure, limit, used, requested, again_in } = *exhausted;
        let whose = format!("for {model} in organization org-mock on {}", measure.words());
        let kind = measure.counts();
        if exhausted.is_too_large() {
            let message = format!(
                "Request too large {whose}: Limit {limit}, Requested {requested}. The input or output tokens must be \
                 reduced in order to run successfully."
            );
            return Self::new(StatusCode::TOO_MANY_REQUESTS, message, kind, LIMITED);
        }
        let message = format!(
            "Rate limit reached {whose}: Limit {limit}, Used {used}, Requested {requested}. Please try again in {}.",
            GoDuration(again_in)
        );
        let refusal = Self::new(StatusCode::TOO_MANY_REQUESTS, message, kind, LIMITED);
        if says_when { refusal.after(again_in) } else { refusal }
    }

    fn after(self, again_in: Duration) -> Self {
        Self { retry_after_s: Some(again_in.as_secs() + 1), ..self }
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

/// The code of a request over a limit.
const LIMITED: Option<&str> = Some("rate_limit_exceeded");

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let error = json!({ "message": self.message, "type": self.kind, "param": null, "code": self.code });
        let body = Json(json!({ "error": error }));
        match self.retry_after_s {
            Some(seconds) => (self.status, [("retry-after", seconds.to_string())], body).into_response(),
            None => (self.status, body).into_response(),
        }
    }
}
