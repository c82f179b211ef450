use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{SpanContext, SpanKind, TraceContextExt, TraceFlags};
use opentelemetry::{Context, Key, KeyValue};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Config, SamplingDecision, SpanData, SpanExporter as _};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::context::TraceContext;
use super::trace::RequestTrace;
use super::{AccessLine, OpenError};
use crate::config::Collector;
use crate::upstream::Dialer;

/// The traces of requests, on their way to a collector over OTLP.
#[derive(Debug)]
pub(super) struct Traces {
    /// Who is traced, and under which ids: what the client says, else `OTEL_TRACES_SAMPLER`, else everybody.
    config: Config,
    spans: mpsc::Sender<SpanData>,
    lost: Arc<AtomicU64>,
    closing: CancellationToken,
    delivering: TaskTracker,
}

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// How many spans may be on their way, and how many go at once: a guess, and what OpenTelemetry's batch processor sends
/// (`OTEL_BSP_MAX_EXPORT_BATCH_SIZE`).
const BEHIND: usize = 8_192;
const AT_ONCE: usize = 512;

/// How long a connection to the collector and its answer may take, and the last spans when the gate ends. The answer's
/// time is OpenTelemetry's default (`OTEL_EXPORTER_OTLP_TIMEOUT`), the others are guesses.
const CONNECTS: Duration = Duration::from_secs(5);
const ANSWERS: Duration = Duration::from_secs(10);
const ENDS: Duration = Duration::from_secs(5);

/// Between two deliveries, so that those who come one by one go together. A guess.
const GATHER: Duration = Duration::from_millis(200);

impl Traces {
    pub(super) fn open(collector: &Collector) -> Result<Self, OpenError> {
        let mut exporter = exporter(collector)?;
        exporter.set_resource(&resource());
        let (spans, coming) = mpsc::channel(BEHIND);
        let (lost, closing, delivering) = (Arc::default(), CancellationToken::new(), TaskTracker::new());
        let delivery = Delivery { exporter, lost: Arc::clone(&lost), is_down: false };
        delivering.spawn(delivery.run(coming, closing.clone()));
        delivering.close();
        Ok(Self { config: Config::default(), spans, lost, closing, delivering })
    }

    /// Begins the span of a request, unless it is not to be traced; then its headers stay what they are.
    pub(super) fn begin(&self, route: &str, headers: &mut HeaderMap) -> Option<TraceContext> {
        let told = TraceContextPropagator::new().extract_with_context(&Context::new(), &HeaderExtractor(headers));
        let parent = told.span().span_context().clone();
        let ids = &self.config.id_generator;
        let trace = if parent.is_valid() { parent.trace_id() } else { ids.new_trace_id() };
        let sampled = self.config.sampler.should_sample(Some(&told), trace, route, &SpanKind::Server, &[], &[]);
        if sampled.decision != SamplingDecision::RecordAndSample {
            return None;
        }
        let state = sampled.trace_state;
        let context = SpanContext::new(trace, ids.new_span_id(), TraceFlags::SAMPLED, false, state);
        let names = format!("00-{trace}-{}-01", context.span_id());
        headers.insert(TRACEPARENT, HeaderValue::try_from(names).ok()?);
        if !parent.is_valid() {
            // It belongs to a trace that nobody can name (W3C Trace Context §3.4).
            headers.remove(TRACESTATE);
        }
        Some(TraceContext { context, parent })
    }

    pub(super) fn end(&self, line: &AccessLine<'_>, trace: &RequestTrace) {
        let Some(context) = trace.context() else { return };
        for span in context.spans(line, trace.arrived(), &trace.take_spans(), &*self.config.id_generator) {
            if self.spans.try_send(span).is_err() {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    pub(super) async fn close(&self) {
        self.closing.cancel();
        if timeout(ENDS, self.delivering.wait()).await.is_err() {
            tracing::warn!("the last traces are lost: the collector does not take them");
        }
    }
}

/// What takes the spans to the collector.
struct Delivery {
    exporter: SpanExporter,
    lost: Arc<AtomicU64>,
    /// That it is down has been said.
    is_down: bool,
}

impl Delivery {
    async fn run(mut self, mut spans: mpsc::Receiver<SpanData>, closing: CancellationToken) {
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                biased;
                () = closing.cancelled(), if !spans.is_closed() => spans.close(),
                count = spans.recv_many(&mut batch, AT_ONCE) => match count {
                    0 => return,
                    _ => self.deliver(mem::take(&mut batch)).await,
                },
            }
            let _ = timeout(GATHER, closing.cancelled()).await;
        }
    }

    /// Those that cannot be delivered are lost.
    async fn deliver(&mut self, spans: Vec<SpanData>) {
        let delivered = self.exporter.export(spans).await;
        match &delivered {
            Err(error) if !self.is_down => tracing::warn!(%error, "traces cannot be delivered, and are lost"),
            Ok(()) if self.is_down => tracing::info!("traces are delivered again"),
            _ => {}
        }
        self.is_down = delivered.is_err();
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(spans = lost, "the collector does not keep up: spans are lost");
        }
    }
}

fn exporter(collector: &Collector) -> Result<SpanExporter, OpenError> {
    let dialer = Dialer::new(collector.traces(), None, CONNECTS, false);
    let dialer = dialer.map_err(|error| OpenError::Collector(error.to_string()))?;
    let client = HyperClient::new(dialer, ANSWERS, None);
    let exporter = SpanExporter::builder().with_http().with_http_client(client).with_protocol(Protocol::HttpBinary);
    let built = exporter.with_endpoint(collector.traces().to_string()).build();
    built.map_err(|error| OpenError::Collector(error.to_string()))
}

/// Who tells: "tidegate", unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` say otherwise.
fn resource() -> Resource {
    let told = Resource::builder().build();
    let name = told.get(&Key::from_static_str("service.name")).map(|name| name.to_string()).unwrap_or_default();
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = Resource::builder().with_attribute(version);
    if name.starts_with("unknown_service") { resource.with_service_name("tidegate") } else { resource }.build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::tests::{Logged, line};
    use tokio::net::TcpListener;
    use tokio::time::{Instant, sleep};

    #[tokio::test(start_paused = true)]
    async fn a_collector_that_does_not_keep_up_loses_spans_holds_up_nobody_and_is_told_of() {
        let (logged, _listening) = Logged::listen();
        let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", silent.local_addr().expect("an address"));
        let traces = Traces::open(&Collector::new(&url).expect("a URL")).expect("a collector");
        for _ in 0..BEHIND + 100 {
            let span = traces.begin("default", &mut HeaderMap::new());
            traces.end(&line(), &RequestTrace::new(Instant::now(), span));
        }
        sleep((ANSWERS + GATHER) * 30).await;
        let said = logged.text();
        assert_eq!(said.matches("spans are lost spans=100").count(), 1, "{said}");
        assert_eq!(said.matches("traces cannot be delivered").count(), 1, "{said}");
    }
}
