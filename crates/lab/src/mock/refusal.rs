use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use clap::ValueEnum;
use serde::Serialize;

use super::api_error::ApiError;

/// A reason to refuse other than the mock's own limits, with OpenAI's wording (docs/upstream.md §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum MockRefusal {
    /// The model's requests per minute are used up.
    RequestsPerMinute,
    /// The model's requests per day are used up.
    RequestsPerDay,
    /// The model's tokens per minute are used up.
    TokensPerMinute,
    /// The request has more tokens than a minute admits.
    TooLarge,
    /// The limit on requests of this type, which the message does not name.
    RequestType,
    /// The rate has grown too fast: `slow_down`.
    SlowDown,
    /// No credit.
    InsufficientQuota,
    /// The prepaid balance is used up.
    CreditBalance,
    /// The organization's own spend limit.
    OrganizationSpendLimit,
    /// The project's own spend limit.
    ProjectSpendLimit,
    /// The organization's limit on usage.
    OrganizationUsageLimit,
    /// Overload: a 503.
    Overloaded,
    /// The model is overloaded: a 429.
    EngineOverloaded,
    /// Flex processing without capacity.
    Flex,
    /// Azure's wording, with the code `"429"`.
    Azure,
    /// HTML, from a proxy before the API.
    Html,
    /// The key is not valid: a 401.
    InvalidApiKey,
    /// The key may not do this: a 403.
    Forbidden,
    /// A defect of the server: a 500.
    ServerError,
}

impl MockRefusal {
    /// The response, which names the model where OpenAI's does.
    pub(super) fn answer(self, model: &str) -> Response {
        let text = self.message(model);
        if self == Self::Html {
            return (StatusCode::TOO_MANY_REQUESTS, Html(text)).into_response();
        }
        let (status, kind, code) = self.labels();
        ApiError::new(status, text, kind, code).into_response()
    }

    fn labels(self) -> (StatusCode, &'static str, Option<&'static str>) {
        let (many, busy) = (StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE);
        let limited = Some("rate_limit_exceeded");
        match self {
            Self::RequestsPerMinute | Self::RequestsPerDay => (many, "requests", limited),
            Self::TokensPerMinute | Self::TooLarge => (many, "tokens", limited),
            Self::RequestType => (many, "invalid_request_error", limited),
            Self::SlowDown => (many, "rate_limit_error", Some("slow_down")),
            Self::InsufficientQuota => (many, "insufficient_quota", Some("insufficient_quota")),
            Self::CreditBalance => (many, "insufficient_quota", Some("credit_balance_exhausted")),
            Self::OrganizationSpendLimit => (many, "insufficient_quota", Some("organization_spend_limit_exceeded")),
            Self::ProjectSpendLimit => (many, "insufficient_quota", Some("project_spend_limit_exceeded")),
            Self::OrganizationUsageLimit => (many, "insufficient_quota", Some("organization_usage_limit_exceeded")),
            Self::Overloaded => (busy, "service_unavailable_error", Some("server_is_overloaded")),
            Self::EngineOverloaded => (many, "server_error", None),
            Self::Flex => (many, "rate_limit_error", Some("resource_unavailable")),
            Self::Azure | Self::Html => (many, "rate_limit_error", Some("429")),
            Self::InvalidApiKey => (StatusCode::UNAUTHORIZED, "invalid_request_error", Some("invalid_api_key")),
            Self::Forbidden => {
                (StatusCode::FORBIDDEN, "request_forbidden", Some("unsupported_country_region_territory"))
            }
            Self::ServerError => (StatusCode::INTERNAL_SERVER_ERROR, "server_error", None),
        }
    }

    fn message(self, model: &str) -> String {
        let reached = format!("Rate limit reached for {model} in organization org-mock on");
        let billing = "Please check your plan and billing details.";
        match self {
            Self::RequestsPerMinute => {
                format!("{reached} requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 20s.")
            }
            Self::RequestsPerDay => {
                format!(
                    "{reached} requests per day (RPD): Limit 200, Used 200, Requested 1. Please try again in 7m12s."
                )
            }
            Self::TokensPerMinute => format!(
                "{reached} tokens per min (TPM): Limit 30000, Used 28039, Requested 3906. Please try again in 3.89s."
            ),
            Self::TooLarge => format!(
                "Request too large for {model} in organization org-mock on tokens per min (TPM): Limit 30000, Requested \
                 30062. The input or output tokens must be reduced in order to run successfully."
            ),
            Self::RequestType => "You've exceeded the rate limit, please slow down and try again later.".to_owned(),
            Self::SlowDown => "Your request rate has grown too fast. Please slow down.".to_owned(),
            Self::InsufficientQuota => format!("You exceeded your current quota. {billing}"),
            Self::CreditBalance => format!("Your credit balance is exhausted. {billing}"),
            Self::OrganizationSpendLimit => format!("Your organization has reached its spend limit. {billing}"),
            Self::ProjectSpendLimit => format!("Your project has reached its spend limit. {billing}"),
            Self::OrganizationUsageLimit => format!("Your organization has reached its usage limit. {billing}"),
            Self::Overloaded => "The server is overloaded. Please try again later.".to_owned(),
            Self::EngineOverloaded => "The engine is currently overloaded, please try again later.".to_owned(),
            Self::Flex => "Resource Unavailable".to_owned(),
            Self::Azure => "Requests have exceeded the rate limit. Please retry after 37 seconds.".to_owned(),
            Self::InvalidApiKey => "Incorrect API key provided.".to_owned(),
            Self::Forbidden => "Country, region, or territory not supported".to_owned(),
            Self::ServerError => "The server had an error while processing your request.".to_owned(),
            Self::Html => "<html><head><title>429 Too Many Requests</title></head></html>".to_owned(),
        }
    }
}
