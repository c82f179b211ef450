use std::iter;
use std::time::Duration;

use http::Method;
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE,
    EXPECT, HeaderMap, HeaderName, HeaderValue, MAX_FORWARDS, RETRY_AFTER, TE, UPGRADE,
};
use smallvec::SmallVec;

use super::outcome::millis;

/// Whether a header is meant for one connection (RFC 9110 §7.6.1, and what older clients send). `Connection` is one itself.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "http2-settings"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Marks what no log may show, whoever prints a request's headers.
pub(super) fn mark_secrets(headers: &mut HeaderMap) {
    for (name, value) in headers {
        if is_secret(name.as_str()) {
            value.set_sensitive(true);
        }
    }
}

fn is_secret(name: &str) -> bool {
    matches!(
        name,
        "authorization"
            | "cookie"
            | "proxy-authorization"
            | "sec-websocket-protocol"
            | "api-key"
            | "x-api-key"
            | "x-goog-api-key"
    )
}

/// How the headers begin by which a client, or its SDK, says how a request is to be treated.
const SPEAKING: [&str; 2] = ["x-tidegate-", "x-stainless-"];

/// Whether there are any that say how the request is to be treated. Looking for each of them costs more.
pub(super) fn speak_to_the_gate(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| SPEAKING.iter().any(|beginning| name.as_str().starts_with(beginning)))
}

/// Whether these ask to leave HTTP/1.1 for a WebSocket. No other upgrade goes on: behind one to h2c, say, requests would
/// pass that nobody counts.
pub(super) fn asks_for_websocket(headers: &HeaderMap) -> bool {
    let asks = tokens(headers, &CONNECTION).any(|token| token.eq_ignore_ascii_case("upgrade"));
    asks && headers.get(UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Joins what HTTP/2 may send as several `cookie` fields (RFC 9113 §8.2.3).
pub(super) fn join_cookies(headers: &mut HeaderMap) {
    let mut crumbs = headers.get_all(COOKIE).into_iter();
    let (Some(first), Some(second)) = (crumbs.next(), crumbs.next()) else { return };
    let mut joined = first.as_bytes().to_vec();
    for crumb in iter::once(second).chain(crumbs) {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(crumb.as_bytes());
    }
    if let Ok(joined) = HeaderValue::from_bytes(&joined) {
        headers.insert(COOKIE, joined);
    }
}

/// Keeps one `content-length` where HTTP/2 may send several: h2 has held the body against the first.
pub(super) fn merge_lengths(headers: &mut HeaderMap) {
    let mut lengths = headers.get_all(CONTENT_LENGTH).into_iter();
    let (Some(first), Some(_)) = (lengths.next(), lengths.next()) else { return };
    let first = first.clone();
    headers.insert(CONTENT_LENGTH, first);
}

/// Whether a request asks to go no further (RFC 9110 §7.6.2).
pub(super) fn is_last_hop(method: &Method, headers: &HeaderMap) -> bool {
    counts_hops(method) && hops(headers) == Some(0)
}

/// Counts this hop.
fn count_hop(method: &Method, headers: &mut HeaderMap) {
    if let (true, Some(hops)) = (counts_hops(method), hops(headers)) {
        headers.insert(MAX_FORWARDS, HeaderValue::from(hops.saturating_sub(1)));
    }
}

fn counts_hops(method: &Method) -> bool {
    *method == Method::TRACE || *method == Method::OPTIONS
}

fn hops(headers: &HeaderMap) -> Option<u64> {
    headers.get(MAX_FORWARDS)?.to_str().ok()?.trim().parse().ok()
}

/// Takes out what is between client and gate only: what RFC 9110 §7.6.1 says, and what a client tells the gate. Each side
/// of the gate frames, keeps alive and continues by itself; the wish for a WebSocket and the one for trailers go on.
pub(super) fn for_upstream(method: &Method, headers: &mut HeaderMap, websocket: bool) {
    count_hop(method, headers);
    let wants_trailers = tokens(headers, &TE).any(|token| token.eq_ignore_ascii_case("trailers"));
    strip(headers, |name| *name == EXPECT || name.as_str().starts_with("x-tidegate-"));
    if wants_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
    if websocket {
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
}

/// Takes out what is between gate and upstream only.
pub(super) fn for_client(headers: &mut HeaderMap) {
    strip(headers, |_| false);
}

/// Whether these are of an event stream.
pub(super) fn are_of_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
}

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// Whether these say when to come back.
pub(super) fn has_retry_after(headers: &HeaderMap) -> bool {
    let says = |name| headers.get(name).is_some_and(|value| value != "0");
    says(RETRY_AFTER) || says(RETRY_AFTER_MS)
}

/// Says when to come back.
pub(super) fn set_retry_after(headers: &mut HeaderMap, wait: Duration) {
    headers.insert(RETRY_AFTER, HeaderValue::from(millis(wait).div_ceil(1_000)));
    headers.insert(RETRY_AFTER_MS, HeaderValue::from(millis(wait)));
}

/// What a script may read of a response to another site, beside its status and body (CORS; the SDKs read the first three).
const READABLE: &str = "retry-after, retry-after-ms, x-should-retry, x-tidegate-route, x-tidegate-pools, \
                        x-tidegate-wait-ms, x-tidegate-source, x-tidegate-attempts, ratelimit, ratelimit-policy";

/// Lets web pages read a response of the gate's own, as the upstream lets them read its.
pub(super) fn let_pages_read(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(READABLE));
}

/// Says whether coming back helps, which the official SDKs obey (docs/upstream.md §5.2).
pub(super) fn set_should_retry(headers: &mut HeaderMap, helps: bool) {
    headers.insert(SHOULD_RETRY, HeaderValue::from_static(if helps { "true" } else { "false" }));
}

/// What the poll helpers of the SDKs obey (docs/upstream.md §5.3).
const POLL_AFTER: HeaderName = HeaderName::from_static("openai-poll-after-ms");

/// Never sooner than the upstream itself says.
pub(super) fn set_poll_after(headers: &mut HeaderMap, ms: u64) {
    let own = headers.get(&POLL_AFTER).and_then(|own| own.to_str().ok()?.trim().parse::<u64>().ok());
    if own.is_none_or(|own| own < ms) {
        headers.insert(POLL_AFTER, HeaderValue::from(ms));
    }
}

fn strip(headers: &mut HeaderMap, as_well: impl Fn(&HeaderName) -> bool) {
    let is_out = |name: &&HeaderName| is_hop_by_hop(name.as_str()) || as_well(name);
    let out: SmallVec<[HeaderName; 4]> = headers.keys().filter(is_out).cloned().collect();
    if out.contains(&CONNECTION) {
        let named: Vec<HeaderName> = tokens(headers, &CONNECTION).filter_map(|name| name.parse().ok()).collect();
        for name in &named {
            headers.remove(name);
        }
    }
    for name in &out {
        headers.remove(name);
    }
}

fn tokens<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        pairs.collect()
    }

    #[test]
    fn what_is_between_client_and_gate_stays_there() {
        let mut sent = headers(&[
            ("connection", "keep-alive, X-Mine"),
            ("x-mine", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "gzip, trailers"),
            ("expect", "100-continue"),
            ("proxy-authorization", "secret"),
            ("authorization", "Bearer sk"),
            ("x-tidegate-client", "web"),
            ("x-tidegate-max-wait", "30s"),
        ]);
        for_upstream(&Method::GET, &mut sent, false);
        assert_eq!(sent, headers(&[("te", "trailers"), ("connection", "te"), ("authorization", "Bearer sk")]));
    }

    #[test]
    fn hops_are_counted_for_trace_and_options_alone() {
        for (method, said, left) in
            [(Method::TRACE, "3", "2"), (Method::OPTIONS, "1", "0"), (Method::GET, "3", "3"), (Method::TRACE, "x", "x")]
        {
            let mut sent = headers(&[("max-forwards", said)]);
            for_upstream(&method, &mut sent, false);
            assert_eq!(sent, headers(&[("max-forwards", left)]), "{method} {said}");
            assert!(!is_last_hop(&method, &headers(&[("max-forwards", said)])));
        }
        let last = headers(&[("max-forwards", "0")]);
        assert!(is_last_hop(&Method::TRACE, &last) && is_last_hop(&Method::OPTIONS, &last));
        assert!(!is_last_hop(&Method::POST, &last));
    }

    #[test]
    fn equal_lengths_become_one() {
        let mut twice = headers(&[("content-length", "5"), ("accept", "*/*"), ("content-length", "05")]);
        merge_lengths(&mut twice);
        assert_eq!(twice, headers(&[("content-length", "5"), ("accept", "*/*")]));
    }

    #[test]
    fn cookie_crumbs_are_joined() {
        let mut crumbs = headers(&[("cookie", "a=1"), ("accept", "*/*"), ("cookie", "b=2"), ("cookie", "c=3")]);
        join_cookies(&mut crumbs);
        assert_eq!(crumbs, headers(&[("cookie", "a=1; b=2; c=3"), ("accept", "*/*")]));
        let mut one = headers(&[("cookie", "a=1")]);
        join_cookies(&mut one);
        assert_eq!(one, headers(&[("cookie", "a=1")]));
    }

    #[test]
    fn an_upgrade_to_a_websocket_goes_on_and_no_other() {
        let mut websocket = headers(&[("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket")]);
        assert!(asks_for_websocket(&websocket));
        for_upstream(&Method::GET, &mut websocket, true);
        assert_eq!(websocket, headers(&[("upgrade", "websocket"), ("connection", "upgrade")]));
        let mut h2c = headers(&[("connection", "Upgrade"), ("upgrade", "h2c"), ("http2-settings", "AAMAAABk")]);
        assert!(!asks_for_websocket(&h2c));
        for_upstream(&Method::GET, &mut h2c, false);
        assert!(h2c.is_empty());
        assert!(!asks_for_websocket(&headers(&[("upgrade", "websocket")])));
    }
}
