use std::time::SystemTime;

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry::{Array, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::{IdGenerator, SpanData, SpanEvents, SpanLinks};
use tokio::time::Instant;

use super::AccessLine;
use super::span::{Span, Stage};

/// The ids of a request that is traced.
#[derive(Clone, Debug)]
pub(super) struct TraceContext {
    pub(super) context: SpanContext,
    /// The client's own; invalid if the client sent none.
    pub(super) parent: SpanContext,
}

impl TraceContext {
    /// The span of the request that arrived then, and one within it for each of these waits and calls.
    pub(super) fn spans(
        &self,
        line: &AccessLine<'_>,
        arrived: Instant,
        spans: &[Span],
        ids: &dyn IdGenerator,
    ) -> Vec<SpanData> {
        let last_call = spans.iter().rposition(|span| span.stage != Stage::Queued);
        let within = spans.iter().enumerate().map(|(index, span)| {
            let from = line.at + (span.from - arrived);
            // The last call ends with the response's last byte, the others with the head that refused the request.
            let lasted = if Some(index) == last_call { line.upstream } else { span.to.map(|to| to - span.from) };
            let to = lasted.map_or(line.at + line.total, |lasted| from + lasted);
            self.stage(span.stage, (from, to), ids.new_span_id())
        });
        let within: Vec<SpanData> = within.collect();
        [vec![self.request(line)], within].concat()
    }

    /// Named as the semantic conventions for HTTP have it, less what would give a path away.
    fn request(&self, line: &AccessLine<'_>) -> SpanData {
        let is_error = line.ended == "failed" || line.status.is_some_and(|status| status >= 500);
        SpanData {
            parent_span_is_remote: self.parent.is_valid(),
            span_kind: SpanKind::Server,
            attributes: attributes(line),
            status: if is_error { Status::error(line.code.unwrap_or_default()) } else { Status::Unset },
            ..data(self.context.clone(), self.parent.span_id(), line.route.to_owned(), (line.at, line.at + line.total))
        }
    }

    fn stage(&self, stage: Stage, times: (SystemTime, SystemTime), id: SpanId) -> SpanData {
        let context = SpanContext::new(self.context.trace_id(), id, TraceFlags::SAMPLED, false, TraceState::NONE);
        let within = self.context.span_id();
        let Stage::Upstream(status) = stage else {
            return data(context, within, "wait".to_owned(), times);
        };
        let is_error = status.is_none_or(|status| status >= 400);
        SpanData {
            span_kind: SpanKind::Client,
            attributes: status.map(|status| number("http.response.status_code", status)).into_iter().collect(),
            status: if is_error { Status::error("") } else { Status::Unset },
            ..data(context, within, "upstream".to_owned(), times)
        }
    }
}

fn data(context: SpanContext, parent: SpanId, name: String, (from, to): (SystemTime, SystemTime)) -> SpanData {
    SpanData {
        span_context: context,
        parent_span_id: parent,
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: name.into(),
        start_time: from,
        end_time: to,
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::builder("tidegate")
            .with_version(env!("CARGO_PKG_VERSION"))
            .build(),
    }
}

fn attributes(line: &AccessLine<'_>) -> Vec<KeyValue> {
    let pools = line.pools.iter().map(|pool| StringValue::from((*pool).to_owned())).collect();
    let always = [
        KeyValue::new("http.request.method", line.method.to_owned()),
        KeyValue::new("tidegate.route", line.route.to_owned()),
        KeyValue::new("tidegate.pools", Value::Array(Array::String(pools))),
        KeyValue::new("tidegate.client", line.client.clone()),
        KeyValue::new("tidegate.ended", line.ended),
        number("tidegate.attempts", line.attempts),
        KeyValue::new("tidegate.wait_ms", line.wait.as_secs_f64() * 1e3),
    ];
    let sometimes = [
        line.status.map(|status| number("http.response.status_code", status)),
        line.upstream.map(|time| KeyValue::new("tidegate.upstream_ms", time.as_secs_f64() * 1e3)),
        line.source.map(|source| KeyValue::new("tidegate.source", source)),
        line.code.map(|code| KeyValue::new("tidegate.code", code)),
        line.priority.map(|priority| KeyValue::new("tidegate.priority", priority)),
        line.tokens.map(|tokens| number("tidegate.tokens", tokens)),
        line.model.as_ref().map(|model| KeyValue::new("gen_ai.request.model", model.clone())),
    ];
    always.into_iter().chain(sometimes.into_iter().flatten()).collect()
}

fn number(key: &'static str, value: impl Into<i64>) -> KeyValue {
    KeyValue::new(key, value.into())
}
