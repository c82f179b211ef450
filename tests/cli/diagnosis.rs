//! What a running gate has found out, as people ask for it.

use std::io::Read;
use std::net::SocketAddr;

use serde_json::Value;

use super::serving::Running;
use super::{Ended, comes, heard, tidegate};

const CONFIG: &str = "extends = \"none\"\n[pools.posts]\nrequests = [\"300/min\"]\n[[routes]]\nmatch = \"POST /v1/threads\"\npools = [\"posts\"]\n";

/// A gate before an upstream whose Assistants API is gone, after some requests for it; with its configuration.
fn after_some_requests() -> (Running, Running, SocketAddr, tempfile::NamedTempFile) {
    let upstream = Running::start(&["mock", "--listen", "127.0.0.1:0", "--gone"], 1);
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), CONFIG).expect("is written");
    let gate = Running::gate_with(upstream.said_address("listening on"), file.path().to_str().expect("a path"));
    for _ in 0..6 {
        let request = "POST /v1/threads HTTP/1.1\r\nHost: gate\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";
        let mut answer = String::new();
        gate.ask(request).read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    }
    let admin = gate.said_address("admin on");
    std::fs::write(file.path(), format!("{CONFIG}[server]\nadmin = \"{admin}\"\n")).expect("is written");
    (upstream, gate, admin, file)
}

#[test]
fn diagnose_answers_the_four_questions() {
    let (_upstream, _gate, admin, _file) = after_some_requests();
    let Ended { said, complained, code } = heard(&["diagnose", "--admin", &admin.to_string()], &[]);
    assert_eq!(code, Some(0), "{complained}");
    for part in [
        "Which limit is hit?\n  None, but requests fail:\n  posts: The endpoint is gone: the last 6 answers to POST /v1/threads were 404",
        "Are there hidden limits?\n  None has shown.\n",
        "Is the upstream throttling?\n  No.\n",
        "What to do?\n  posts: Move to the Responses API",
    ] {
        assert!(said.contains(part), "no {part:?} in\n{said}");
    }
    let json = heard(&["diagnose", "--json"], &[("TIDEGATE_ADMIN", &admin.to_string())]).said;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["findings"][0]["diagnosis"]["cause"], "gone", "{json:#}");
    assert_eq!(json["findings"][0]["diagnosis"]["evidence"]["requested"], 6, "{json:#}");
}

#[test]
fn diagnose_without_a_gate_says_how_to_get_one() {
    let Ended { complained, code, .. } = tidegate(&["diagnose", "--admin", "127.0.0.1:1"], &[]);
    assert_eq!(code, Some(1));
    assert!(complained.contains("tidegate serve") && complained.contains("http://127.0.0.1:1/status"), "{complained}");
}

#[test]
fn explain_says_what_the_running_gate_knows() {
    let (_upstream, gate, _admin, file) = after_some_requests();
    let explain = ["explain", "POST", "/v1/threads", "--config", file.path().to_str().expect("a path")];
    let said = heard(&explain, &[]).said;
    assert!(said.contains("live     posts: The endpoint is gone:"), "{said}");
    let json =
        || serde_json::from_str::<Value>(&tidegate(&[&explain[..], &["--json"]].concat(), &[]).said).expect("JSON");
    // As JSON it does not say that the gate has been too slow.
    let known = comes(json, |json| json["pools"][0].get("diagnosis").is_some());
    assert_eq!(known["pools"][0]["diagnosis"]["cause"], "gone");
    drop(gate);
    let alone = json();
    assert!(alone["pools"][0].get("diagnosis").is_none() && alone["pools"][0].get("learned").is_none(), "{alone}");
    assert!(tidegate(&explain, &[]).said.contains("live     no gate answers at 127.0.0.1:"));
}

#[test]
fn diagnose_tells_a_wrong_key_from_a_limit() {
    let upstream = Running::start(&["mock", "--listen", "127.0.0.1:0", "--refuse", "invalid-api-key"], 1);
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), CONFIG).expect("is written");
    let gate = Running::gate_with(upstream.said_address("listening on"), file.path().to_str().expect("a path"));
    let request = "POST /v1/threads HTTP/1.1\r\nHost: gate\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";
    let mut answer = String::new();
    gate.ask(request).read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    let admin = gate.said_address("admin on").to_string();
    let said = heard(&["diagnose", "--admin", &admin], &[]).said;
    for part in [
        "None, but requests fail:\n  POST /v1/threads: ",
        "The last answer to POST /v1/threads is an error: 401, ",
        "POST /v1/threads: Check the API key",
    ] {
        assert!(said.contains(part), "no {part:?} in\n{said}");
    }
    let picture = heard(&["top", "--once", "--admin", &admin], &[]).said;
    assert!(picture.contains("rejected 401") && picture.contains("Check the API key"), "{picture}");
}
