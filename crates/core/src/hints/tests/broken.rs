use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use super::{body, understood};
use crate::hints::{Pushback, RefusalCause, UsageReader};

const LIMIT: Pushback = Pushback { cause: RefusalCause::Limit, figures: None, family: None, retry_after: None };

fn broken_bodies() -> Vec<Vec<u8>> {
    let whole = body("tokens", "insufficient_quota", "on tokens per min (TPM): Limit 3.");
    vec![
        Vec::new(),
        b"<html><head><title>429 Too Many Requests</title></head></html>".to_vec(),
        whole.as_bytes()[..whole.len() - 2].to_vec(),
        whole.as_bytes()[..whole.len() / 2].to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"{}".to_vec(),
        br#"{"error": null}"#.to_vec(),
        br#"{"error": {"code": {}, "type": [], "message": 1.5}}"#.to_vec(),
        vec![b'['; 100_000],
        br#"{"error":"#.repeat(100_000),
    ]
}

#[test]
fn a_429_that_cannot_be_read_is_a_limit_without_figures() {
    for body in broken_bodies() {
        assert_eq!(
            understood(429, "", &body),
            Some(LIMIT),
            "{:?}",
            String::from_utf8_lossy(&body[..body.len().min(80)])
        );
    }
}

#[test]
fn its_headers_count_all_the_same() {
    let retry_after = Some(Duration::from_secs(5));
    for body in broken_bodies() {
        assert_eq!(understood(429, "retry-after: 5", body), Some(Pushback { retry_after, ..LIMIT }));
    }
}

#[test]
fn a_503_that_cannot_be_read_may_have_been_executed() {
    for body in broken_bodies() {
        assert_eq!(understood(503, "retry-after: 5", body), None);
    }
}

/// When reading is taken to hang: what is quadratic takes days for ten megabytes, and what is not a second or two.
const HANGS: Duration = Duration::from_mins(5);

#[test]
fn ten_megabytes_take_no_quadratic_time() {
    let size = 10 << 20;
    let junk = (0..size).map(|at: u32| at.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let filled = |words: &str| body("", "", &words.repeat(size as usize / words.len())).into_bytes();
    let usages = br#""usage":{"#.repeat(size as usize / 9);
    let events = b"data: {\"error\": \n".repeat(size as usize / 17);
    for body in [junk, filled("limit "), filled(" tokens per "), filled("again in "), usages, events] {
        let (read, is_read) = channel();
        thread::spawn(move || {
            let _ = understood(429, "", &body);
            UsageReader::default().push(&body);
            read.send(()).ok();
        });
        is_read.recv_timeout(HANGS).expect("it is read");
    }
}

#[test]
fn broken_bodies_tell_their_wait() {
    let whole = body("tokens", "insufficient_quota", "on tokens per min (TPM): Limit 3. Please try again in 3s.");
    let retry_after = Some(Duration::from_secs(3));
    for body in [&whole[..whole.len() - 2], "<html><p>Please try again in 3s.</p></html>"] {
        assert_eq!(understood(429, "", body), Some(Pushback { retry_after, ..LIMIT }), "{body}");
    }
}

#[test]
fn bodies_with_broken_characters_are_read() {
    let whole = body("tokens", "insufficient_quota", "\u{1} Please try again in 3s.");
    let bytes: Vec<u8> =
        whole.replace("\\u0001", "\u{1}").bytes().map(|byte| if byte == 1 { 0xff } else { byte }).collect();
    assert_eq!(understood(429, "", bytes).map(|pushback| pushback.cause), Some(RefusalCause::Billing));
}
