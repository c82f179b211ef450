use super::*;

/// Whether the bytes are let through, in pieces of every size.
fn clear(text: &str) -> bool {
    let outcomes: Vec<bool> = (1..=text.len().min(600))
        .map(|size| {
            let mut framing = Framing::default();
            text.as_bytes().chunks(size).all(|piece| framing.follow(piece).is_none())
        })
        .collect();
    assert!(outcomes.iter().all(|&outcome| outcome == outcomes[0]), "{text:?} depends on how it is cut");
    outcomes[0]
}

/// Whether the bytes are let through, in one piece and in small ones.
fn clear_at_once(text: &str) -> bool {
    let outcome = |size| {
        let mut framing = Framing::default();
        text.as_bytes().chunks(size).all(|piece| framing.follow(piece).is_none())
    };
    assert_eq!(outcome(text.len()), outcome(1_000));
    outcome(text.len())
}

const AMBIGUOUS: &str = "POST / HTTP/1.1\r\nHost: o\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";

#[test]
fn two_ways_to_tell_the_length_are_ambiguous() {
    assert!(!clear(AMBIGUOUS));
    assert!(!clear("POST / HTTP/1.1\r\nHost: o\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\nx"));
    assert!(!clear("POST / HTTP/1.1\r\nHost: o\r\nContent-Length: 1, 1\r\n\r\nx"));
    assert!(!clear("POST / HTTP/1.1\nHost: o\nContent-Length: 1\nTransfer-Encoding : x\ncontent-length: 2\n\n"));
}

#[test]
fn one_way_is_clear() {
    assert!(clear("GET / HTTP/1.1\r\nHost: o\r\n\r\n"));
    assert!(clear("POST / HTTP/1.1\r\nHost: o\r\nContent-Length: 5\r\n\r\nhello"));
    assert!(clear(
        "POST / HTTP/1.1\r\nHost: o\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\n"
    ));
}

#[test]
fn what_a_body_says_is_no_head() {
    let body = "A: b\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n";
    assert!(clear(&format!("POST / HTTP/1.1\r\nHost: o\r\nContent-Length: {}\r\n\r\n{body}", body.len())));
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    assert!(clear(&format!("POST / HTTP/1.1\r\nHost: o\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}")));
}

#[test]
fn a_request_that_follows_a_body_is_looked_at() {
    assert!(!clear(&format!("POST / HTTP/1.1\r\nHost: o\r\nContent-Length: 5\r\n\r\nhello{AMBIGUOUS}")));
    let chunked = "POST / HTTP/1.1\r\nHost: o\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    assert!(!clear(&format!("{chunked}\r\n{AMBIGUOUS}")));
}

#[test]
fn other_codings_and_hosts_are_ambiguous() {
    assert!(!clear("POST / HTTP/1.1\r\nHost: o\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"));
    assert!(!clear("POST / HTTP/1.1\r\nHost: o\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"));
    assert!(!clear("GET / HTTP/1.1\r\n\r\n"));
    assert!(!clear("GET / HTTP/1.1\r\nHost: o\r\nhost: p\r\n\r\n"));
    assert!(clear("GET / HTTP/1.0\r\n\r\n"));
}

#[test]
fn bare_line_feed_ends_no_trailer() {
    let chunked = "POST / HTTP/1.1\r\nHost: o\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert!(!clear(&format!("{chunked}0\r\nA: b\n\r\nPOST / HTTP/1.1\r\n")));
    assert!(!clear(&format!("{chunked}1\nx\r\n0\r\n\r\n")));
    assert!(!clear(&format!("{chunked}0\n\n")));
}

#[test]
fn long_request_line_needs_a_host() {
    assert!(!clear(&format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(300))));
}

#[test]
fn a_length_hidden_behind_zeros_is_ambiguous() {
    let zeros = "0".repeat(LINE);
    assert!(!clear_at_once(&format!("POST / HTTP/1.1\r\nHost: o\r\nContent-Length: {zeros}5\r\n\r\nhello")));
}

#[test]
fn only_a_websocket_leaves_http() {
    let h2c = "GET / HTTP/1.1\r\nHost: o\r\nUpgrade: h2c\r\n\r\n";
    assert!(!clear(&format!("{h2c}{AMBIGUOUS}")));
    let websocket = "GET / HTTP/1.1\r\nHost: o\r\nConnection: x, Upgrade\r\nUpgrade: websocket\r\n\r\n";
    assert!(clear(&format!("{websocket}{AMBIGUOUS}")));
    let long = websocket.replace("GET /", &format!("GET /{}", "x".repeat(300)));
    assert!(clear(&format!("{long}{AMBIGUOUS}")));
    for (from, to) in [
        ("Connection: x, Upgrade\r\n", ""),
        ("Connection: x, Upgrade", "Connection: keep-alive"),
        ("HTTP/1.1", "HTTP/1.0"),
        ("Upgrade: websocket", "Upgrade: h2c\r\nUpgrade: websocket"),
        ("Upgrade: websocket", "Upgrade: websocket, h2c"),
    ] {
        let stays = websocket.replace(from, to);
        assert!(!clear(&format!("{stays}{AMBIGUOUS}")), "{stays}");
    }
}
