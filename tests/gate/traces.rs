//! Traces: a span for each request goes to a collector over OTLP, in the trace of whoever asked, and on to the upstream.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::house::{House, accept, nobody, upstream};
use super::resend::{ok, refusal};
use crate::clock::{Clock, in_time};

const ROUTES: &str = r#"
[pools.one]
in_flight = 1

[[routes]]
match = "GET /v1/one/{id}"
pools = ["one"]
"#;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// What takes traces, decoded as the protocol has them.
struct Collector {
    address: SocketAddr,
    exported: UnboundedReceiver<ExportTraceServiceRequest>,
}

impl Collector {
    async fn open() -> Self {
        let (sender, exported) = unbounded_channel();
        let take = post(async move |body: Bytes| {
            sender.send(ExportTraceServiceRequest::decode(body).expect("OTLP")).expect("somebody looks");
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(axum::serve(listener, Router::new().route("/v1/traces", take)).into_future());
        Self { address, exported }
    }

    async fn export(&mut self) -> ExportTraceServiceRequest {
        in_time("it is exported", self.exported.recv()).await.expect("it is open")
    }

    /// So many spans, the request's own first.
    async fn spans(&mut self, count: usize) -> Vec<Span> {
        let mut spans = Vec::new();
        while spans.len() < count {
            let resources = self.export().await.resource_spans.into_iter();
            spans.extend(resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans));
        }
        assert_eq!(spans.len(), count, "{spans:?}");
        spans.sort_by_key(|span| (span.kind() != SpanKind::Server, span.start_time_unix_nano));
        spans
    }
}

struct Traced {
    house: House,
    listener: TcpListener,
    collector: Collector,
}

impl Traced {
    async fn open() -> Self {
        let (collector, (listener, address)) = (Collector::open().await, upstream().await);
        let config = format!("[log]\notlp = \"http://{}\"\n{ROUTES}", collector.address);
        Self { house: House::open(&config, address).await, listener, collector }
    }

    /// Asks with these headers and has it answered with each of these; gives the heads that the upstream got.
    async fn ask(&self, headers: &str, answers: &[String]) -> Vec<String> {
        let mut client = self.house.connect().await;
        client.send(format!("GET /v1/one/1 HTTP/1.1\r\nHost: o\r\nConnection: close\r\n{headers}\r\n")).await;
        let mut heads = Vec::new();
        for answer in answers {
            let mut server = accept(&self.listener).await;
            heads.push(server.until("\r\n\r\n").await);
            server.send(answer).await;
        }
        client.rest().await;
        heads
    }
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// The value of an attribute, as text.
fn said(span: &Span, key: &str) -> String {
    let attribute = span.attributes.iter().find(|attribute| attribute.key == key);
    let value = attribute.and_then(|attribute| attribute.value.clone()).and_then(|value| value.value);
    match value.unwrap_or_else(|| panic!("no {key} in {span:?}")) {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn ms(span: &Span) -> u64 {
    (span.end_time_unix_nano - span.start_time_unix_nano) / 1_000_000
}

#[tokio::test]
async fn a_request_is_a_span_between_the_clients_and_the_upstreams() {
    let mut traced = Traced::open().await;
    let headers = format!("traceparent: 00-{TRACE}-{PARENT}-01\r\ntracestate: vendor=1,other=2\r\n");
    let head = traced.ask(&headers, &[ok()]).await.remove(0);
    let [span, call] = &traced.collector.spans(2).await[..] else { unreachable!("two were asked for") };
    assert_eq!((hex(&span.trace_id), hex(&span.parent_span_id)), (TRACE.to_owned(), PARENT.to_owned()));
    assert_eq!(
        (&*span.name, span.kind(), &*span.trace_state),
        ("GET /v1/one/{id}", SpanKind::Server, "vendor=1,other=2")
    );
    let passed_on = format!("00-{TRACE}-{}-01", hex(&span.span_id));
    assert_eq!(header(&head, "traceparent"), Some(&*passed_on), "{head}");
    assert_eq!(header(&head, "tracestate"), Some("vendor=1,other=2"), "{head}");
    for (key, value) in [
        ("http.request.method", "GET"),
        ("http.response.status_code", "200"),
        ("tidegate.route", "GET /v1/one/{id}"),
        ("tidegate.ended", "passed"),
        ("tidegate.source", "upstream"),
        ("tidegate.attempts", "1"),
        ("tidegate.wait_ms", "0"),
        ("tidegate.priority", "normal"),
    ] {
        assert_eq!(said(span, key), value, "{key}");
    }
    assert!(said(span, "tidegate.pools").contains("one") && said(span, "tidegate.client").starts_with("client-"));
    assert_eq!((call.kind(), &call.parent_span_id, &call.trace_id), (SpanKind::Client, &span.span_id, &span.trace_id));
    assert!(
        span.start_time_unix_nano <= call.start_time_unix_nano && call.end_time_unix_nano <= span.end_time_unix_nano
    );
}

#[tokio::test]
async fn a_wait_and_each_call_are_spans_within_it() {
    let (clock, mut traced) = (Clock::stop(), Traced::open().await);
    let mut first = traced.house.connect().await;
    first.send("GET /v1/one/0 HTTP/1.1\r\nHost: o\r\nConnection: close\r\ntraceparent: ").await;
    first.send(format!("00-{TRACE}-{PARENT}-00\r\n\r\n")).await;
    let mut server = accept(&traced.listener).await;
    server.until("\r\n\r\n").await;
    let freed = async {
        traced.house.lets_it_wait(&clock, Duration::from_millis(30)).await;
        server.send(ok()).await;
        traced.house.until("it is sent", |now| now.totals.sent == 2).await;
        traced.house.lets_it_go(&clock).await
    };
    let answers = [refusal(), ok()];
    let (heads, again) = tokio::join!(traced.ask("", &answers), freed);
    let spans = traced.collector.spans(5).await;
    let steps: Vec<_> = spans.iter().map(|span| (&*span.name, span.kind())).collect();
    let [internal, client] = [SpanKind::Internal, SpanKind::Client];
    let server = ("GET /v1/one/{id}", SpanKind::Server);
    assert_eq!(steps, [server, ("wait", internal), ("upstream", client), ("wait", internal), ("upstream", client)]);
    let again = u64::try_from(again.as_millis()).expect("a short time");
    assert_eq!([0, 1, 2, 3, 4].map(|at| ms(&spans[at])), [30 + again, 30, 0, again, 0]);
    assert_eq!(said(&spans[0], "tidegate.attempts"), "2");
    let statuses = [&spans[2], &spans[4]].map(|call| said(call, "http.response.status_code"));
    assert_eq!(statuses, ["429", "200"]);
    assert!(spans[1..].iter().all(|step| step.parent_span_id == spans[0].span_id));
    let wait: f64 = said(&spans[0], "tidegate.wait_ms").parse().expect("a number");
    assert_eq!(wait.round().to_string(), (30 + again).to_string());
    // Both calls belong to the same span of the request.
    assert_eq!(header(&heads[0], "traceparent"), header(&heads[1], "traceparent"));
}

#[tokio::test]
async fn who_tells_of_no_trace_begins_one_and_a_broken_one_is_none() {
    let mut traced = Traced::open().await;
    for headers in ["", "traceparent: 00-nonsense-01\r\ntracestate: vendor=1\r\n"] {
        let head = traced.ask(headers, &[ok()]).await.remove(0);
        let span = traced.collector.spans(2).await.remove(0);
        assert!(span.parent_span_id.iter().all(|byte| *byte == 0), "{span:?}");
        let passed_on = format!("00-{}-{}-01", hex(&span.trace_id), hex(&span.span_id));
        assert_eq!(header(&head, "traceparent"), Some(&*passed_on), "{head}");
        assert_eq!(header(&head, "tracestate"), None, "{head}");
    }
}

#[tokio::test]
async fn what_is_not_to_be_traced_goes_on_as_it_came() {
    let mut traced = Traced::open().await;
    let unsampled = format!("00-{TRACE}-{PARENT}-00");
    let head = traced.ask(&format!("traceparent: {unsampled}\r\ntracestate: vendor=1\r\n"), &[ok()]).await.remove(0);
    assert_eq!((header(&head, "traceparent"), header(&head, "tracestate")), (Some(&*unsampled), Some("vendor=1")));
    // The only spans are those of the next one.
    traced.ask("", &[ok()]).await;
    assert_ne!(hex(&traced.collector.spans(2).await[0].trace_id), TRACE);
}

#[tokio::test]
async fn a_gate_that_traces_nothing_passes_traces_on_as_they_are() {
    let (listener, address) = upstream().await;
    let house = House::open(ROUTES, address).await;
    let mut client = house.connect().await;
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    let headers = format!("traceparent: {traceparent}\r\ntracestate: vendor=1");
    client.send(format!("GET /v1/one/1 HTTP/1.1\r\nHost: o\r\n{headers}\r\n\r\n")).await;
    let head = accept(&listener).await.until("\r\n\r\n").await;
    assert_eq!((header(&head, "traceparent"), header(&head, "tracestate")), (Some(&*traceparent), Some("vendor=1")));
}

#[tokio::test]
async fn a_failure_is_an_error_with_its_code() {
    let (mut collector, (_nobody, address)) = (Collector::open().await, nobody());
    let house = House::open(&format!("[log]\notlp = \"http://{}\"\n{ROUTES}", collector.address), address).await;
    house.ask("GET /v1/one/1 HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n").await;
    for span in collector.spans(2).await {
        assert_eq!(span.status.as_ref().map(Status::code), Some(StatusCode::Error), "{span:?}");
        let code = "tidegate_upstream_unreachable";
        assert!(span.kind() == SpanKind::Client || said(&span, "tidegate.code") == code, "{span:?}");
    }
}

#[tokio::test]
async fn the_service_is_named() {
    let mut traced = Traced::open().await;
    traced.ask("", &[ok()]).await;
    let exported = traced.collector.export().await;
    let resource = exported.resource_spans[0].resource.as_ref().expect("a resource");
    let named = resource.attributes.iter().find(|attribute| attribute.key == "service.name").expect("a name");
    assert_eq!(
        named.value.as_ref().and_then(|value| value.value.clone()),
        Some(Value::StringValue("tidegate".to_owned()))
    );
}

#[tokio::test]
async fn a_collector_that_is_gone_holds_up_nobody() {
    let (_clock, (listener, address), (_nobody, nowhere)) = (Clock::stop(), upstream().await, nobody());
    let house = House::open(&format!("[log]\notlp = \"http://{nowhere}\"\n{ROUTES}"), address).await;
    let mut client = house.connect().await;
    client.send("GET /v1/one/1 HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n").await;
    let mut server = accept(&listener).await;
    server.until("\r\n\r\n").await;
    server.send(ok()).await;
    assert!(client.rest().await.starts_with("HTTP/1.1 200"));
    in_time("nobody waits for it", house.gate.telemetry().close()).await;
}
