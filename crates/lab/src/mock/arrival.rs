use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method};
use serde_json::Value;

use super::complaint::Complaint;
use super::sent::tokens_of;
use super::world::World;
use crate::route::{self, Facts, Found};

/// A request, as far as the limits look into it.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) head: Parts,
    pub(super) found: Found,
    /// The body; null where nobody needs to know it.
    pub(super) body: Value,
    pub(super) read: Bytes,
}

/// The endpoints whose requests count for their model.
const OF_MODELS: [&str; 5] = ["chat/completions", "completions", "responses", "embeddings", "moderations"];
/// Those of them that write nothing.
const SILENT: [&str; 2] = ["embeddings", "moderations"];
/// How many tokens an answer is taken to have that may have any number. As the gate does (docs/upstream.md §2.2).
const USUAL_OUTPUT: u64 = 16;

impl Arrival {
    /// Reads as much of a request as must be known, and hands its body on.
    pub(super) async fn read(world: &World, request: Request) -> Result<(Self, Body), Complaint> {
        let (head, body) = request.into_parts();
        let found = world.limits.find(head.method.as_str(), head.uri.path());
        let mut arrival = Self { head, found, body: Value::Null, read: Bytes::new() };
        if !world.limits.reads_body(&arrival) {
            return Ok((arrival, body));
        }
        let read = to_bytes(body, usize::MAX).await.map_err(|error| Complaint::bad_request(error.to_string()))?;
        arrival.body = serde_json::from_slice(&read).unwrap_or_default();
        arrival.read = read.clone();
        Ok((arrival, Body::from(read)))
    }

    pub(super) fn seen(&self) -> Seen<'_> {
        let content_type = self.head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        Seen { arrival: self, body: route::Body::read(&self.read, content_type).unwrap_or_default() }
    }

    /// Whether it counts for a model if it names one.
    pub(super) fn may_count_for_a_model(&self) -> bool {
        self.head.method == Method::POST && OF_MODELS.contains(&self.endpoint())
    }

    pub(super) fn model(&self) -> Option<&str> {
        self.body["model"].as_str()
    }

    /// The organization and the project that it names.
    pub(super) fn account(&self) -> Option<String> {
        let named = ["openai-organization", "openai-project"].map(|name| self.head.headers.get(name));
        let named: Vec<_> = named.into_iter().flatten().filter_map(|value| value.to_str().ok()).collect();
        (!named.is_empty()).then(|| named.join(" "))
    }

    /// What it costs in tokens: the input, about, and as many as the output may have.
    pub(super) fn cost(&self) -> u32 {
        let input = u64::try_from(tokens_of(&self.body)).unwrap_or(u64::MAX);
        let most = ["max_completion_tokens", "max_tokens", "max_output_tokens"].map(|field| self.body[field].as_u64());
        let output = if SILENT.contains(&self.endpoint()) { 0 } else { USUAL_OUTPUT };
        let output = most.into_iter().flatten().next().unwrap_or(output);
        u32::try_from(input.saturating_add(output)).unwrap_or(u32::MAX)
    }

    fn endpoint(&self) -> &str {
        let path = self.head.uri.path();
        path.strip_prefix("/v1/").unwrap_or(path)
    }
}

/// A request as its routes look at it.
pub(super) struct Seen<'a> {
    arrival: &'a Arrival,
    body: route::Body<'a>,
}

impl Facts for Seen<'_> {
    fn header(&self, name: &str) -> Option<&[u8]> {
        self.arrival.head.headers.get(name).map(HeaderValue::as_bytes)
    }

    fn body(&self) -> Option<&route::Body<'_>> {
        Some(&self.body)
    }

    fn tokens(&self) -> Option<u32> {
        Some(self.arrival.cost())
    }
}
