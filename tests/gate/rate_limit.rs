//! `RateLimit` and `RateLimit-Policy` of the gate's own pools.

use super::house::{House, Wire, accept, upstream};
use crate::clock::Clock;

const POOLS: &str = "[pools.posts]\nrequests = [\"3/2h\", \"9/1d\"]\nmax_wait = \"1s\"\n[pools.wide]\nrequests = [\"100/min\"]\n\
                     [[routes]]\nmatch = \"POST /v1/threads\"\npools = [\"wide\", \"posts\"]\n";

/// A gate before an upstream whose answers have these headers more.
async fn gate(config: &str, more: &'static str) -> House {
    let (listener, address) = upstream().await;
    tokio::spawn(async move {
        loop {
            let mut server: Wire = accept(&listener).await;
            server.until("\r\n\r\n").await;
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n";
            server.send(format!("{head}{more}\r\nok")).await;
        }
    });
    let (top, rest) =
        config.strip_prefix("mode = \"observe\"\n").map_or(("", config), |rest| ("mode = \"observe\"\n", rest));
    House::of(&format!("{top}[upstream]\nurl = \"http://{address}\"\n{rest}")).await
}

async fn post(gate: &House, path: &str) -> String {
    gate.ask(&format!("POST {path} HTTP/1.1\r\nHost: o\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")).await
}

/// The values of both headers.
fn said(answer: &str) -> (Option<&str>, Option<&str>) {
    let value = |name: &str| answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    (value("ratelimit"), value("ratelimit-policy"))
}

#[tokio::test]
async fn answer_says_what_is_left_of_the_tightest_pool() {
    let _clock = Clock::stop();
    let gate = gate(POOLS, "").await;
    for left in [2, 1, 0] {
        let answer = post(&gate, "/v1/threads").await;
        let limit = format!("\"posts\";r={left}");
        let policy = "\"posts\";q=3;w=7200, \"posts-86400s\";q=9;w=86400";
        assert_eq!(said(&answer), (Some(&*limit), Some(policy)), "{answer}");
    }
    let refused = post(&gate, "/v1/threads").await;
    assert!(refused.starts_with("HTTP/1.1 429"), "{refused}");
    let (limit, policy) = said(&refused);
    assert!(limit.is_some_and(|limit| limit.starts_with("\"posts\";r=0;t=")) && policy.is_some(), "{refused}");
    assert_eq!(said(&post(&gate, "/v1/elsewhere").await), (None, None));
}

#[tokio::test]
async fn upstreams_own_rate_limit_headers_stay_alone() {
    for more in ["x-ratelimit-remaining-requests: 7\r\n", "ratelimit: \"theirs\";r=5\r\n"] {
        let gate = gate(POOLS, more).await;
        let answer = post(&gate, "/v1/threads").await;
        let own = answer.contains("\"posts\"");
        assert!(answer.contains(more.trim()) && !own, "{answer}");
    }
}

#[tokio::test]
async fn observing_gate_adds_no_rate_limit() {
    let gate = gate(&format!("mode = \"observe\"\n{POOLS}"), "").await;
    assert_eq!(said(&post(&gate, "/v1/threads").await), (None, None));
}

#[tokio::test]
async fn quota_of_a_client_is_its_rate_limit() {
    let gate = gate("[clients]\nquota = \"1/h\"\n", "").await;
    post(&gate, "/v1/threads").await;
    let refused = post(&gate, "/v1/threads").await;
    assert_eq!(said(&refused), (Some("\"client\";r=0;t=60"), Some("\"client\";q=1;w=3600")), "{refused}");
}
