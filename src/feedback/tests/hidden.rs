use std::time::Duration;

use crate::feedback::Cause::{self, Billing, Limit, Overload};
use crate::feedback::{Meanings, hidden};

fn cause(body: &str) -> Option<Cause> {
    hidden(body.as_bytes(), &Meanings::default()).map(|pushback| pushback.cause)
}

#[test]
fn a_refusal_is_found_in_an_answer_that_seemed_to_go_well() {
    let bodies = [
        (r#"{"object": "response", "error": {"code": "rate_limit_exceeded", "message": "…"}}"#, Limit),
        (r#" {"object": "thread.run", "last_error": {"code": "rate_limit_exceeded", "message": "…"}}"#, Limit),
        (r#"{"error": {"type": "rate_limit_exceeded", "message": "…"}}"#, Limit),
        (r#"{"error": {"type": "rate_limit_error", "message": "…"}}"#, Limit),
        (r#"{"error": {"type": "tokens", "message": "…"}}"#, Limit),
        (r#"{"object": "thread.run", "last_error": {"code": "insufficient_quota", "message": "…"}}"#, Billing),
        (concat!("event: error\n", r#"data: {"type": "error", "code": "server_is_overloaded"}"#, "\n\n"), Overload),
        (
            concat!("event: error\r\n", r#"data: {"type":"error","error":{"type":"overloaded_error"}}"#, "\r\n"),
            Overload,
        ),
        (
            concat!(
                "data: {\"choices\": []}\n\nevent: response.failed\n",
                r#"data: {"type": "response.failed", "response": {"error": {"code": "rate_limit_exceeded"}}}"#,
                "\n\n"
            ),
            Limit,
        ),
        (concat!("data: {\"cut", "\n\n", r#"data: {"error": {"type": "requests", "message": "…"}}"#), Limit),
    ];
    for (body, expected) in bodies {
        assert_eq!(cause(body), Some(expected), "{body}");
    }
}

#[test]
fn it_tells_its_figures_and_its_wait() {
    let message = "Rate limit reached for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000. Please try again \
                   in 3s.";
    let body = serde_json::json!({"last_error": {"code": "rate_limit_exceeded", "message": message}}).to_string();
    let pushback = hidden(body.as_bytes(), &Meanings::default()).expect("a refusal");
    assert_eq!(pushback.figures.and_then(|figures| figures.limit), Some(30_000));
    assert_eq!((pushback.family.as_deref(), pushback.retry_after), (Some("gpt-4o"), Some(Duration::from_secs(3))));
}

#[test]
fn what_went_wrong_for_another_reason_or_went_well_is_no_refusal() {
    let bodies = [
        r#"{"object": "response", "error": null, "last_error": null}"#,
        r#"{"object": "thread.run", "last_error": {"code": "server_error", "message": "Sorry"}}"#,
        r#"{"type": "message", "code": "rate_limit_exceeded"}"#,
        r#"{"choices": [{"message": {"content": "{\"error\": {\"code\": \"rate_limit_exceeded\"}}"}}]}"#,
        "data: {\"choices\": [{\"delta\": {\"content\": \"error\"}}]}\n\ndata: [DONE]\n\n",
        "",
        "event: error\ndata: error",
    ];
    for body in bodies {
        assert_eq!(cause(body), None, "{body}");
    }
}

#[test]
fn what_an_upstream_means_by_its_codes_holds_here_too() {
    let body = br#"{"last_error": {"code": "insufficient_quota"}}"#;
    let meanings = Meanings::new([("insufficient_quota", Limit)]);
    assert_eq!(hidden(body, &meanings).map(|pushback| pushback.cause), Some(Limit));
}
