use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method};
use serde_json::Value;

use super::json_body::tokens_of;
use crate::route::{self, Facts, Found};

/// A request, as far as the limits read it.
#[derive(Debug)]
pub(super) struct ArrivedRequest {
    pub(super) head: Parts,
    pub(super) found: Found,
    /// The body; null unless a limit depends on it.
    pub(super) body: Value,
    pub(super) read: Bytes,
}

/// The endpoints whose requests count for their model.
const OF_MODELS: [&str; 5] = ["/completions", "/responses", "/embeddings", "/moderations", "/messages"];
/// Those of them whose responses have no output tokens.
const SILENT: [&str; 2] = ["/embeddings", "/moderations"];
/// The output tokens counted for a request that sets no maximum; the gate counts the same (docs/upstream.md §2.2).
const USUAL_OUTPUT: u64 = 16;

impl ArrivedRequest {
    pub(super) fn seen(&self) -> ArrivedFacts<'_> {
        let content_type = self.head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        ArrivedFacts { arrival: self, body: route::Body::read(&self.read, content_type).unwrap_or_default() }
    }

    /// Whether it counts against a model's limits, if it names a model.
    pub(super) fn may_count_for_a_model(&self) -> bool {
        self.head.method == Method::POST && self.is_one_of(&OF_MODELS)
    }

    pub(super) fn model(&self) -> Option<&str> {
        self.body["model"].as_str()
    }

    /// The organization and the project, as far as the request names them.
    pub(super) fn account(&self) -> Option<String> {
        let named = ["openai-organization", "openai-project"].map(|name| self.head.headers.get(name));
        let named: Vec<_> = named.into_iter().flatten().filter_map(|value| value.to_str().ok()).collect();
        (!named.is_empty()).then(|| named.join(" "))
    }

    /// Its cost in tokens: an estimate of the input, plus the maximum of the output.
    pub(super) fn cost(&self) -> u32 {
        let input = u64::try_from(tokens_of(&self.body)).unwrap_or(u64::MAX);
        let most = ["max_completion_tokens", "max_tokens", "max_output_tokens"].map(|field| self.body[field].as_u64());
        let output = if self.is_one_of(&SILENT) { 0 } else { USUAL_OUTPUT };
        let output = most.into_iter().flatten().next().unwrap_or(output);
        u32::try_from(input.saturating_add(output)).unwrap_or(u32::MAX)
    }

    /// Whatever base path stands before it.
    fn is_one_of(&self, endpoints: &[&str]) -> bool {
        endpoints.iter().any(|endpoint| self.head.uri.path().ends_with(endpoint))
    }
}

/// A request, as the routes read it.
pub(super) struct ArrivedFacts<'a> {
    arrival: &'a ArrivedRequest,
    body: route::Body<'a>,
}

impl Facts for ArrivedFacts<'_> {
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
