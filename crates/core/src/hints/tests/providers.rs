//! Refusals as providers write them, one row for each provider and shape.

use std::time::Duration;

use super::understood;
use crate::hints::RefusalCause::{self, Billing, Limit, Overload, TooLarge};

#[derive(Clone, Copy)]
struct Shape {
    provider: &'static str,
    /// Where it was seen, and when.
    source: &'static str,
    status: u16,
    head: &'static str,
    body: &'static str,
    cause: RefusalCause,
    /// How many milliseconds it asks to wait.
    wait: Option<u64>,
}

const CASES: &str = "public bug reports, collected 2026-11-30";

/// A refusal with 429, where nothing else is said.
const fn shape(
    provider: &'static str,
    source: &'static str,
    body: &'static str,
    cause: RefusalCause,
    wait: u64,
) -> Shape {
    let wait = if wait == 0 { None } else { Some(wait) };
    Shape { provider, source, status: 429, head: "", body, cause, wait }
}

const fn headed(shape: Shape, head: &'static str) -> Shape {
    Shape { head, ..shape }
}

const fn with_status(shape: Shape, status: u16) -> Shape {
    Shape { status, ..shape }
}

/// What OpenAI-shaped bodies without a word more are.
const SHORT: &str = r#"{"error": {"message": "Too many requests, please try again later."}}"#;

#[rustfmt::skip]
const SHAPES: [Shape; 47] = [
    shape("OpenAI", "docs/upstream.md §4.1", r#"{"error": {"message": "Rate limit reached for gpt-4o in organization org-x on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 20s.", "type": "requests", "param": null, "code": "rate_limit_exceeded"}}"#, Limit, 20_000),
    shape("OpenAI, in an event", CASES, "event: error\ndata: {\"error\":{\"message\":\"Please try again in 4s.\",\"type\":\"requests\",\"code\":\"rate_limit_exceeded\"}}\n\n", Limit, 4_000),
    shape("OpenAI, in an event after another", "like the one before", "event: ping\ndata: {\"type\": \"ping\"}\n\ndata: {\"error\":{\"message\":\"\",\"type\":\"insufficient_quota\"}}\n\n", Limit, 0),
    shape("OpenAI, behind a byte order mark", CASES, "\u{feff}{\"error\": {\"message\": \"Please try again in 4s.\", \"type\": \"requests\", \"code\": \"rate_limit_exceeded\"}}", Limit, 4_000),
    shape("ChatGPT's plans", "earendil-works/pi 4172, 2026-05-04", r#"{"type":"error","error":{"type":"usage_limit_reached","message":"The usage limit has been reached","plan_type":"plus","resets_at":1795572000,"eligible_promo":null,"resets_in_seconds":7200}}"#, Limit, 7_200_000),
    shape("Azure", CASES, r#"{"error": {"code": "429", "message": "Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-10-21 have exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry after 4 seconds. Please go here: https://aka.ms/oai/quotaincrease"}}"#, Limit, 4_000),
    shape("Azure AI Foundry", CASES, r#"{"error": {"code": "RateLimitReached", "message": "Your requests to gpt-4o for gpt-4o in East US have exceeded the call rate limit for your current AIServices S0 pricing tier. Please retry after 4 seconds."}}"#, Limit, 4_000),
    headed(shape("Azure, with milliseconds", "docs/upstream.md §7", SHORT, Limit, 1_234), "retry-after: 1\nretry-after-ms: 1234"),
    shape("Google, per minute", CASES, r#"{"error": {"code": 429, "message": "You exceeded your current quota, please check your plan and billing details. * Quota exceeded for metric: generate_content_free_tier_requests, limit: 10\nPlease retry in 4.4546s.", "status": "RESOURCE_EXHAUSTED", "details": [{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}]}, {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "4s"}]}}"#, Limit, 4_454),
    shape("Google, in an array", "litellm 25507", r#"[{"error": {"code": 429, "message": "Resource exhausted. Please try again later.", "status": "RESOURCE_EXHAUSTED", "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "4s"}]}}]"#, Limit, 4_000),
    shape("Google, per day, with a wait that cannot be meant", "google-gemini/gemini-cli 8437, 2025-09-14", r#"[{"error": {"code": 429, "message": "You exceeded your current quota, please check your plan and billing details.", "status": "RESOURCE_EXHAUSTED", "details": [{"violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}, {"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "quotaValue": "250"}]}, {"retryDelay": "13s"}]}}]"#, Limit, 0),
    shape("Google, per day", CASES, r#"[{"error": {"code": 429, "message": "You exceeded your current quota.", "status": "RESOURCE_EXHAUSTED", "details": [{"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}, {"retryDelay": "39600s"}]}}]"#, Limit, 39_600_000),
    shape("Google, a model that the tier does not have", "continuedev/continue 9570, 2026-01-16", r#"{"error":{"message":"{\n  \"error\": {\n    \"code\": 429,\n    \"message\": \"You exceeded your current quota. \\n* Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 0, model: gemini-3-pro\\nPlease retry in 45.578569677s.\",\n    \"status\": \"RESOURCE_EXHAUSTED\"}}"}}"#, Billing, 45_578),
    shape("Google, the same in fields", "like the one before", r#"{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": [{"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "quotaValue": "0"}]}]}}"#, Billing, 0),
    shape("Google, without a quota", "google-gemini/gemini-cli 27665, 2026-06-07", r#"[{"error": {"code": 429, "message": "Resource has been exhausted (e.g. check quota).", "errors": [{"message": "Resource has been exhausted (e.g. check quota).", "domain": "global", "reason": "rateLimitExceeded"}], "status": "RESOURCE_EXHAUSTED"}}]"#, Limit, 0),
    shape("Google, no capacity", "a guess from gemini-cli's sources", r#"{"error": {"code": 429, "message": "No capacity available for model gemini-3-pro on the server", "status": "RESOURCE_EXHAUSTED", "details": [{"reason": "MODEL_CAPACITY_EXHAUSTED"}]}}"#, Overload, 0),
    with_status(shape("Google, overloaded", "ai.google.dev/gemini-api/docs/troubleshooting", r#"{"error": {"code": 503, "message": "The model is overloaded. Please try again later.", "status": "UNAVAILABLE"}}"#, Overload, 0), 503),
    headed(shape("Anthropic", "stackblitz/bolt.new 8588, 2025-04-01", r#"{"type": "error", "error": {"type": "rate_limit_error", "message": "This request would exceed the rate limit for your organization (x) of 20,000 input tokens per minute. Please reduce the prompt length or the maximum tokens requested, or try again later."}}"#, Limit, 4_000), "retry-after: 4"),
    headed(shape("Anthropic, by its reset", CASES, r#"{"type": "error", "error": {"type": "rate_limit_error", "message": "This request would exceed your account's rate limit. Please try again later."}}"#, Limit, 4_000), "anthropic-ratelimit-requests-limit: 5\nanthropic-ratelimit-requests-remaining: 0\nanthropic-ratelimit-requests-reset: 2026-11-25T00:00:04Z"),
    shape("Anthropic, spend limit", CASES, r#"{"type": "error", "error": {"type": "rate_limit_error", "message": "You have reached your limits.", "details": {"error_code": "enforced_spend_limit_reached"}}}"#, Billing, 0),
    shape("Anthropic, spend limit in words", CASES, r#"{"type": "error", "error": {"type": "rate_limit_error", "message": "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."}}"#, Billing, 0),
    with_status(shape("Anthropic, overloaded", "docs.claude.com/en/api/errors", r#"{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}"#, Overload, 0), 529),
    with_status(shape("Anthropic, overloaded, from its edge", "like the one before", "<html><body>overloaded</body></html>", Overload, 0), 529),
    headed(shape("OpenRouter, per minute", CASES, r#"{"error": {"message": "Rate limit exceeded: free-models-per-min. ", "code": 429, "metadata": {"provider_name": null}}}"#, Limit, 4_000), "x-ratelimit-limit: 20\nx-ratelimit-remaining: 0\nx-ratelimit-reset: 1795564804000"),
    shape("OpenRouter, behind a server that drops headers", CASES, r#"{"error": {"message": "Rate limit exceeded: free-models-per-min. ", "code": 429, "metadata": {"headers": {"X-RateLimit-Limit": "20", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1795564804000"}}}}"#, Limit, 4_000),
    shape("OpenRouter, its provider", "open-webui/computer 293, 2026-09-20", r#"{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"z-ai/glm is temporarily rate-limited upstream. Please retry shortly, or add your own key to accumulate your rate limits: ...","provider_name":"BaseTen","limit_source":"upstream_provider_shared_pool"}}}"#, Overload, 0),
    shape("OpenRouter, its provider's limit", "digiogithub/pando 8, 2026-08-17", r#"{"error":{"message":"Provider returned error","code":429,"metadata":{"error_type":"rate_limit_exceeded","raw":"{\"error\":{\"message\":\"Please try again in 4s.\"}}"}}}"#, Limit, 4_000),
    headed(shape("Groq", CASES, r#"{"error": {"message": "Rate limit reached for model `llama-3.3-70b-versatile` in organization `org_x` service tier `on_demand` on tokens per minute (TPM): Limit 12000, Used 11800, Requested 1200. Please try again in 5s. Need more tokens?", "type": "tokens", "code": "rate_limit_exceeded"}}"#, Limit, 5_000), "retry-after: 4"),
    shape("Groq, too large", CASES, r#"{"error": {"message": "Request too large for model `llama` in organization `org_x` service tier `on_demand` on tokens per minute (TPM): Limit 6000, Requested 7000, please reduce your message size and try again.", "type": "tokens", "code": "rate_limit_exceeded"}}"#, TooLarge, 0),
    shape("Mistral", CASES, r#"{"object": "error", "message": "Requests rate limit exceeded", "type": "rate_limited", "param": null, "code": "1300"}"#, Limit, 0),
    shape("Mistral, no capacity", "a guess from reports", r#"{"object":"error","message":"Service tier capacity exceeded for this model.","type":"service_tier_capacity_exceeded","param":null,"code":"3505"}"#, Overload, 0),
    shape("Moonshot", "LLM-Red-Team/kimi-cc 16, 2025-07-14", r#"{"error":{"message":"Your account org-x<ak-x> request reached organization max RPM: 3, please try again after 1 seconds","type":"rate_limit_reached_error"}}"#, Limit, 1_000),
    shape("Moonshot, no money", "MoonshotAI/Kimi-K2 5, 2025-07-12", r#"{"error":{"message":"Your account is not active","type":"exceeded_current_quota_error"}}"#, Billing, 0),
    shape("Moonshot, busy", "MoonshotAI/kimi-code 1252, 2026-07-01", r#"{"error":{"type":"rate_limit_error","message":"The engine is currently overloaded, please try again later"},"type":"error"}"#, Overload, 0),
    shape("Z.AI, no money", "zai-org/GLM-5 148, 2026-09-11", r#"{"error":{"code":"1113","message":"Insufficient balance or no resource package. Please recharge."}}"#, Billing, 0),
    shape("Z.AI, no money, to clients of Anthropic", "anthropics/claude-code 9201, 2025-10-09", r#"{"type":"error","error":{"type":"1113","message":"余额不足或无可用资源包,请充值。"}}"#, Billing, 0),
    shape("Alibaba", "QwenLM/Qwen 2254, 2026-06-03", r#"{"error":{"message":"Allocated quota exceeded, please increase your quota limit.","code":"insufficient_quota"}}"#, Limit, 0),
    shape("GitHub Models", "a guess from reports", r#"{"error":{"code":"RateLimitReached","message":"Rate limit of 10 per 60s exceeded for UserByModelByMinute. Please wait 7 seconds before retrying."}}"#, Limit, 7_000),
    shape("FastAPI", CASES, r#"{"detail": "Rate limit exceeded: try again in 4 seconds"}"#, Limit, 4_000),
    shape("FastAPI, an object", "like the one before", r#"{"detail": {"message": "Slow down", "retry_after": 4.5}}"#, Limit, 4_500),
    shape("slowapi", CASES, r#"{"error": "Rate limit exceeded, please try again in 4s"}"#, Limit, 4_000),
    headed(shape("Discord", CASES, r#"{"message": "You are being rate limited.", "retry_after": 4.0, "global": false}"#, Limit, 4_000), "x-ratelimit-reset-after: 4.0\nx-ratelimit-remaining: 0\nx-ratelimit-limit: 5\nx-ratelimit-reset: 1795564804.000"),
    headed(shape("Hugging Face", CASES, r#"{"error": "Too Many Requests"}"#, Limit, 4_000), "ratelimit: \"api\";r=0;t=4\nratelimit-policy: \"fixed window\";\"api\";q=500;w=300"),
    headed(shape("express-rate-limit", CASES, SHORT, Limit, 4_000), "ratelimit-limit: 20\nratelimit-remaining: 0\nratelimit-reset: 4"),
    headed(shape("Together", CASES, r#"{"error": {"message": "You have reached the rate limit", "type": "model_rate_limit", "param": null, "code": null}}"#, Limit, 4_000), "x-ratelimit-limit: 1\nx-ratelimit-remaining: 0\nx-ratelimit-reset: 4\nretry-after: 4"),
    headed(shape("Cloudflare", CASES, "<!DOCTYPE html><html><title>Error 1015</title>You are being rate limited, see your billing details</html>", Limit, 4_000), "content-type: text/html\nretry-after: 4"),
    shape("plain text", CASES, "Too many requests, retry after 4 seconds", Limit, 4_000),
];

#[test]
fn refusals_of_all_providers_are_understood() {
    for Shape { provider, source, status, head, body, cause, wait } in SHAPES {
        let pushback = understood(status, head, body).unwrap_or_else(|| panic!("{provider} ({source}) is no refusal"));
        let found = pushback.retry_after.map(|wait| wait.as_millis());
        assert_eq!((pushback.cause, found), (cause, wait.map(u128::from)), "{provider} ({source})");
    }
}

/// Whose limit it is, in which unit and window, and how high, as the same shapes say it.
#[test]
fn limits_of_all_providers_are_read() {
    let minute = Duration::from_mins(1);
    let day = Duration::from_hours(24);
    let expected = [
        ("Azure", Some(("tokens", minute, None)), None),
        ("Google, per minute", Some(("requests", minute, None)), None),
        ("Google, per day, with a wait that cannot be meant", Some(("requests", day, Some(250))), None),
        ("Anthropic", Some(("tokens", minute, Some(20_000))), None),
        ("OpenRouter, per minute", Some(("requests", minute, None)), None),
        ("Groq", Some(("tokens", minute, Some(12_000))), Some("llama-3.3-70b-versatile")),
        ("Moonshot", Some(("requests", minute, Some(3))), None),
        ("GitHub Models", Some(("requests", minute, Some(10))), None),
        ("Mistral", None, None),
        ("plain text", None, None),
    ];
    for (provider, figures, family) in expected {
        let shape = SHAPES.iter().find(|shape| shape.provider == provider).expect("a row");
        let pushback = understood(shape.status, shape.head, shape.body).expect("a refusal");
        let unit = |unit| if unit == crate::limit::Unit::Tokens { "tokens" } else { "requests" };
        let found = pushback.figures.map(|figures| (unit(figures.unit), figures.per, figures.limit));
        assert_eq!((found, pushback.family.as_deref()), (figures, family), "{provider}");
    }
}

#[test]
fn google_names_the_model_of_a_quota() {
    let body = r#"{"error": {"status": "RESOURCE_EXHAUSTED", "details": [{"violations": [{"quotaId": "GenerateContentInputTokensPerModelPerMinute-FreeTier", "quotaDimensions": {"model": "gemini-2.5-flash"}, "quotaValue": "250000"}]}]}}"#;
    let pushback = understood(429, "", body).expect("a refusal");
    assert_eq!(pushback.family.as_deref(), Some("gemini-2.5-flash"));
    let figures = pushback.figures.expect("a quota");
    assert_eq!((figures.unit, figures.limit), (crate::limit::Unit::Tokens, Some(250_000)));
}

#[test]
fn plain_text_503_may_have_been_executed() {
    for body in ["The engine is currently overloaded", "<html>overloaded</html>", "event: error\ndata: {}\n\n"] {
        assert_eq!(understood(503, "x-should-retry: true", body), None, "{body}");
    }
}
