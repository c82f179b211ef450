//! A canary: keys and bodies with a word in them go through everything there is, and the word comes out nowhere, neither
//! in a line of the log at its wordiest, nor in the access log, a span, a page of the admin port, a file, or an error of
//! the gate's own.

mod crowd;
mod gate;

use crowd::{Crowd, key};
use gate::{Kind, Running};

/// What every key and every body has in it, and nothing else.
const WORD: &str = "canary";

/// What was shown, by where.
type Shown = Vec<(&'static str, String)>;

/// Sends all there is through a gate, and looks at all that it shows.
async fn sing(kind: Kind) -> Shown {
    let mut gate = Running::start(kind).await;
    let crowd = Crowd::new(&gate);
    let mut shown = vec![("its own errors", crowd.send_everything().await)];
    shown.extend(gate.pages(&key("pages")).await);
    shown.extend(gate.end());
    shown
}

fn is_silent(shown: &Shown) {
    for (place, text) in shown {
        let at = text.to_lowercase().find(WORD);
        let around =
            at.map(|at| String::from_utf8_lossy(&text.as_bytes()[at.saturating_sub(300)..(at + 80).min(text.len())]));
        assert!(around.is_none(), "{place}: {}", around.unwrap_or_default());
    }
}

/// What was looked at is what was meant to be looked at.
fn has(shown: &Shown, place: &str, text: &str) {
    let there = shown.iter().any(|(name, shown)| *name == place && shown.contains(text));
    assert!(
        there,
        "no {text:?} in {place}: {:?}",
        shown.iter().map(|(name, text)| (name, text.len())).collect::<Vec<_>>()
    );
}

fn has_all_that_is_looked_at(shown: &Shown) {
    for code in ["tidegate_wait_too_long", "tidegate_client_quota", "tidegate_no_tunnel", "tidegate_bad_request"] {
        has(shown, "its own errors", code);
        has(shown, "the access log", code);
    }
    for (place, text) in [
        ("the log", "TRACE"),
        ("the log", "still waiting"),
        ("the access log", "\"source\":\"coalesced\""),
        ("the access log", "POST /v1/slow"),
        ("the spans", "tidegate_wait_too_long"),
        ("what it says at its start", "admin on"),
        ("/status", "assistants-runs"),
        ("/metrics", "assistants-runs"),
        ("/history", "assistants-runs"),
        ("/events", "event: status"),
        ("/log", "400"),
        ("/nowhere", "404"),
    ] {
        has(shown, place, text);
    }
}

#[tokio::test]
async fn no_key_and_no_body_is_shown_anywhere() {
    let shown = sing(Kind::KeysOfApps).await;
    has_all_that_is_looked_at(&shown);
    is_silent(&shown);
}

#[tokio::test]
async fn what_an_upstream_repeats_is_shown_to_nobody_else() {
    let shown = sing(Kind::Echoes).await;
    has(&shown, "/status", "\"refusal_bursts\":[{");
    for status in ["200", "400", "401", "404", "429", "500", "503"] {
        has(&shown, "the access log", &format!("\"status\":{status},"));
    }
    is_silent(&shown);
}

#[tokio::test]
async fn neither_is_the_gates_own_key_nor_what_goes_over_http_2() {
    let shown = sing(Kind::KeyOfItsOwn).await;
    has(&shown, "the log", "peer=Server");
    has(&shown, "its own errors", "tidegate_cross_site");
    is_silent(&shown);
}
