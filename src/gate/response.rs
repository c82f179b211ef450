use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;

use super::answer::Answer;
use super::body::PeekedBody;
use super::early::{EarlyResponse, Ending, NextPiece, error_event};
use super::exchange::{Exchange, ResponseMeter};
use super::failure::Failure;
use super::headers::{let_pages_read, set_poll_after, set_retry_after, set_should_retry};
use super::outcome::Source;
use super::rate_limit::{add_headroom, add_rejection};
use super::record::RequestRecord;
use super::shared::SharedAnswer;
use super::untaken::Untaken;
use crate::upstream::filter_trailers;

/// Turns an answer into one HTTP response, which carries the request's record to its last byte.
pub(super) fn respond(
    answer: Result<Answer, Failure>,
    mut record: Box<RequestRecord>,
    leaves_http: bool,
) -> Response<GateBody> {
    let mut response = match answer {
        Ok(Answer::Upstream(exchange)) => upstream_response(exchange, &mut record),
        Ok(Answer::Shared(shared)) => shared_response(&shared, &mut record),
        Ok(Answer::Early(early)) => early_response(early, &mut record),
        Err(failure) => error_response(&failure, &mut record),
    };
    record.gate().labels.add_to(response.headers_mut(), record.outcome.route, record.progress.waited);
    if leaves_http && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response.body_mut().record = Some(record);
    response
}

fn upstream_response(exchange: Exchange, record: &mut RequestRecord) -> Response<GateBody> {
    let Exchange { mut response, meter } = exchange;
    record.responds(response.status());
    if let Some(meter) = &meter {
        add_headroom(response.headers_mut(), record.gate(), record.outcome.route, meter);
    }
    let response =
        response.map(|body| GateBody { content: Content::Upstream(body), meter, record: None, untaken: None });
    with_source(response, Source::Upstream, record.progress.attempts)
}

fn shared_response(shared: &SharedAnswer, record: &mut RequestRecord) -> Response<GateBody> {
    let (parts, source) = (&shared.response.parts, shared.source());
    record.completes(parts.status, source);
    let body = GateBody::complete(shared.response.body.clone());
    let mut response = with_source(Response::from_parts(parts.clone(), body), source, record.progress.attempts);
    if let Some(ms) = shared.poll_after_ms {
        set_poll_after(response.headers_mut(), ms);
    }
    response
}

fn error_response(failure: &Failure, record: &mut RequestRecord) -> Response<GateBody> {
    let error = record.fails(failure);
    let mut response = Response::new(GateBody::complete(error.body()));
    *response.status_mut() = error.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if failure.is_public() {
        let_pages_read(headers);
    }
    if let Some(wait) = error.retry_after {
        set_retry_after(headers, wait);
    }
    if error.is_hopeless {
        set_should_retry(headers, false);
    }
    add_rejection(headers, record.gate(), failure, error.retry_after);
    with_source(response, Source::Tidegate, record.progress.attempts)
}

/// The head of an event stream that is still to come. Until it has, the record says that the client left.
fn early_response(early: EarlyResponse, record: &mut RequestRecord) -> Response<GateBody> {
    record.progress.waited = early.waited();
    let mut response =
        Response::new(GateBody { content: Content::Early(early), meter: None, record: None, untaken: None });
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let_pages_read(headers);
    with_source(response, Source::Tidegate, 0)
}

fn with_source(mut response: Response<GateBody>, source: Source, attempts: u32) -> Response<GateBody> {
    // Most requests are sent once, or not at all.
    let attempts = match attempts {
        0 => HeaderValue::from_static("0"),
        1 => HeaderValue::from_static("1"),
        more => HeaderValue::from(more),
    };
    response.headers_mut().insert(SOURCE, HeaderValue::from_static(source.name()));
    response.headers_mut().insert(ATTEMPTS, attempts);
    response
}

/// The body of a response to a client. It keeps the request in flight and its record open to the last byte.
pub(super) struct GateBody {
    content: Content,
    meter: Option<Box<ResponseMeter>>,
    record: Option<Box<RequestRecord>>,
    /// Whether its client takes it, over HTTP/2.
    untaken: Option<Arc<Untaken>>,
}

/// Where the bytes come from.
enum Content {
    Upstream(PeekedBody),
    Complete(Full<Bytes>),
    Early(EarlyResponse),
}

impl GateBody {
    fn complete(body: Bytes) -> Self {
        Self { content: Content::Complete(Full::new(body)), meter: None, record: None, untaken: None }
    }

    /// From now on it tells whether its client takes what comes of it.
    pub(super) fn follow(&mut self, untaken: Option<Arc<Untaken>>) {
        untaken.iter().for_each(|untaken| untaken.given());
        self.untaken = untaken;
    }

    /// Goes on with what became of a request whose response began before its turn.
    fn go_on(&mut self, ending: Ending) {
        let Some(record) = &mut self.record else { return };
        self.content = match ending {
            Ending::Stream(Exchange { response, meter }, progress) => {
                self.meter = meter;
                record.progress.take_over(&progress);
                record.responds(response.status());
                Content::Upstream(response.into_body())
            }
            Ending::Error { status, event, progress } => {
                record.progress.take_over(&progress);
                record.completes(status, Source::Upstream);
                Content::Complete(event.into())
            }
            Ending::Failure(failure, progress) => {
                record.progress.take_over(&progress);
                Content::Complete(error_event(&record.fails(&failure).body()).into())
            }
        };
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Content::Early(early) = &mut self.content {
            match ready!(early.poll_next(cx)) {
                NextPiece::Comment(comment) => return Poll::Ready(Some(Ok(Frame::data(comment)))),
                NextPiece::Ending(ending) => self.go_on(*ending),
            }
        }
        let mut frame = match &mut self.content {
            Content::Early(_) => None,
            Content::Upstream(body) => ready!(Pin::new(body).poll_frame(cx)),
            Content::Complete(body) => {
                ready!(Pin::new(body).poll_frame(cx)).map(|frame| frame.map_err(|never| match never {}))
            }
        };
        match &mut frame {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_mut() {
                    filter_trailers(trailers);
                }
                if let (Some(meter), Some(piece)) = (&mut self.meter, frame.data_ref()) {
                    meter.see(piece);
                    if let Some(record) = &self.record {
                        meter.report_refusal(&record.gate().meanings);
                    }
                }
            }
            end => self.end(end.is_some()),
        }
        Poll::Ready(frame)
    }

    /// The body has ended, well or badly.
    fn end(&mut self, is_cut: bool) {
        if let (true, Some(record)) = (is_cut, &mut self.record) {
            record.upstream_broke_off();
        }
        (self.meter, self.record) = (None, None);
    }
}

impl Body for GateBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let Some(untaken) = this.untaken.clone() else { return this.poll_next(cx) };
        untaken.wanted();
        let frame = this.poll_next(cx);
        if let Poll::Ready(Some(Ok(_))) = &frame {
            untaken.given();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Upstream(body) => body.is_end_stream(),
            Content::Complete(body) => body.is_end_stream(),
            Content::Early(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Upstream(body) => body.size_hint(),
            Content::Complete(body) => body.size_hint(),
            Content::Early(_) => SizeHint::default(),
        }
    }
}

/// Dropped before its end, the client has left.
impl Drop for GateBody {
    fn drop(&mut self) {
        let is_complete = self.is_end_stream() || self.size_hint().exact() == Some(0);
        if let (Some(record), Some(_), false) = (&mut self.record, &self.meter, is_complete) {
            record.client_left();
        }
    }
}

const SOURCE: HeaderName = HeaderName::from_static("x-tidegate-source");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-tidegate-attempts");
