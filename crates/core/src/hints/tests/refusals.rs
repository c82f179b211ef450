use std::time::Duration;

use super::{NOW, body, headers, understood};
use crate::hints::RefusalCause::{self, Billing, Limit, Overload, Ramp, TooLarge};
use crate::hints::{LimitFigures, Meanings, UpstreamResponse, classify_refusal};
use crate::limit::Unit;

const RPM: &str = "Rate limit reached for gpt-4o-mini in organization org-x on requests per min (RPM): Limit 3, Used 3, \
                   Requested 1. Please try again in 20s.";
const TPM: &str = "Rate limit reached for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Used 28039, \
                   Requested 3906. Please try again in 3.89s. Visit https://platform.openai.com/account/rate-limits.";
const RPD: &str = "Rate limit reached for gpt-4o in organization org-x on requests per day (RPD): Limit 200, Used 200, \
                   Requested 1. Please try again in 7m12s.";
const TOO_LARGE: &str = "Request too large for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Requested \
                         30062. The input or output tokens must be reduced in order to run successfully.";
const SLOW_DOWN: &str = "You've exceeded the rate limit, please slow down and try again later.";
const SECONDS: &str = "You've exceeded the rate limit, please slow down and try again after 6.937 seconds.";
const INACTIVE: &str = "Your account is not active, please check your billing details on our website.";
const NO_CREDIT: &str = "You exceeded your current quota, please check your plan and billing details.";
const OVERLOADED: &str = "The engine is currently overloaded, please try again later";
const AZURE: &str =
    "Requests to the API have exceeded call rate limit of your pricing tier. Please retry after 37 seconds.";

/// Status, type, code and message; what it means, and how many milliseconds it asks to wait.
type Expectation = (u16, &'static str, &'static str, &'static str, Option<(RefusalCause, Option<u64>)>);

#[rustfmt::skip]
const TABLE: [Expectation; 31] = [
    (429, "requests",                  "rate_limit_exceeded",               RPM,                    Some((Limit, Some(20_000)))),
    (429, "tokens",                    "rate_limit_exceeded",               TPM,                    Some((Limit, Some(3_890)))),
    (429, "requests",                  "rate_limit_exceeded",               RPD,                    Some((Limit, Some(432_000)))),
    (429, "tokens",                    "rate_limit_exceeded",               TOO_LARGE,              Some((TooLarge, None))),
    (429, "tokens",                    "",                                  TOO_LARGE,              Some((TooLarge, None))),
    (429, "invalid_request_error",     "rate_limit_exceeded",               SLOW_DOWN,              Some((Limit, None))),
    (429, "invalid_request_error",     "rate_limit_exceeded",               SECONDS,                Some((Limit, Some(6_937)))),
    (429, "rate_limit_error",          "slow_down",                         SLOW_DOWN,              Some((Ramp, None))),
    (503, "service_unavailable_error", "slow_down",                         SLOW_DOWN,              Some((Ramp, None))),
    (429, "billing_not_active",        "billing_not_active",                INACTIVE,               Some((Billing, None))),
    (429, "billing_not_active",        "",                                  INACTIVE,               Some((Billing, None))),
    (429, "insufficient_quota",        "credit_balance_exhausted",          NO_CREDIT,              Some((Billing, None))),
    (429, "insufficient_quota",        "organization_spend_limit_exceeded", "",                     Some((Billing, None))),
    (429, "insufficient_quota",        "project_spend_limit_exceeded",      "",                     Some((Billing, None))),
    (429, "insufficient_quota",        "organization_usage_limit_exceeded", "",                     Some((Billing, None))),
    (429, "insufficient_quota",        "insufficient_quota",                NO_CREDIT,              Some((Billing, None))),
    (429, "",                          "insufficient_quota",                "",                     Some((Billing, None))),
    (429, "insufficient_quota",        "a_code_of_tomorrow",                "",                     Some((Billing, None))),
    (429, "",                          "",                                  NO_CREDIT,              Some((Billing, None))),
    (503, "service_unavailable_error", "server_is_overloaded",              "",                     Some((Overload, None))),
    (429, "server_error",              "",                                  OVERLOADED,             Some((Overload, None))),
    (503, "server_error",              "",                                  OVERLOADED,             Some((Overload, None))),
    (429, "rate_limit_error",          "resource_unavailable",              "Resource Unavailable", Some((Overload, None))),
    (429, "rate_limit_error",          "",                                  "Resource Unavailable", Some((Overload, None))),
    (429, "",                          "429",                               AZURE,                  Some((Limit, Some(37_000)))),
    (429, "",                          "a_code_of_tomorrow",                "",                     Some((Limit, None))),
    (503, "service_unavailable_error", "",                                  "Try again in 5s.",     None),
    (503, "",                          "",                                  "Resource Unavailable", None),
    (500, "server_error",              "rate_limit_exceeded",               OVERLOADED,             None),
    (400, "invalid_request_error",     "insufficient_quota",                NO_CREDIT,              None),
    (200, "requests",                  "rate_limit_exceeded",               RPM,                    None),
];

#[test]
fn a_refusal_is_known_by_its_code_then_its_type_then_its_message() {
    for (status, kind, code, message, expected) in TABLE {
        let pushback = understood(status, "", body(kind, code, message));
        let expected = expected.map(|(cause, millis)| (cause, millis.map(Duration::from_millis)));
        let found = pushback.map(|pushback| (pushback.cause, pushback.retry_after));
        assert_eq!(found, expected, "{status} {kind} {code} {message}");
    }
}

#[test]
fn a_refusal_tells_the_limit_with_its_figures() {
    let figures = |message: &str| understood(429, "", body("", "", message)).expect("a refusal").figures;
    let expect = |unit, minutes, limit, used, requested| {
        Some(LimitFigures { unit, per: Duration::from_mins(minutes), limit, used, requested })
    };
    let (requests, tokens) = (Unit::Requests, Unit::Tokens);
    assert_eq!(figures(RPM), expect(requests, 1, Some(3), Some(3), Some(1)));
    assert_eq!(figures(TPM), expect(tokens, 1, Some(30_000), Some(28_039), Some(3_906)));
    assert_eq!(figures(RPD), expect(requests, 24 * 60, Some(200), Some(200), Some(1)));
    assert_eq!(figures(TOO_LARGE), expect(tokens, 1, Some(30_000), None, Some(30_062)));
    let old = "Rate limit reached for default-gpt-4 in organization org-x on requests per min. Limit: 200 / min. Current: \
               201 / min. Please try again in 300ms.";
    assert_eq!(figures(old), expect(requests, 1, Some(200), Some(201), None));
    let images =
        "Rate limit reached for gpt-image-1 in organization org-x on input-images per hour: Limit 4,000, Used 4,000.";
    assert_eq!(figures(images), expect(requests, 60, Some(4_000), Some(4_000), None));
    let anthropic = "This request would exceed your organization's rate limit of 40,000 input tokens per month.";
    assert_eq!(figures(anthropic), expect(tokens, 30 * 24 * 60, Some(40_000), None, None));
    for message in [SLOW_DOWN, NO_CREDIT, AZURE, "on pages per min: Limit 3", "on tokens per head: Limit 3", ""] {
        assert_eq!(figures(message), None, "{message}");
    }
}

#[test]
fn what_asks_for_more_than_the_limit_is_too_large_however_it_is_worded() {
    let message = "Rate limit reached for gpt-image-1 on input-images per min: Limit 0, Used 0, Requested 1.";
    let pushback = understood(429, "", body("requests", "rate_limit_exceeded", message)).expect("a refusal");
    assert_eq!(pushback.cause, TooLarge);
}

#[test]
fn a_refusal_names_the_family_whose_limit_it_is() {
    let families = [
        (RPM, Some("gpt-4o-mini")),
        (TOO_LARGE, Some("gpt-4o")),
        (
            "Rate limit reached for gpt-4.1 (long context) in organization org-x on tokens",
            Some("gpt-4.1 (long context)"),
        ),
        (
            "Request too large for gpt-4.1 (for limit gpt-4.1-long-context) in organization org-x",
            Some("gpt-4.1-long-context"),
        ),
        (
            "Rate limit reached for gpt-realtime (for limit gpt-4o-realtime). Limit 40000, Used 3",
            Some("gpt-4o-realtime"),
        ),
        (
            "Rate limit reached for model `openai/gpt-oss-20b` in organization `org_x` service tier",
            Some("openai/gpt-oss-20b"),
        ),
        ("Rate limit reached for GPT-4o on tokens per min", Some("GPT-4o")),
        ("Rate limit reached for  on tokens per min", None),
        (SLOW_DOWN, None),
    ];
    for (message, family) in families {
        let pushback = understood(429, "", body("tokens", "rate_limit_exceeded", message)).expect("a refusal");
        assert_eq!(pushback.family.as_deref(), family, "{message}");
    }
    let endless = format!("Rate limit reached for {} in organization org-x", "x".repeat(1_000));
    assert_eq!(understood(429, "", body("tokens", "", &endless)).expect("a refusal").family, None);
}

#[test]
fn errors_are_read_in_the_shapes_that_other_upstreams_have() {
    let bodies = [
        r#"{"object": "error", "message": "Request too large for x on it", "type": "rate_limited", "code": 1300}"#,
        r#"{"error": "Request too large for x on it"}"#,
        r#"{"error": {"code": 429, "message": "Request too large for x on it"}}"#,
    ];
    for body in bodies {
        let pushback = understood(429, "", body).expect("a refusal");
        assert_eq!((pushback.cause, pushback.family.as_deref()), (TooLarge, Some("x")), "{body}");
    }
}

#[test]
fn an_upstream_may_mean_something_else_by_a_code_or_by_a_type_without_a_code() {
    let meanings = Meanings::new([("insufficient_quota", Limit), ("our_own", Overload), ("1300", Ramp)]);
    let understood = |status, body: String| {
        let answer = UpstreamResponse { status, headers: &headers(""), body: body.as_bytes(), now: NOW };
        classify_refusal(&answer, &meanings).map(|pushback| pushback.cause)
    };
    assert_eq!(understood(429, body("insufficient_quota", "insufficient_quota", NO_CREDIT)), Some(Limit));
    assert_eq!(understood(429, body("insufficient_quota", "", NO_CREDIT)), Some(Limit));
    assert_eq!(understood(429, body("insufficient_quota", "credit_balance_exhausted", NO_CREDIT)), Some(Billing));
    assert_eq!(understood(503, body("", "our_own", "")), Some(Overload));
    assert_eq!(understood(500, body("", "our_own", "")), None);
    assert_eq!(understood(429, r#"{"message": "…", "code": 1300}"#.to_owned()), Some(Ramp));
}

#[test]
fn a_cause_reads_back_as_it_is_written() {
    for (word, cause) in
        [("limit", Limit), ("too_large", TooLarge), ("ramp", Ramp), ("billing", Billing), ("overload", Overload)]
    {
        assert_eq!((word.parse(), cause.to_string()), (Ok(cause), word.to_owned()));
    }
    let error = "Limit".parse::<RefusalCause>().expect_err("no cause");
    assert_eq!(error.to_string(), r#"a refusal is "limit", "too_large", "ramp", "billing" or "overload""#);
}
