use std::time::Duration;

use super::{NOW, headers};
use crate::hints::{Allowance, allowances};
use crate::limit::Unit::{Requests, Tokens};
use crate::limit::{Rate, Unit};

/// What is said, as `requests 59 of 60/min`, one a comma.
fn said(head: &str) -> String {
    let line = |allowance: &Allowance| {
        let remaining = allowance.remaining.map_or("?".to_owned(), |remaining| remaining.to_string());
        let limit = u32::try_from(allowance.limit).ok().and_then(std::num::NonZeroU32::new).expect("a small limit");
        let rate = Rate::new(limit, allowance.per).expect("a window");
        format!("{} {remaining} of {rate}", word(allowance.unit))
    };
    allowances(&headers(head), NOW).iter().map(line).collect::<Vec<_>>().join(", ")
}

fn word(unit: Unit) -> &'static str {
    match unit {
        Requests => "requests",
        Tokens => "tokens",
    }
}

#[test]
fn openai_tells_limits_and_the_window_is_found_from_the_reset() {
    let head = "x-ratelimit-limit-requests: 60\nx-ratelimit-remaining-requests: 58\nx-ratelimit-reset-requests: 2.01s\n\
                x-ratelimit-limit-tokens: 150000\nx-ratelimit-remaining-tokens: 149000\nx-ratelimit-reset-tokens: 400ms";
    assert_eq!(said(head), "requests 58 of 60/min, tokens 149000 of 150000/min");
}

#[test]
fn the_window_is_the_nearest_that_the_reset_leaves_and_a_minute_where_it_leaves_several() {
    let windows = [
        (10_000, 9_999, "8.64s", "10000/day"),
        (200, 0, "24h0m0s", "200/day"),
        (240, 239, "6m0s", "240/day"),
        (100, 40, "36m0s", "100/h"),
        (3, 0, "1m0s", "3/min"),
        (500, 499, "120ms", "500/min"),
        (10, 9, "100ms", "10/s"),
        // The reset is rounded to nothing, or about to.
        (30_000_000, 29_999_975, "1ms", "30000000/min"),
        (10_000, 9_999, "6ms", "10000/min"),
        (100, 99, "0s", "100/min"),
        (1_000, 999, "1s", "1000/min"),
        (100, 40, "1s", "100/min"),
        (10_000, 9_999, "2s", "10000/min"),
        // Nothing is used, or too much is left, or it is not a time.
        (100, 100, "0s", "100/min"),
        (100, 100, "24h0m0s", "100/min"),
        (100, 200, "3h", "100/min"),
        (100, 0, "soon", "100/min"),
    ];
    for (limit, remaining, reset, rate) in windows {
        let head = format!(
            "x-ratelimit-limit-requests: {limit}\nx-ratelimit-remaining-requests: {remaining}\n\
             x-ratelimit-reset-requests: {reset}"
        );
        assert_eq!(said(&head), format!("requests {remaining} of {rate}"), "{reset}");
    }
    assert_eq!(said("x-ratelimit-limit-requests: 100"), "requests ? of 100/min");
}

#[test]
fn of_the_organizations_and_the_projects_tokens_the_tighter_count() {
    let head = |organization: u32, project: u32| {
        format!(
            "x-ratelimit-limit-tokens: 1000\nx-ratelimit-remaining-tokens: {organization}\n\
             x-ratelimit-limit-project-tokens: 500\nx-ratelimit-remaining-project-tokens: {project}"
        )
    };
    assert_eq!(said(&head(900, 400)), "tokens 400 of 500/min");
    assert_eq!(said(&head(300, 400)), "tokens 300 of 1000/min");
    assert_eq!(said("x-ratelimit-limit-project-tokens: 500"), "tokens ? of 500/min");
}

#[test]
fn azure_tells_its_window_in_seconds() {
    let head = "x-ratelimit-limit-requests: 9000\nx-ratelimit-remaining-requests: 8999\nx-ratelimit-reset-requests: 0\n\
                x-ratelimit-renewalperiod-requests: 10\nx-ratelimit-limit-tokens: 1500000\n\
                x-ratelimit-remaining-tokens: 745399\nx-ratelimit-reset-tokens: 30\nx-ratelimit-renewalperiod-tokens: 60";
    assert_eq!(said(head), "requests 8999 of 9000/10s, tokens 745399 of 1500000/min");
    assert_eq!(said(&head.replace("requests: 10", "requests: 0")), said(&head.replace("requests: 10", "requests: 60")));
    assert_eq!(
        said(&head.replace("requests: 10", "requests: 2592001")),
        said(&head.replace("requests: 10", "requests: 60"))
    );
}

#[test]
fn what_is_zero_or_negative_or_no_number_is_not_said() {
    for (limit, remaining) in [("0", "0"), ("-1", "-1"), ("5000", "-1"), ("many", "3"), ("", "3"), ("5000", "few")] {
        let head = format!("x-ratelimit-limit-tokens: {limit}\nx-ratelimit-remaining-tokens: {remaining}");
        assert_eq!(said(&head), "", "{head}");
    }
    assert_eq!(said("content-type: application/json\nx-ratelimit-remaining-tokens: 3"), "");
}

#[test]
fn groq_counts_requests_per_day() {
    let head = "x-ratelimit-limit-requests: 14400\nx-ratelimit-remaining-requests: 14370\n\
                x-ratelimit-reset-requests: 2m59.56s\nx-ratelimit-limit-tokens: 18000\n\
                x-ratelimit-remaining-tokens: 17997\nx-ratelimit-reset-tokens: 7.66ms";
    assert_eq!(said(head), "requests 14370 of 14400/day, tokens 17997 of 18000/min");
    let silent = "x-groq-region: fra\nx-ratelimit-limit-requests: 1000\nx-ratelimit-remaining-requests: 1000\n\
                  x-ratelimit-limit-tokens: 8000";
    assert_eq!(said(silent), "requests 1000 of 1000/day, tokens ? of 8000/min");
}

#[test]
fn anthropic_counts_per_minute_and_its_output_alone_is_no_limit_of_the_sum() {
    let head = "anthropic-ratelimit-requests-limit: 1000\nanthropic-ratelimit-requests-remaining: 994\n\
                anthropic-ratelimit-requests-reset: 2026-11-25T00:00:01Z\n\
                anthropic-ratelimit-tokens-limit: 540000\nanthropic-ratelimit-tokens-remaining: 464000\n\
                anthropic-ratelimit-input-tokens-limit: 450000\nanthropic-ratelimit-input-tokens-remaining: 450000\n\
                anthropic-ratelimit-output-tokens-limit: 90000\nanthropic-ratelimit-output-tokens-remaining: 14000";
    assert_eq!(said(head), "requests 994 of 1000/min, tokens 450000 of 450000/min");
}

#[test]
fn openrouter_tells_when_its_window_ends() {
    let head = |millis: u128| {
        format!("x-ratelimit-limit: 50\nx-ratelimit-remaining: 49\nx-ratelimit-reset: {}", NOW.as_millis() + millis)
    };
    assert_eq!(said(&head(900)), "requests 49 of 50/s");
    assert_eq!(said(&head(30_000)), "requests 49 of 50/min");
    assert_eq!(said(&head(3_600_000)), "requests 49 of 50/h");
    assert_eq!(said(&head(3_600_001)), "requests 49 of 50/day");
    assert_eq!(said("x-ratelimit-limit: 50\nx-ratelimit-remaining: 49"), "requests 49 of 50/min");
}

#[test]
fn mistral_counts_by_size_per_minute_and_per_month() {
    let head = "ratelimitbysize-limit: 500000\nratelimitbysize-remaining: 499950\nratelimitbysize-reset: 13";
    assert_eq!(said(head), "tokens 499950 of 500000/min");
    let head = "x-ratelimitbysize-limit-minute: 500000\nx-ratelimitbysize-remaining-minute: 499950\n\
                x-ratelimitbysize-limit-month: 1000000000\nx-ratelimitbysize-remaining-month: 999999000";
    let month = Allowance {
        unit: Tokens,
        limit: 1_000_000_000,
        per: Duration::from_hours(30 * 24),
        remaining: Some(999_999_000),
    };
    assert_eq!(allowances(&headers(head), NOW)[1], month);
}

#[test]
fn the_ietfs_headers_tell_limit_and_window() {
    let heads = [
        "ratelimit: \"api\";r=12;t=4\nratelimit-policy: \"fixed window\";\"api\";q=500;w=300",
        "ratelimit: limit=500, remaining=12, reset=4\nratelimit-policy: 500;w=300",
        "ratelimit-limit: 500, 500;w=300\nratelimit-remaining: 12\nratelimit-reset: 4\nratelimit-policy: 500;w=300",
        "ratelimit: \"other\";r=1;t=1\nratelimit: \"api\";r=12;t=4\nratelimit-policy: \"x\";q=1\nratelimit-policy: \"api\";q=500;w=300",
        "ratelimit: \"other\";r=1;t=1, \"api\";r=12;t=4\nratelimit-policy: \"api\";q=500;w=300;qu=\"requests\"",
    ];
    for head in heads {
        assert_eq!(said(head), "requests 12 of 500/5m", "{head}");
    }
    assert_eq!(said("ratelimit-limit: 20\nratelimit-remaining: 3\nratelimit-reset: 40"), "requests 3 of 20/min");
    // Without a policy there is no limit, and bytes are not what is counted here.
    let silent = [
        "ratelimit: \"api\";r=12;t=4",
        "ratelimit: \"a\";r=1;t=4\nratelimit-policy: \"a\";q=9;w=60;qu=\"content-bytes\"",
    ];
    assert_eq!(silent.map(said), ["", ""]);
}
