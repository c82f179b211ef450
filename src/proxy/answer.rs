use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use tokio::time::Instant;
use tower::Service;

use super::Gate;
use super::ending::{self, Ending};
use super::failure::{Described, Failure};
use super::headers::{set_retry_after, set_should_retry};
use super::keepalive::{Answered, Kept, Next};
use super::passing::{Passed, Routed, Tries};
use super::peeked::Peeked;
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

    fn call(&mut self, routed: Routed) -> Self::Future {
        let gate = self.gate.clone();
        let (route, method) = (routed.route.found.route(), routed.arrived.head.method.clone());
        let leaves_http = routed.arrived.leaves_http();
        let came = routed.arrived.came;
        let passing = self.inner.call(routed);
        Box::pin(async move {
            let mut line = Line { gate: gate.clone(), route, method, came, ended: Ended::Left };
            let passed = AssertUnwindSafe(passing).catch_unwind().await;
            let (mut response, waited) = match passed.unwrap_or_else(|_| Err(Failure::panicked())) {
                Ok(Answered::Passed(passed)) => line.pass(passed),
                Ok(Answered::Kept(kept)) => promise(kept),
                Ok(Answered::Shared(shared)) => line.share(shared),
                Err(failure) => line.refuse(&failure),
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
    body: Source,
    under_way: Option<Box<UnderWay>>,
    line: Option<Line>,
}

enum Source {
    Upstream(Peeked),
    Own(Full<Bytes>),
    Kept(Kept),
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        if let Source::Kept(kept) = &mut this.body {
            match ready!(kept.poll_next(cx)) {
                Next::Comment(comment) => return Poll::Ready(Some(Ok(Frame::data(comment)))),
                Next::Ending(ending) => this.end(ending),
            }
        }
        let frame = match &mut this.body {
            Source::Kept(_) => unreachable!("it has just ended"),
            Source::Upstream(body) => ready!(Pin::new(body).poll_frame(cx)),
            Source::Own(body) => {
                ready!(Pin::new(body).poll_frame(cx)).map(|frame| frame.map_err(|never| match never {}))
            }
        };
        match (&frame, &mut this.under_way) {
            (Some(Ok(frame)), Some(under_way)) => frame.data_ref().into_iter().for_each(|piece| under_way.see(piece)),
            (None, _) => (this.under_way, this.line) = (None, None),
            _ => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Source::Upstream(body) => body.is_end_stream(),
            Source::Own(body) => body.is_end_stream(),
            Source::Kept(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Source::Upstream(body) => body.size_hint(),
            Source::Own(body) => body.size_hint(),
            Source::Kept(_) => SizeHint::default(),
        }
    }
}

impl AnswerBody {
    /// Goes on with what has become of a request that was answered before its turn.
    fn end(&mut self, ending: Ending) {
        let (body, ended) = match ending {
            Ending::Stream(passed) => {
                self.under_way = passed.under_way;
                let ended = Ended::Passed { status: passed.response.status(), tries: passed.tries };
                (Source::Upstream(passed.response.into_body()), ended)
            }
            Ending::Error { status, tries, event } => (Source::Own(event.into()), Ended::Passed { status, tries }),
            Ending::Failure(failure) => {
                let described = self.line.as_ref().map(|line| line.describe(&failure));
                let event = described.as_ref().map(|described| ending::event(&described.body())).unwrap_or_default();
                (Source::Own(event.into()), described.map_or(Ended::Left, |described| failed(&described, &failure)))
            }
        };
        self.body = body;
        if let Some(line) = &mut self.line {
            line.ended = ended;
        }
    }
}

/// The head of an answer that is still to come. Its line in the log says that the client left until it has.
fn promise(kept: Kept) -> (Response<AnswerBody>, Duration) {
    let waited = kept.waited();
    let mut response = Response::new(AnswerBody { body: Source::Kept(kept), under_way: None, line: None });
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(SOURCE, HeaderValue::from_static("tidegate"));
    headers.insert(ATTEMPTS, HeaderValue::from_static("0"));
    (response, waited)
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

/// One request's line in the log, written when it is dropped: at the last byte, or when the client has gone.
struct Line {
    gate: Gate,
    route: RouteId,
    method: Method,
    came: Instant,
    ended: Ended,
}

enum Ended {
    /// The client left before there was an answer.
    Left,
    Passed {
        status: StatusCode,
        tries: Tries,
    },
    Failed {
        status: StatusCode,
        tries: Tries,
        code: &'static str,
    },
}

impl Line {
    fn pass(&mut self, passed: Passed) -> (Response<AnswerBody>, Duration) {
        let Passed { response, under_way, tries } = passed;
        self.ended = Ended::Passed { status: response.status(), tries };
        let mut response = response.map(|body| AnswerBody { body: Source::Upstream(body), under_way, line: None });
        response.headers_mut().insert(SOURCE, HeaderValue::from_static("upstream"));
        response.headers_mut().insert(ATTEMPTS, HeaderValue::from(tries.sent));
        (response, tries.waited)
    }

    fn share(&mut self, Shared { whole, source, tries }: Shared) -> (Response<AnswerBody>, Duration) {
        self.ended = Ended::Passed { status: whole.parts.status, tries };
        let body = AnswerBody { body: Source::Own(Full::new(whole.body.clone())), under_way: None, line: None };
        let mut response = Response::from_parts(whole.parts.clone(), body);
        response.headers_mut().insert(SOURCE, HeaderValue::from_static(source));
        response.headers_mut().insert(ATTEMPTS, HeaderValue::from(tries.sent));
        (response, tries.waited)
    }

    fn describe(&self, failure: &Failure) -> Described {
        failure.cause.describe(&self.gate.shared.pools)
    }

    fn refuse(&mut self, failure: &Failure) -> (Response<AnswerBody>, Duration) {
        let described = self.describe(failure);
        self.ended = failed(&described, failure);
        let body = Source::Own(Full::new(described.body()));
        let mut response = Response::new(AnswerBody { body, under_way: None, line: None });
        *response.status_mut() = described.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, JSON);
        headers.insert(SOURCE, HeaderValue::from_static("tidegate"));
        headers.insert(ATTEMPTS, HeaderValue::from(failure.tries.sent));
        if let Some(wait) = described.retry_after {
            set_retry_after(headers, wait);
        }
        if described.hopeless {
            set_should_retry(headers, false);
        }
        (response, failure.tries.waited)
    }
}

fn failed(described: &Described, failure: &Failure) -> Ended {
    Ended::Failed { status: described.status, tries: failure.tries, code: described.code }
}

impl Drop for Line {
    fn drop(&mut self) {
        let route = &*self.gate.shared.routes.route(self.route).name;
        let (method, total_ms) = (self.method.as_str(), millis(self.came.elapsed()));
        match self.ended {
            Ended::Passed { status, tries } if tries.waited.is_zero() && tries.sent < 2 => {
                tracing::debug!(method, route, status = status.as_u16(), total_ms, "passed");
            }
            Ended::Passed { status, tries } => {
                let (status, wait_ms, attempts) = (status.as_u16(), millis(tries.waited), tries.several());
                tracing::info!(method, route, status, wait_ms, attempts, total_ms, "passed");
            }
            Ended::Failed { status, tries, code } => {
                let (status, wait_ms, attempts) = (status.as_u16(), millis(tries.waited), tries.several());
                tracing::info!(method, route, status, code, wait_ms, attempts, total_ms, "not passed");
            }
            Ended::Left => tracing::info!(method, route, total_ms, "the client left"),
        }
    }
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
