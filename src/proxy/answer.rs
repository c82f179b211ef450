use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use tower::Service;

use super::Gate;
use super::ending::{self, Ending};
use super::failure::Failure;
use super::headers::{set_retry_after, set_should_retry};
use super::keepalive::{Answered, Kept, Next};
use super::line::{Line, millis};
use super::outcome::Source;
use super::passing::{Passed, Routed, Tries};
use super::peeked::Peeked;
use super::polling::set_poll_after;
use super::under_way::UnderWay;
use super::whole::Shared;
use crate::config::Pool;
use crate::route::{RouteId, Table};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Turns whatever comes back into one HTTP answer.
#[derive(Clone)]
pub(super) struct Answers<Inner> {
    gate: Gate,
    inner: Inner,
}

impl<Inner> Answers<Inner> {
    pub(super) fn new(gate: Gate, inner: Inner) -> Self {
        Self { gate, inner }
    }
}

impl<Inner> Service<Routed> for Answers<Inner>
where
    Inner: Service<Routed, Response = Answered, Error = Failure, Future: Send + 'static>,
{
    type Response = Response<AnswerBody>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<AnswerBody>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut routed: Routed) -> Self::Future {
        let gate = self.gate.clone();
        gate.listen(&mut routed);
        let (route, leaves_http) = (routed.route.found.route(), routed.arrived.leaves_http());
        let mut line = Line::new(&gate, &routed);
        let passing = self.inner.call(routed);
        Box::pin(async move {
            let passed = AssertUnwindSafe(passing).catch_unwind().await;
            let (mut response, waited) = match passed.unwrap_or_else(|_| Err(Failure::panicked())) {
                Ok(Answered::Passed(passed)) => pass(passed, &mut line),
                Ok(Answered::Kept(kept)) => promise(kept),
                Ok(Answered::Shared(shared)) => share(&shared, &mut line),
                Err(failure) => refuse(&failure, &mut line),
            };
            gate.shared.labels.mark(response.headers_mut(), route, waited);
            if leaves_http && response.status() != StatusCode::SWITCHING_PROTOCOLS {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            response.body_mut().line = Some(line);
            Ok(response)
        })
    }
}

/// A body on its way to the client. It carries what is under way, and the request's line in the log, to its last byte.
pub(super) struct AnswerBody {
    body: Piece,
    under_way: Option<Box<UnderWay>>,
    line: Option<Line>,
}

/// Where it comes from.
enum Piece {
    Upstream(Peeked),
    Own(Full<Bytes>),
    Kept(Kept),
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        if let Piece::Kept(kept) = &mut this.body {
            match ready!(kept.poll_next(cx)) {
                Next::Comment(comment) => return Poll::Ready(Some(Ok(Frame::data(comment)))),
                Next::Ending(ending) => this.end(ending),
            }
        }
        let frame = match &mut this.body {
            Piece::Kept(_) => unreachable!("it has just ended"),
            Piece::Upstream(body) => ready!(Pin::new(body).poll_frame(cx)),
            Piece::Own(body) => {
                ready!(Pin::new(body).poll_frame(cx)).map(|frame| frame.map_err(|never| match never {}))
            }
        };
        match (&frame, &mut this.under_way) {
            (Some(Ok(frame)), Some(under_way)) => frame.data_ref().into_iter().for_each(|piece| under_way.see(piece)),
            (Some(Ok(_)), None) => {}
            (end, _) => {
                let is_cut = end.is_some();
                this.line.iter_mut().filter(|_| is_cut).for_each(Line::is_cut);
                (this.under_way, this.line) = (None, None);
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Piece::Upstream(body) => body.is_end_stream(),
            Piece::Own(body) => body.is_end_stream(),
            Piece::Kept(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Piece::Upstream(body) => body.size_hint(),
            Piece::Own(body) => body.size_hint(),
            Piece::Kept(_) => SizeHint::default(),
        }
    }
}

impl AnswerBody {
    /// Goes on with what has become of a request that was answered before its turn.
    fn end(&mut self, ending: Ending) {
        let Some(line) = &mut self.line else { return };
        self.body = match ending {
            Ending::Stream(passed) => {
                self.under_way = passed.under_way;
                line.passes(passed.response.status(), passed.tries);
                Piece::Upstream(passed.response.into_body())
            }
            Ending::Error { status, tries, event } => {
                line.has(status, Source::Upstream, tries);
                Piece::Own(event.into())
            }
            Ending::Failure(failure) => Piece::Own(ending::event(&line.fails(&failure).body()).into()),
        };
    }
}

/// Dropped before its end, it is the client who has left.
impl Drop for AnswerBody {
    fn drop(&mut self) {
        let is_whole = self.is_end_stream() || self.size_hint().exact() == Some(0);
        if let (Some(line), Some(_), false) = (&mut self.line, &self.under_way, is_whole) {
            line.breaks_off();
        }
    }
}

fn pass(passed: Passed, line: &mut Line) -> (Response<AnswerBody>, Duration) {
    let Passed { response, under_way, tries } = passed;
    line.passes(response.status(), tries);
    let response = response.map(|body| AnswerBody { body: Piece::Upstream(body), under_way, line: None });
    (mark(response, Source::Upstream, tries), tries.waited)
}

fn share(Shared { whole, way, tries, poll_after }: &Shared, line: &mut Line) -> (Response<AnswerBody>, Duration) {
    line.has(whole.parts.status, way.source(), *tries);
    let body = AnswerBody { body: Piece::Own(Full::new(whole.body.clone())), under_way: None, line: None };
    let mut response = mark(Response::from_parts(whole.parts.clone(), body), way.source(), *tries);
    if let Some(ms) = *poll_after {
        set_poll_after(response.headers_mut(), ms);
    }
    (response, tries.waited)
}

fn refuse(failure: &Failure, line: &mut Line) -> (Response<AnswerBody>, Duration) {
    let described = line.fails(failure);
    let body = Piece::Own(Full::new(described.body()));
    let mut response = Response::new(AnswerBody { body, under_way: None, line: None });
    *response.status_mut() = described.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    if let Some(wait) = described.retry_after {
        set_retry_after(headers, wait);
    }
    if described.hopeless {
        set_should_retry(headers, false);
    }
    (mark(response, Source::Tidegate, failure.tries), failure.tries.waited)
}

/// The head of an answer that is still to come. Its line in the log says that the client left until it has.
fn promise(kept: Kept) -> (Response<AnswerBody>, Duration) {
    let waited = kept.waited();
    let mut response = Response::new(AnswerBody { body: Piece::Kept(kept), under_way: None, line: None });
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    (mark(response, Source::Tidegate, Tries::default()), waited)
}

/// Says whose answer it is, and how often it was asked for.
fn mark(mut response: Response<AnswerBody>, source: Source, tries: Tries) -> Response<AnswerBody> {
    response.headers_mut().insert(SOURCE, HeaderValue::from_static(source.name()));
    response.headers_mut().insert(ATTEMPTS, number(tries.sent));
    response
}

/// Most are asked for once, or not at all.
fn number(attempts: u32) -> HeaderValue {
    match attempts {
        0 => HeaderValue::from_static("0"),
        1 => HeaderValue::from_static("1"),
        more => HeaderValue::from(more),
    }
}

/// What every answer says of its route, made once.
pub(super) struct Labels {
    routes: Vec<Label>,
}

struct Label {
    route: Option<HeaderValue>,
    pools: Option<HeaderValue>,
}

const ROUTE: HeaderName = HeaderName::from_static("x-tidegate-route");
const POOLS: HeaderName = HeaderName::from_static("x-tidegate-pools");
const WAIT_MS: HeaderName = HeaderName::from_static("x-tidegate-wait-ms");
const SOURCE: HeaderName = HeaderName::from_static("x-tidegate-source");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-tidegate-attempts");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

impl Labels {
    pub(super) fn new(routes: &Table, pools: &[Pool]) -> Self {
        let labels = routes.routes().map(|(_, route)| {
            let mut names: Vec<&str> = route.charges.iter().map(|charge| &*pools[charge.pool.0].name).collect();
            names.dedup();
            let pools = (!names.is_empty()).then(|| HeaderValue::try_from(names.join(", ")).ok()).flatten();
            Label { route: HeaderValue::try_from(&route.name).ok(), pools }
        });
        Self { routes: labels.collect() }
    }

    /// The pools of a route, as its answers name them.
    pub(super) fn pools(&self, route: RouteId) -> &str {
        self.routes[route.0].pools.as_ref().and_then(|pools| pools.to_str().ok()).unwrap_or_default()
    }

    fn mark(&self, headers: &mut HeaderMap, route: RouteId, waited: Duration) {
        let label = &self.routes[route.0];
        set(headers, &ROUTE, label.route.as_ref());
        set(headers, &POOLS, label.pools.as_ref());
        let (wait_ms, timing) = if waited.is_zero() {
            (HeaderValue::from_static("0"), HeaderValue::from_static("tidegate;dur=0.0"))
        } else {
            let timing = HeaderValue::try_from(format!("tidegate;dur={:.1}", waited.as_secs_f64() * 1e3));
            (HeaderValue::from(millis(waited)), timing.expect("a number"))
        };
        headers.insert(WAIT_MS, wait_ms);
        headers.append(SERVER_TIMING, timing);
    }
}

/// Also takes out what a gate further up may have said.
fn set(headers: &mut HeaderMap, name: &HeaderName, value: Option<&HeaderValue>) {
    match value {
        Some(value) => drop(headers.insert(name, value.clone())),
        None => drop(headers.remove(name)),
    }
}
