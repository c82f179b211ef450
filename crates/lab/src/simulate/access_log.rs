//! Traffic from the gate's own access log: each request is repeated on the route that it took.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;

use super::pattern::Pattern;
use super::recorded::{RecordedRequest, traffic};
use super::traffic::{ClientGroup, RequestTemplate, Traffic};
use super::traffic_error::TrafficError;
use crate::route::Priority;

/// A line of the log, as far as it decides the outcome of the request.
#[derive(Debug, Deserialize)]
struct LogLine {
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    method: String,
    route: String,
    client: Option<String>,
    source: Option<String>,
    upstream_ms: Option<f64>,
    model: Option<String>,
    tokens: Option<u32>,
    priority: Option<String>,
}

/// What requests of one stream have in common.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Alike {
    method: String,
    route: String,
    client: Option<String>,
    model: Option<String>,
    priority: Option<Priority>,
}

/// The upstream's latency on a route where no line has one. A guess: the default of a scenario's `latency`.
const UNKNOWN: Duration = Duration::from_millis(300);

pub(super) fn read(name: &str, text: &str) -> Result<Traffic, TrafficError> {
    let (mut lines, mut others) = (Vec::new(), 0);
    for (index, text) in text.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
        // serde's message may quote the line.
        let value: serde_json::Value = serde_json::from_str(text)
            .map_err(|_| TrafficError::at(name, index + 1, "neither JSON nor, as a whole, a HAR"))?;
        match (value.get("route").is_some(), LogLine::deserialize(&value)) {
            (true, Ok(line)) => lines.push(line),
            (true, Err(_)) => {
                let what = "a line of an access log has at (RFC 3339), method and route, and times in milliseconds";
                return Err(TrafficError::at(name, index + 1, what));
            }
            (false, _) => others += 1,
        }
    }
    let shared = lines.len();
    lines.retain(|line| line.source.as_deref() != Some("coalesced"));
    let shared = shared - lines.len();
    if lines.is_empty() {
        let mend = "the gate writes one with [log] access = \"json\"";
        return Err(TrafficError::nothing(name, "no request in it", mend));
    }
    let mut notes = vec![
        "The log has neither paths nor bodies: what a pool is keyed by in them is one and the same here. Of what passed at \
         once, what [log] sample left out is missing here as well."
            .to_owned(),
    ];
    if others > 0 {
        notes.push(format!("{others} other lines are passed over."));
    }
    if shared > 0 {
        notes.push(format!("{shared} shared another's call and cost nothing; they are left out."));
    }
    Ok(replay(lines, notes))
}

fn replay(lines: Vec<LogLine>, mut notes: Vec<String>) -> Traffic {
    let usual = usual(&lines);
    let untold = lines.iter().filter(|line| line.upstream_ms.is_none()).count();
    if untold > 0 {
        notes.push(format!("{untold} never reached the upstream; here they would take what is usual on their route."));
    }
    let mut streams: IndexMap<Alike, Vec<RecordedRequest>> = IndexMap::new();
    for line in lines {
        let usual = usual.get(&line.route).copied().unwrap_or(UNKNOWN);
        let latency = line.upstream_ms.map_or(usual, millis);
        let recorded = RecordedRequest { at: line.at, latency, tokens: line.tokens };
        let LogLine { method, route, client, model, priority, .. } = line;
        let priority = priority.and_then(|priority| priority.parse().ok());
        streams.entry(Alike { method, route, client, model, priority }).or_default().push(recorded);
    }
    traffic(streams.into_iter().map(|(alike, recorded)| (kind(alike), recorded)).collect(), notes)
}

/// The mean latency of each route.
fn usual(lines: &[LogLine]) -> HashMap<String, Duration> {
    let mut sums: HashMap<&str, (f64, f64)> = HashMap::new();
    for (line, took) in lines.iter().filter_map(|line| Some((line, line.upstream_ms?))) {
        let (sum, count) = sums.entry(&line.route).or_default();
        (*sum, *count) = (*sum + took, *count + 1.0);
    }
    sums.into_iter().map(|(route, (sum, count))| (route.to_owned(), millis(sum / count))).collect()
}

/// A request of this route. Each has a target of its own, so that requests that had calls of their own do not share one.
fn kind(Alike { method, route, client, model, priority }: Alike) -> RequestTemplate {
    let template = route.split_once(' ').map_or("/", |(_, template)| template);
    let segments = template.split('/').map(|segment| match segment.strip_prefix("{*") {
        Some(_) => "rest/of/the/path",
        None => segment.trim_matches(['{', '}']),
    });
    let target = format!("{}?request={{number}}", segments.collect::<Vec<_>>().join("/"));
    let path = Pattern::parse(&target).unwrap_or_else(|_| Pattern::literal("/"));
    let body = model.map_or(String::new(), |model| json!({ "model": model }).to_string());
    let client = client.or(Some(String::new()));
    RequestTemplate { method, path, sender: Arc::new(ClientGroup { client, priority, body, ..ClientGroup::default() }) }
}

fn millis(millis: f64) -> Duration {
    Duration::try_from_secs_f64(millis / 1_000.0).unwrap_or(UNKNOWN)
}
