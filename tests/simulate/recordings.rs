//! What was recorded comes again, and nothing of it is told that may be secret.

use tidegate::client::{Clients, Sender};
use tidegate::config::{Config, DEFAULT, Source};
use tidegate_lab::simulate::{NamedOutcomes, TrafficError, read};

use super::scenarios::{config, simulated};

const LOG: &str = r#"{"at":"2026-11-25T12:00:02.000Z","method":"POST","route":"POST /v1/threads/{thread_id}/runs","client":"client-00000000000000aa","ended":"passed","status":200,"code":null,"source":"upstream","wait_ms":0,"upstream_ms":500,"attempts":1,"total_ms":501,"pools":["assistants-runs","assistants-post"],"priority":"normal"}
{"at":"2026-11-25T12:00:00.000Z","method":"POST","route":"POST /v1/threads/{thread_id}/runs","client":"client-00000000000000aa","ended":"refused","status":429,"code":"tidegate_wait_too_long","source":"tidegate","wait_ms":0,"upstream_ms":null,"attempts":0,"total_ms":1,"pools":["assistants-runs"],"priority":null}
{"at":"2026-11-25T12:00:01.000Z","method":"GET","route":"GET /v1/threads/{thread_id}/runs/{run_id}","client":"client-00000000000000bb","status":200,"source":"upstream","upstream_ms":100}
{"at":"2026-11-25T12:00:01.000Z","method":"GET","route":"GET /v1/threads/{thread_id}/runs/{run_id}","client":"client-00000000000000bb","status":200,"source":"upstream","upstream_ms":100}
{"at":"2026-11-25T12:00:01.050Z","method":"GET","route":"GET /v1/threads/{thread_id}/runs/{run_id}","client":"client-00000000000000bb","status":200,"source":"coalesced"}
{"at":"2026-11-25T12:00:04.000Z","method":"POST","route":"POST /v1/chat/completions","client":"client-00000000000000bb","status":200,"source":"upstream","upstream_ms":2000,"model":"gpt-4o","tokens":900}
{"timestamp":"2026-11-25T12:00:05Z","level":"INFO","message":"still waiting"}
{"at":"2026-11-25T12:00:04.500Z","method":"GET","route":"default","client":"client-00000000000000bb","status":404,"source":"upstream","upstream_ms":10}
"#;

fn shipped() -> Config {
    Config::parse(&Source::BuiltIn, DEFAULT).expect("the built-in configuration")
}

#[test]
fn an_access_log_is_replayed_by_the_routes_it_names() {
    let traffic = read("access.log", LOG).expect("a log");
    let report = simulated(&shipped(), &traffic);
    let named = |names: &[NamedOutcomes]| {
        names.iter().map(|named| (named.name.clone(), named.outcomes.requests)).collect::<Vec<_>>()
    };
    let routes = [
        ("default", 1),
        ("POST /v1/threads/{thread_id}/runs", 2),
        ("GET /v1/threads/{thread_id}/runs/{run_id}", 2),
        ("POST /v1/chat/completions", 1),
    ];
    assert_eq!(named(&report.routes), routes.map(|(name, count)| (name.to_owned(), count)));
    let clients = [("client-00000000000000aa", 2), ("client-00000000000000bb", 4)];
    assert_eq!(named(&report.clients), clients.map(|(name, count)| (name.to_owned(), count)));
    assert_eq!((report.whole.served, report.whole.shared), (6, 0), "two calls stay two calls");
    // The last to be answered came after 4 s, and took 2 s.
    assert!((report.completed_s - 6.0).abs() < 1e-9, "{}", report.completed_s);
    assert!(report.pool("models gpt-4o -").is_some() && report.pool("models, tokens gpt-4o -").is_some());
    let notes = report.notes.join("\n");
    for said in ["[log] sample", "1 other lines", "1 shared another's call", "1 never reached the upstream"] {
        assert!(notes.contains(said), "{said}: {notes}");
    }
}

const SECRET: &str = "sk-canary-0123456789";

fn har(entries: &str) -> String {
    format!(r#"{{"log":{{"version":"1.2","creator":{{"name":"x","version":"1"}},"entries":[{entries}]}}}}"#)
}

fn entry(at: &str, method: &str, url: &str, body: &str) -> String {
    let posted =
        if body.is_empty() { String::new() } else { format!(r#","postData":{{"text":{}}}"#, serde_json::json!(body)) };
    format!(
        r#"{{"startedDateTime":"{at}","time":250.5,"request":{{"method":"{method}","url":"{url}","httpVersion":"h2","headers":[{{"name":":authority","value":"x"}},{{"name":"Authorization","value":"Bearer {SECRET}"}}]{posted}}},"response":{{}}}}"#
    )
}

#[test]
fn a_har_is_replayed_with_its_bodies_and_its_secrets_stay_in_it() {
    let entries = [
        entry(
            "2026-11-25T12:00:00.000+01:00",
            "POST",
            "https://api.openai.com/v1/vector_stores",
            r#"{"file_ids":["a","b","c"]}"#,
        ),
        entry(
            "2026-11-25T11:00:01Z",
            "POST",
            &format!("https://api.openai.com/v1/chat/completions?key={SECRET}"),
            r#"{"model":"gpt-4o"}"#,
        ),
        entry("2026-11-25T11:00:02Z", "GET", "https://example.com/logo.png", ""),
        // What one entry lacks costs no other.
        entry(SECRET, "GET", "https://api.openai.com/v1/files", ""),
        "{}".to_owned(),
    ];
    let traffic = read("app.har", &har(&entries.join(","))).expect("a HAR");
    let report = simulated(&shipped(), &traffic);
    let files = report.pool("files-attached").expect("files are counted");
    assert!((files.limits[0].peak - 3.0 / 2_000.0).abs() < 1e-9, "{:?}", files.limits);
    assert_eq!(report.whole.served, 2);
    assert!((report.completed_s - 1.2505).abs() < 1e-9, "{}", report.completed_s);
    let said = serde_json::json!(report).to_string();
    assert!(!said.contains("canary") && said.contains("1 requests outside of /v1/"), "{said}");
    assert!(said.contains("2 entries that cannot be read"), "{said}");
}

#[test]
fn who_sends_what_tells_clients_apart_is_that_client_in_a_har_too() {
    let one = har(&entry("2026-11-25T11:00:00Z", "GET", "https://api.openai.com/v1/files", ""));
    let config = config("[clients]\nby = [\"authorization\"]");
    let report = simulated(&config, &read("app.har", &one).expect("a HAR"));
    let clients = Clients::new(&config.clients);
    let headers = [(http::header::AUTHORIZATION, format!("Bearer {SECRET}").parse().expect("a value"))];
    let who =
        clients.identify(Sender { headers: &headers.into_iter().collect(), query: None, peer: [127, 0, 0, 1].into() });
    assert_eq!(report.clients[0].name, Clients::label(who));
}

#[test]
fn what_cannot_be_read_is_said_with_its_place_and_without_what_it_says() {
    let bad_line = LOG.replace("2026-11-25T12:00:00.000Z", SECRET);
    let bad_time = har(&entry(SECRET, "GET", "https://api.openai.com/v1/files", ""));
    let elsewhere = har(&entry("2026-11-25T11:00:00Z", "GET", "https://example.com/", ""));
    for (text, place, what) in [
        (&*bad_line, "it:2: ", "at (RFC 3339)"),
        (&format!("{LOG}{{\"at\": {SECRET}"), "it:9: ", "neither JSON"),
        (&bad_time, "it:1: ", "startedDateTime"),
        (&har("")[..30], "it:1: ", "no whole JSON"),
        (&elsewhere, "it: ", "none of its 1 requests"),
        ("{\"level\":\"INFO\"}", "it: ", "access = \"json\""),
    ] {
        let Err(error @ TrafficError::Recording { .. }) = read("it", text) else { panic!("{text} is no recording") };
        let said = error.to_string();
        assert!(said.starts_with(place) && said.contains(what) && !said.contains("canary"), "{said}");
    }
}
