//! Traffic from a HAR, as browsers and proxies record it (<http://www.softwareishard.com/blog/har-12-spec/>). Headers, queries
//! and bodies decide pools and clients. They may be secret, and are never printed.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::pattern::Pattern;
use super::recorded::{RecordedRequest, traffic};
use super::traffic::{ClientGroup, RequestTemplate, Traffic};
use super::traffic_error::TrafficError;
use crate::client::POLL_HELPER;
use crate::route::Priority;

#[derive(Deserialize)]
struct Har {
    log: HarLog,
}

#[derive(Deserialize)]
struct HarLog {
    /// Each by itself: one that is odd costs no other.
    entries: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HarEntry {
    #[serde(with = "time::serde::rfc3339")]
    started_date_time: OffsetDateTime,
    /// Milliseconds to the last byte of the response.
    #[serde(default)]
    time: Option<f64>,
    request: HarRequest,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HarRequest {
    method: String,
    url: String,
    headers: Vec<HarHeader>,
    post_data: Option<HarPostData>,
}

#[derive(Deserialize)]
struct HarHeader {
    name: String,
    value: String,
}

#[derive(Deserialize)]
struct HarPostData {
    text: Option<String>,
}

/// Whether the text, which is JSON, starts like a HAR.
pub(super) fn is_one(text: &str) -> bool {
    let inside = text.trim_start().trim_start_matches('{').trim_start();
    inside.starts_with("\"log\"") && !inside["\"log\"".len()..].trim_start_matches([' ', ':']).starts_with('"')
}

pub(super) fn read(name: &str, text: &str) -> Result<Traffic, TrafficError> {
    // serde's message may quote the HAR.
    let har: Har = serde_json::from_str(text).map_err(|error| {
        let what = if error.is_data() { SHAPE } else { "the HAR is no whole JSON" };
        TrafficError::at(name, error.line(), what)
    })?;
    let all = har.log.entries.len();
    let read: Vec<HarEntry> =
        har.log.entries.into_iter().filter_map(|entry| HarEntry::deserialize(entry).ok()).collect();
    let odd = all - read.len();
    if all > 0 && read.is_empty() {
        return Err(TrafficError::at(name, 1, SHAPE));
    }
    let kinds: Vec<_> = read.into_iter().filter_map(recorded).collect();
    if kinds.is_empty() {
        let what = format!("none of its {all} requests is one of the API");
        return Err(TrafficError::nothing(name, what, "record an app that asks for paths below /v1/"));
    }
    let others = all - odd - kinds.len();
    let passed_over = [(others, "requests outside of /v1/ are"), (odd, "entries that cannot be read are")];
    let notes = passed_over.into_iter().filter(|(count, _)| *count > 0);
    Ok(traffic(kinds, notes.map(|(count, what)| format!("{count} {what} passed over.")).collect()))
}

/// What a HAR must have to be of use.
const SHAPE: &str = "a HAR has log.entries, each with startedDateTime, time and a request of method, url and headers";

/// The request, if it goes to the API.
fn recorded(
    HarEntry { started_date_time, time, request }: HarEntry,
) -> Option<(RequestTemplate, Vec<RecordedRequest>)> {
    let HarRequest { method, url, headers, post_data } = request;
    let target = &url[url.find("/v1/")?..];
    let headers = headers.into_iter().filter(|header| !header.name.starts_with(':'));
    let headers: Vec<_> = headers.map(|header| (header.name.to_ascii_lowercase(), header.value)).collect();
    let is_poll = headers.iter().any(|(name, _)| name == POLL_HELPER.as_str());
    let sender = ClientGroup {
        priority: is_poll.then_some(Priority::Low),
        body: post_data.and_then(|data| data.text).unwrap_or_default(),
        headers,
        ..ClientGroup::default()
    };
    let path = Pattern::literal(target.split('#').next().unwrap_or(target));
    let latency = Duration::try_from_secs_f64(time.unwrap_or(0.0) / 1_000.0).unwrap_or_default();
    let recorded = RecordedRequest { at: started_date_time, latency, tokens: None };
    Some((RequestTemplate { method, path, sender: Arc::new(sender) }, vec![recorded]))
}
