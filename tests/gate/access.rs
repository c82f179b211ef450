//! The access log: a line for each request at its end, with what it went through and nothing of what it said.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::net::TcpListener;

use super::house::{House, Wire, accept, assert_untouched, upstream};
use super::resend::{ok, refusal};
use crate::clock::{self, Clock};

/// How long an upstream takes, or a turn.
const SLOW: Duration = Duration::from_millis(30);

const ROUTES: &str = r#"
[pools.one]
in_flight = 1

[pools.never]
requests = ["1/h"]
when_full = "refuse"

[pools.models]
requests = ["100/s"]
tokens = ["100000/min"]
key = ["account", "body.model"]

[[routes]]
match = "GET /v1/one/{id}"
pools = ["one"]

[[routes]]
match = "GET /v1/never"
pools = ["never"]

[[routes]]
match = "POST /v1/chat"
pools = ["models"]
priority = "low"

[[routes]]
match = "GET /v1/runs/{run}"
coalesce = true
"#;

/// A gate that writes an access log, before an upstream of the test's own.
struct Told {
    house: House,
    listener: TcpListener,
    folder: TempDir,
}

impl Told {
    /// With this in its `[log]`.
    async fn open(log: &str) -> Self {
        let (listener, address) = upstream().await;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("access");
        let config = format!("[log]\n{log}\naccess_file = \"{}\"\n{ROUTES}", file.display());
        Self { house: House::open(&config, address).await, listener, folder }
    }

    async fn json() -> Self {
        Self::open("access = \"json\"").await
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("access")
    }

    async fn ask(&self, request: &str) -> Wire {
        let mut client = self.house.connect().await;
        client.send(request).await;
        client
    }

    /// The next request at the upstream.
    async fn arrived(&self) -> Wire {
        let mut server = accept(&self.listener).await;
        server.until("\r\n\r\n").await;
        server
    }

    /// Asks, and has it answered with this.
    async fn passes(&self, request: &str, answer: &str) {
        let mut client = self.ask(request).await;
        self.arrived().await.send(answer).await;
        client.rest().await;
    }

    /// The lines, once there are so many.
    async fn lines(&self, count: usize) -> Vec<String> {
        let read = || std::fs::read_to_string(self.file()).expect("a text");
        clock::until("a line of the log", || read().lines().count() >= count).await;
        read().lines().map(str::to_owned).collect()
    }

    /// The last of so many lines, as an object.
    async fn line(&self, count: usize) -> Value {
        let lines = self.lines(count).await;
        assert_eq!(lines.len(), count, "{lines:?}");
        serde_json::from_str(&lines[count - 1]).expect("JSON")
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n")
}

/// What it says under these names.
fn said<const N: usize>(line: &Value, names: [&str; N]) -> [Value; N] {
    names.map(|name| line[name].clone())
}

fn ms(line: &Value, name: &str) -> u64 {
    line[name].as_u64().unwrap_or_else(|| panic!("no {name} in {line}"))
}

#[tokio::test]
async fn a_request_that_passes_has_a_line_with_all_there_is_to_know() {
    let (clock, told, began) = (Clock::stop(), Told::json().await, OffsetDateTime::now_utc());
    let mut client = told.ask(&get("/v1/one/secret-id?key=secret")).await;
    let mut server = told.arrived().await;
    clock.step(SLOW).await;
    server.send(ok()).await;
    client.rest().await;
    let line = told.line(1).await;
    let names = ["method", "route", "ended", "status", "code", "source", "attempts", "wait_ms", "pools", "priority"];
    let expected = json!(["GET", "GET /v1/one/{id}", "passed", 200, null, "upstream", 1, 0, ["one"], "normal"]);
    assert_eq!(json!(said(&line, names)), expected);
    assert_eq!(said(&line, ["upstream_ms", "total_ms"]), [json!(30), json!(30)]);
    assert!(line["client"].as_str().is_some_and(|client| client.starts_with("client-")), "{line}");
    let at = OffsetDateTime::parse(line["at"].as_str().expect("a text"), &Rfc3339).expect("a time");
    // It is said in whole milliseconds, and the clock on the wall has not stopped.
    assert!(at >= began - SLOW - Duration::from_millis(1) && at <= OffsetDateTime::now_utc() - SLOW, "{began} {line}");
    assert!(!line.to_string().contains("secret") && line.get("model").is_none() && line.get("tokens").is_none());
}

#[tokio::test]
async fn who_waited_is_told_of_with_his_wait() {
    let (clock, told) = (Clock::stop(), Told::json().await);
    let mut first = told.ask(&get("/v1/one/1")).await;
    let mut server = told.arrived().await;
    let mut second = told.ask(&get("/v1/one/2")).await;
    told.house.lets_it_wait(&clock, SLOW).await;
    server.send(ok()).await;
    first.rest().await;
    told.arrived().await.send(ok()).await;
    second.rest().await;
    let line = told.line(2).await;
    assert_eq!(said(&line, ["ended", "status", "attempts"]), [json!("passed"), json!(200), json!(1)]);
    assert_eq!(said(&line, ["wait_ms", "upstream_ms", "total_ms"]), [json!(30), json!(0), json!(30)]);
}

#[tokio::test]
async fn a_refusal_is_told_of_with_its_code() {
    let told = Told::json().await;
    told.passes(&get("/v1/never"), &ok()).await;
    let came = told.house.ask(&get("/v1/never")).await;
    assert!(came.starts_with("HTTP/1.1 429"), "{came}");
    let line = told.line(2).await;
    let names = ["ended", "status", "code", "source", "attempts", "upstream_ms"];
    assert_eq!(json!(said(&line, names)), json!(["refused", 429, "tidegate_queue_full", "tidegate", 0, null]));
}

#[tokio::test]
async fn what_the_upstream_refused_is_told_of_once_with_both_attempts() {
    let (clock, told) = (Clock::stop(), Told::json().await);
    let mut client = told.ask(&get("/v1/one/1")).await;
    told.arrived().await.send(refusal()).await;
    told.house.lets_it_go(&clock).await;
    told.arrived().await.send(ok()).await;
    client.rest().await;
    let line = told.line(1).await;
    assert_eq!(said(&line, ["ended", "status", "attempts"]), [json!("passed"), json!(200), json!(2)]);
}

#[tokio::test]
async fn who_shares_a_call_is_told_of_as_well() {
    let told = Told::json().await;
    let mut first = told.ask(&get("/v1/runs/1")).await;
    let mut server = told.arrived().await;
    let mut second = told.ask(&get("/v1/runs/1")).await;
    clock::until("both have asked", || told.house.gate.coalesced()[0].asked == 2).await;
    server.send(ok()).await;
    first.rest().await;
    second.rest().await;
    assert_untouched(&told.listener).await;
    let lines = told.lines(2).await;
    let shared = lines.iter().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let mut shared: Vec<_> = shared.map(|line| json!(said(&line, ["source", "attempts", "ended"]))).collect();
    shared.sort_by_key(ToString::to_string);
    assert_eq!(json!(shared), json!([["coalesced", 0, "passed"], ["upstream", 1, "passed"]]));
}

#[tokio::test]
async fn of_a_client_that_left_it_is_told_what_it_did_not_stay_for() {
    let (clock, told) = (Clock::stop(), Told::json().await);
    let first = told.ask(&get("/v1/one/1")).await;
    let _server = told.arrived().await;
    let second = told.ask(&get("/v1/one/2")).await;
    told.house.lets_it_wait(&clock, SLOW).await;
    drop(second);
    let line = told.line(1).await;
    assert_eq!(json!(said(&line, ["ended", "status", "source", "attempts"])), json!(["left", null, null, 0]));
    assert_eq!((ms(&line, "wait_ms"), ms(&line, "total_ms")), (30, 30), "{line}");
    drop(first);
    let line = told.line(2).await;
    assert_eq!(json!(said(&line, ["ended", "status", "source", "attempts"])), json!(["left", null, null, 1]));
    assert_eq!((ms(&line, "upstream_ms"), ms(&line, "total_ms")), (30, 30), "{line}");
}

#[tokio::test]
async fn the_model_and_the_tokens_are_told_where_a_pool_counts_them() {
    let told = Told::json().await;
    let body = r#"{"model": "gpt-4o", "messages": [{"role": "user", "content": "secret"}], "max_tokens": 100}"#;
    let head = format!("POST /v1/chat HTTP/1.1\r\nHost: o\r\nConnection: close\r\nContent-Length: {}", body.len());
    told.passes(&format!("{head}\r\nAuthorization: Bearer secret\r\n\r\n{body}"), &ok()).await;
    let line = told.line(1).await;
    assert_eq!(json!(said(&line, ["model", "priority", "pools"])), json!(["gpt-4o", "low", ["models"]]));
    assert!((100..200).contains(&ms(&line, "tokens")), "{line}");
    assert!(!line.to_string().contains("secret"), "{line}");
}

#[tokio::test]
async fn of_those_that_pass_at_once_a_share_is_told_and_of_others_all() {
    let (clock, told) = (Clock::stop(), Told::open("access = \"json\"\nsample = 0.0").await);
    for id in 0..20 {
        told.passes(&get(&format!("/v1/one/{id}")), &ok()).await;
    }
    told.passes(&get("/v1/never"), &ok()).await;
    told.house.ask(&get("/v1/never")).await;
    let mut client = told.ask(&get("/v1/one/1")).await;
    told.arrived().await.send(refusal()).await;
    told.house.lets_it_go(&clock).await;
    told.arrived().await.send(ok()).await;
    client.rest().await;
    told.house.gate.telemetry().close().await;
    let lines = told.lines(2).await;
    assert!(lines.len() == 2 && lines[0].contains("refused") && lines[1].contains("\"attempts\":2"), "{lines:?}");
}

#[tokio::test]
async fn an_error_of_the_upstream_is_told_whatever_share_is() {
    let told = Told::open("access = \"json\"\nsample = 0.0").await;
    told.passes(&get("/v1/one/1"), &ok()).await;
    for status in ["401 Unauthorized", "500 Internal Server Error"] {
        let error = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        told.passes(&get("/v1/one/1"), &error).await;
    }
    told.house.gate.telemetry().close().await;
    let lines = told.lines(2).await;
    assert!(lines.len() == 2 && lines[0].contains(":401,") && lines[1].contains(":500,"), "{lines:?}");
}

#[tokio::test]
async fn a_line_of_text_begins_with_when_what_and_which() {
    let told = Told::open("access = \"text\"").await;
    told.passes(&get("/v1/one/1"), &ok()).await;
    let line = told.lines(1).await.remove(0);
    let words: Vec<&str> = line.split(' ').collect();
    assert!(
        OffsetDateTime::parse(words[0], &Rfc3339).is_ok() && words[0].len() == "2026-11-25T12:45:40.123Z".len(),
        "{line}"
    );
    assert!(line[words[0].len()..].starts_with(" 200 GET \"GET /v1/one/{id}\" passed total_ms="), "{line}");
    assert!(
        line.contains(" attempts=1 source=upstream client=client-") && line.ends_with(" priority=normal"),
        "{line}"
    );
}

#[tokio::test]
async fn a_method_of_the_clients_own_making_is_not_told() {
    let told = Told::json().await;
    told.passes(&get("/v1/other").replace("GET", "SECRET"), &ok()).await;
    let line = told.line(1).await;
    assert_eq!(said(&line, ["method", "route"]), [json!("_OTHER"), json!("default")]);
    assert!(!line.to_string().contains("SECRET"), "{line}");
}
