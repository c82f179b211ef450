use std::time::Duration;

use super::{NOW, body, headers, understood};
use crate::hints::{RefusalCause, allowances, forbids_retry};

fn wait(head: &str) -> Option<Duration> {
    understood(429, head, "").expect("a refusal").retry_after
}

/// RFC 9110 §5.6.7: the preferred form, that of RFC 850, and that of C's asctime.
#[test]
fn retry_after_accepts_all_http_dates() {
    let forms = [
        "Wed, 25 Nov 2026 00:01:40 GMT",
        "Wednesday, 25-Nov-26 00:01:40 GMT",
        "Wed Nov 25 00:01:40 2026",
        "Wed, 25 Nov 2026 00:01:40 +0000",
        "2026-11-25T00:01:40Z",
    ];
    for form in forms {
        assert_eq!(wait(&format!("retry-after: {form}")), Some(Duration::from_secs(100)), "{form}");
    }
}

/// Spring's resilience4j and some gateways of Java write `Duration.toString()`.
#[test]
fn retry_after_accepts_iso_durations() {
    for (span, millis) in
        [("PT3S", 3_000), ("PT1M30.5S", 90_500), ("P1DT2H", 93_600_000), ("pt0.25s", 250), ("P1W", 604_800_000)]
    {
        assert_eq!(wait(&format!("retry-after: {span}")), Some(Duration::from_millis(millis)), "{span}");
    }
    for no_span in ["P", "PT", "P3S", "PT3", "PT3D", "P1Y", "PTS", "T3S"] {
        assert_eq!(wait(&format!("retry-after: {no_span}")), None, "{no_span}");
    }
}

#[test]
fn dates_are_read_against_the_responses_date() {
    let hour_ahead = "date: Wed, 25 Nov 2026 01:00:00 GMT\nretry-after: Wed, 25 Nov 2026 01:00:04 GMT";
    let hour_behind = "date: Tue, 24 Nov 2026 23:00:00 GMT\nretry-after: Tue, 24 Nov 2026 23:00:04 GMT";
    let in_unix_time = "date: Wed, 25 Nov 2026 01:00:00 GMT\nx-ratelimit-limit: 3\nx-ratelimit-remaining: 0\n\
                        x-ratelimit-reset: 1795568404";
    for head in [hour_ahead, hour_behind, in_unix_time] {
        assert_eq!(wait(head), Some(Duration::from_secs(4)), "{head}");
    }
    // Without a date, or with a broken one, the local clock counts.
    assert_eq!(wait("date: today\nretry-after: Wed, 25 Nov 2026 00:00:04 GMT"), Some(Duration::from_secs(4)));
    // A span needs no clock.
    assert_eq!(wait("date: Wed, 25 Nov 2026 01:00:00 GMT\nretry-after: 4"), Some(Duration::from_secs(4)));
}

#[test]
fn windows_are_read_against_the_responses_date() {
    let head = "date: Wed, 25 Nov 2026 01:00:00 GMT\nx-ratelimit-limit: 50\nx-ratelimit-remaining: 49\n\
                x-ratelimit-reset: 1795568430000";
    assert_eq!(allowances(&headers(head), NOW)[0].per, Duration::from_mins(1));
}

#[test]
fn should_retry_false_forbids_sending_again() {
    assert!(forbids_retry(&headers("x-should-retry: false")));
    assert!(!forbids_retry(&headers("x-should-retry: true")) && !forbids_retry(&headers("retry-after: 3")));
}

#[test]
fn should_retry_true_outweighs_words_of_billing() {
    let cause = |head, body: &str| understood(429, head, body).map(|pushback| pushback.cause);
    let billing = body("insufficient_quota", "insufficient_quota", "");
    assert_eq!(cause("", &billing), Some(RefusalCause::Billing));
    assert_eq!(cause("x-should-retry: false", &billing), Some(RefusalCause::Billing));
    assert_eq!(cause("x-should-retry: true", &billing), Some(RefusalCause::Limit));
    let large = body("tokens", "rate_limit_exceeded", "Request too large for x on it");
    assert_eq!(cause("x-should-retry: true", &large), Some(RefusalCause::TooLarge));
}
