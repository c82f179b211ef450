use std::time::Duration;

use super::{body, understood};

fn hint(head: &str, message: &str) -> Option<Duration> {
    understood(429, head, body("", "rate_limit_exceeded", message)).expect("a refusal").retry_after
}

#[test]
fn a_wait_is_read_as_it_is_written_to_the_nanosecond() {
    let waits = [
        ("Please try again in 20ms.", 0.02),
        ("Please try again in 3.89s.", 3.89),
        ("Please try again in 7m12s.", 432.0),
        ("Please try again in 26m3.0s. Need more tokens?", 1_563.0),
        ("Please try again in 1h2m", 3_720.0),
        ("Please try again in 644µs!", 0.000_644),
        ("try again after 6.937 seconds.", 6.937),
        ("Please retry after 37 seconds.", 37.0),
        ("Please retry after 1 second.", 1.0),
        ("Rate limit is exceeded. Try again in 2 minutes.", 120.0),
        ("Please retry in 500 milliseconds", 0.5),
        ("try again in 1 hour", 3_600.0),
        ("try again in 1s, or retry after 2 seconds, or try again in 500ms", 2.0),
        ("Try again in 4 days 20 hours 9 minutes.", 418_140.0),
        ("Please try again in 1 minute and 30 seconds.", 90.0),
        ("Please wait 20 seconds before retrying.", 20.0),
        ("please wait for 5 s", 5.0),
        ("Your quota will reset after 8h44m7s.", 31_447.0),
        ("Monthly usage limit reached. Resets in 16 days.", 1_382_400.0),
        ("try again in 2 weeks", 1_209_600.0),
        ("Please retry in 4.4546s.", 4.4546),
        ("try again in 3s. 5 minutes later it is over", 3.0),
    ];
    for (message, seconds) in waits {
        assert_eq!(hint("", message), Some(Duration::from_secs_f64(seconds)), "{message}");
    }
}

#[test]
fn of_several_hints_the_longest_counts() {
    let message = "Please try again in 3.89s.";
    assert_eq!(hint("retry-after: 4", message), Some(Duration::from_secs(4)));
    assert_eq!(hint("retry-after: 3", message), Some(Duration::from_millis(3_890)));
    assert_eq!(hint("retry-after: 1\nretry-after-ms: 0", ""), Some(Duration::from_secs(1)));
    assert_eq!(hint("retry-after: 1\nretry-after-ms: 1234", ""), Some(Duration::from_millis(1_234)));
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    let expected = [
        ("retry-after: 0", Some(0)),
        ("retry-after: 120", Some(120_000)),
        ("retry-after: 7.66", Some(7_660)),
        ("retry-after: Wed, 25 Nov 2026 00:01:40 GMT", Some(100_000)),
        ("retry-after: Tue, 24 Nov 2026 23:59:59 GMT", None),
        ("retry-after: 2678400", Some(2_678_400_000)),
        ("retry-after: 1795564900", Some(100_000)),
        ("retry-after: 1795564900500", Some(100_500)),
        ("retry-after: 3, 3", Some(3_000)),
        ("retry-after: 3, 5", Some(5_000)),
        ("retry-after: 3 seconds", Some(3_000)),
        ("retry-after: 3s", Some(3_000)),
        ("retry-after: +3", Some(3_000)),
        ("retry-after: 3;", Some(3_000)),
        ("retry-after: Wed, 25 Nov 2026 00:01:40 UTC", Some(100_000)),
        ("retry-after: 120.0", Some(120_000)),
        ("retry-after:  4 ", Some(4_000)),
        ("x-ratelimit-reset-after: 4.5", Some(4_500)),
    ];
    for (head, millis) in expected {
        assert_eq!(hint(head, ""), millis.map(Duration::from_millis), "{head}");
    }
}

#[test]
fn an_absurd_hint_is_none() {
    for value in ["-1", "NaN", "inf", "1e3", "99999999999999999999999999999999999999", "soon", "", "1.x", ",", ", ,"] {
        assert_eq!(hint(&format!("retry-after: {value}"), ""), None, "{value}");
        assert_eq!(hint(&format!("retry-after-ms: {value}"), ""), None, "{value}");
    }
    assert_eq!(hint("retry-after: Wed, 99 Nov 2026 00:00:00 GMT", ""), None);
    for wait in ["-3s", "NaNs", "5 apples", "a moment", "3.8.9s", "s", "18446744073709551616h", ""] {
        assert_eq!(hint("", &format!("Please try again in {wait}")), None, "{wait}");
    }
}

#[test]
fn when_nothing_else_is_said_the_reset_of_what_is_used_up_counts() {
    let head = "x-ratelimit-limit-requests: 60\nx-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: 12s\n\
                x-ratelimit-limit-tokens: 9000\nx-ratelimit-remaining-tokens: 0\nx-ratelimit-reset-tokens: 30s";
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    assert_eq!(hint(head, "on requests per min (RPM)"), seconds(12));
    assert_eq!(hint(head, "on tokens per min (TPM)"), seconds(30));
    assert_eq!(hint(head, ""), seconds(30));
    assert_eq!(hint(head, "on tokens per min (TPM). Please try again in 2s."), seconds(2));
    assert_eq!(hint(&head.replace("tokens: 0", "tokens: 1"), ""), seconds(12));
    let billing = understood(429, head, body("", "insufficient_quota", "")).expect("a refusal");
    assert_eq!(billing.retry_after, None, "it has nothing to do with those limits");
}

#[test]
fn hints_beyond_31_days_are_31_days() {
    let longest = Some(Duration::from_hours(31 * 24));
    for head in
        ["retry-after: 2678401", "retry-after: 999999999", "retry-after: 2678400001", "retry-after-ms: 2678400001"]
    {
        assert_eq!(hint(head, ""), longest, "{head}");
    }
    assert_eq!(hint("retry-after: Wed, 25 Nov 2099 00:00:00 GMT", ""), longest);
    assert_eq!(hint("", "Please try again in 800h."), longest);
    assert_eq!(hint("", "Please try again in 40 days."), longest);
}
