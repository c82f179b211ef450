use std::time::SystemTime;

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry::{Array, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::{IdGenerator, SpanData, SpanEvents, SpanLinks};

use super::Entry;
use super::story::{Kind, Story};

/// The span of a request that is traced.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) context: SpanContext,
    /// The client's own; invalid if it told of none.
    pub(super) parent: SpanContext,
}

impl Span {
    /// The request's span, and one within it for each wait and each call.
    pub(super) fn told(&self, entry: &Entry<'_>, story: &Story, ids: &dyn IdGenerator) -> Vec<SpanData> {
        let steps = story.take_steps();
        let last_call = steps.iter().rposition(|step| step.kind != Kind::Wait);
        let within = steps.iter().enumerate().map(|(index, step)| {
            let from = entry.at + (step.from - story.came());
            // To its last byte the last call lasts, and the others to the head that refused it.
            let lasted = if Some(index) == last_call { entry.upstream } else { step.to.map(|to| to - step.from) };
            let to = lasted.map_or(entry.at + entry.total, |lasted| from + lasted);
            self.step(step.kind, (from, to), ids.new_span_id())
        });
        let within: Vec<SpanData> = within.collect();
        [vec![self.request(entry)], within].concat()
    }

    /// Named as the semantic conventions for HTTP have it, less what would give a path away.
    fn request(&self, entry: &Entry<'_>) -> SpanData {
        let is_error = entry.ended == "failed" || entry.status.is_some_and(|status| status >= 500);
        SpanData {
            parent_span_is_remote: self.parent.is_valid(),
            span_kind: SpanKind::Server,
            attributes: attributes(entry),
            status: if is_error { Status::error(entry.code.unwrap_or_default()) } else { Status::Unset },
            ..data(
                self.context.clone(),
                self.parent.span_id(),
                entry.route.to_owned(),
                (entry.at, entry.at + entry.total),
            )
        }
    }

    fn step(&self, kind: Kind, times: (SystemTime, SystemTime), id: SpanId) -> SpanData {
        let context = SpanContext::new(self.context.trace_id(), id, TraceFlags::SAMPLED, false, TraceState::NONE);
        let within = self.context.span_id();
        let Kind::Call(status) = kind else {
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

fn attributes(entry: &Entry<'_>) -> Vec<KeyValue> {
    let pools = entry.pools.iter().map(|pool| StringValue::from((*pool).to_owned())).collect();
    let always = [
        KeyValue::new("http.request.method", entry.method.to_owned()),
        KeyValue::new("tidegate.route", entry.route.to_owned()),
        KeyValue::new("tidegate.pools", Value::Array(Array::String(pools))),
        KeyValue::new("tidegate.client", entry.client.clone()),
        KeyValue::new("tidegate.ended", entry.ended),
        number("tidegate.attempts", entry.attempts),
        KeyValue::new("tidegate.wait_ms", entry.wait.as_secs_f64() * 1e3),
    ];
    let sometimes = [
        entry.status.map(|status| number("http.response.status_code", status)),
        entry.upstream.map(|time| KeyValue::new("tidegate.upstream_ms", time.as_secs_f64() * 1e3)),
        entry.source.map(|source| KeyValue::new("tidegate.source", source)),
        entry.code.map(|code| KeyValue::new("tidegate.code", code)),
        entry.priority.map(|priority| KeyValue::new("tidegate.priority", priority)),
        entry.tokens.map(|tokens| number("tidegate.tokens", tokens)),
        entry.model.as_ref().map(|model| KeyValue::new("gen_ai.request.model", model.clone())),
    ];
    always.into_iter().chain(sometimes.into_iter().flatten()).collect()
}

fn number(key: &'static str, value: impl Into<i64>) -> KeyValue {
    KeyValue::new(key, value.into())
}
