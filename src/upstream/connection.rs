use std::mem;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::future::poll_fn;
use http::{HeaderMap, Response, StatusCode};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::task::coop::unconstrained;
use tokio::time::Instant;

use super::alarm::Alarm;
use super::failed::Failed;
use super::io::{Io, Traffic};
use super::outbound::Outbound;
use super::outgoing::{Outgoing, Upload};
use super::pool::{Pool, Pooled};
use super::progress::Progress;
use super::response_body::{Drive, ResponseBody};
use super::waker::DriverWaker;

/// How long a connection may be idle. A guess: less than the 60 s and 75 s after which load balancers and nginx close theirs
/// (docs/upstream.md §9).
const IDLE: Duration = Duration::from_secs(55);

/// How much sooner than the upstream says that it closes an idle connection (`Keep-Alive: timeout=5`) it is used no more.
/// A guess: longer than a request is on its way.
const BEFORE_CLOSE: Duration = Duration::from_secs(1);

/// How much of a response's head, or of a piece of a body, a connection holds at most. A guess: twice what
/// Node.js takes of a head, and little enough that a client that does not read costs 128 KB (`tests/gate/slow.rs`).
const BUFFER: usize = 32 << 10;

/// How many fields a message may have, each way. A guess: twice hyper's default; nginx and Node set no number, Apache allows 100.
pub const MAX_FIELDS: usize = 200;

/// An HTTP/1.1 connection, which one request after the other has to itself.
///
/// It has no task of its own. The task that waits for a response, or reads its body, drives it: no request and no piece of a
/// body changes tasks. Dropped, it is closed.
pub(super) struct Connection {
    requests: SendRequest<Outgoing>,
    /// What moves the bytes; nothing once the connection is over.
    driver: Option<Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>>,
    waker: DriverWaker,
    traffic: Arc<Traffic>,
    alarm: Alarm,
    /// Nothing until a response has come.
    idle_timeout: Option<Duration>,
    /// Where it goes once the body of a response has been read.
    pool: Option<Arc<Pool<Connection>>>,
}

/// How an HTTP/1.1 connection reads responses. A space behind a field's name and a folded line are mended, as RFC 9112 §5.1 and
/// §5.2 want it of a proxy; in requests they are refused.
fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.max_buf_size(BUFFER).max_headers(MAX_FIELDS);
    builder.allow_spaces_after_header_name_in_responses(true).allow_obsolete_multiline_headers_in_responses(true);
    builder
}

/// What an exchange waits for.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Wait {
    #[default]
    Nothing,
    Upload(Progress),
    Response,
}

/// A request that has no response.
pub(super) struct Interrupted {
    pub(super) failed: Failed,
    /// The connection closed before a byte of a response came.
    pub(super) is_closed: bool,
    /// The connection closed before a byte of the request was written.
    pub(super) is_unsent: bool,
}

impl Connection {
    pub(super) async fn open(io: Io) -> hyper::Result<Box<Self>> {
        let traffic = io.traffic();
        let (requests, driver) = builder().handshake(TokioIo::new(io)).await?;
        Ok(Box::new(Self {
            requests,
            driver: Some(Box::pin(driver.with_upgrades())),
            waker: DriverWaker::new(),
            traffic,
            alarm: Alarm::default(),
            idle_timeout: None,
            pool: None,
        }))
    }

    /// Sends a request and waits for the head of its response, for no longer than its timeout from the end of the upload. A
    /// request of which nothing has been used goes back to where it was. Dropped at any time, the connection is closed.
    pub(super) async fn exchange(
        mut self: Box<Self>,
        Outbound { request: waiting, upload, timeout, .. }: &mut Outbound,
        pool: &Arc<Pool<Connection>>,
    ) -> Result<Response<ResponseBody>, Interrupted> {
        let before = (self.traffic.read(), self.traffic.sent());
        let request = waiting.take().expect("there is a request until a connection has it");
        // Only the driver moves it on, and that is polled right before it.
        let mut response = pin!(unconstrained(self.requests.try_send_request(request)));
        let mut wait = Wait::default();
        let answer = poll_fn(|cx| {
            self.drive(cx);
            if let Poll::Ready(response) = response.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return Poll::Ready(Ok(response));
            }
            self.poll_late(&mut wait, upload, *timeout).map(Err)
        });
        match answer.await {
            Ok(Ok(response)) => Ok(self.respond(response, upload, pool)),
            Ok(Err(mut error)) => {
                *waiting = error.take_message();
                let (read, sent) = before;
                Err(Interrupted::new(&error.into_error(), self.traffic.read() == read, self.traffic.sent() == sent))
            }
            Err(failed) => Err(Interrupted { failed, is_closed: false, is_unsent: false }),
        }
    }

    /// Ready once it has been waited for too long: for the upload to get on, and then for the response.
    fn poll_late(&mut self, wait: &mut Wait, upload: &mut Upload, timeout: Duration) -> Poll<Failed> {
        let now = if upload.is_over() { Wait::Response } else { Wait::Upload(Progress::of(upload, &self.traffic)) };
        if *wait != now {
            *wait = now;
            let limit = match now {
                Wait::Upload(progress) => progress.limit(),
                Wait::Nothing | Wait::Response => timeout,
            };
            self.alarm.set(Instant::now() + limit, &mut self.waker.context());
        }
        if !self.alarm.is_due(&mut self.waker.context()) {
            return Poll::Pending;
        }
        Poll::Ready(match now {
            Wait::Upload(progress) => progress.failed(),
            Wait::Nothing | Wait::Response => Failed::Timeout(timeout),
        })
    }

    /// The next request is its last.
    pub(super) fn serves_once(&mut self) {
        self.idle_timeout = Some(Duration::ZERO);
    }

    fn rest_in(self: Box<Self>, pool: &Arc<Pool<Connection>>) {
        self.waker.forget();
        let idle_timeout = self.idle_timeout.unwrap_or(IDLE);
        if !idle_timeout.is_zero() && !self.traffic.is_cut() {
            pool.put(self, idle_timeout);
        }
    }

    /// Who reads the body drives the connection. While it still sends, or leaves HTTP, nobody may be reading: then a task
    /// does.
    fn respond(
        mut self: Box<Self>,
        response: Response<Incoming>,
        upload: &mut Upload,
        pool: &Arc<Pool<Connection>>,
    ) -> Response<ResponseBody> {
        self.idle_timeout.get_or_insert_with(|| idle_timeout(response.headers()));
        if self.is_idle() {
            self.rest_in(pool);
            return response.map(ResponseBody::complete);
        }
        if self.is_over() {
            return response.map(ResponseBody::complete);
        }
        self.pool = Some(Arc::clone(pool));
        if response.status() == StatusCode::SWITCHING_PROTOCOLS || !upload.is_over() {
            tokio::spawn(self.finish(mem::take(upload)));
            return response.map(ResponseBody::independent);
        }
        response.map(|body| ResponseBody::driven(body, self))
    }

    /// Drives it until it is idle or over. Only an upstream that takes no more of an upload ends it before.
    async fn finish(mut self: Box<Self>, mut upload: Upload) {
        let mut wait = Wait::default();
        poll_fn(|cx| {
            self.drive(cx);
            if self.is_idle() || self.is_over() {
                return Poll::Ready(());
            }
            if upload.is_over() || upload.is_starved() {
                wait = Wait::Nothing;
                return Poll::Pending;
            }
            self.poll_late(&mut wait, &mut upload, Duration::MAX).map(drop)
        })
        .await;
        if self.is_idle() {
            self.rest();
        }
    }
}

impl Drive for Connection {
    fn drive(&mut self, cx: &mut Context<'_>) {
        self.waker.register(cx);
        if let Some(driver) = &mut self.driver
            && driver.as_mut().poll(&mut self.waker.context()).is_ready()
        {
            // An error has been told to whoever waits for the response or reads its body.
            self.driver = None;
        }
    }

    fn is_idle(&self) -> bool {
        self.driver.is_some() && self.requests.is_ready()
    }

    fn is_over(&self) -> bool {
        self.driver.is_none()
    }

    fn rest(mut self: Box<Self>) {
        if let Some(pool) = self.pool.take() {
            self.rest_in(&pool);
        }
    }
}

impl Pooled for Connection {
    fn is_closed(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        !self.is_idle()
    }
}

impl Interrupted {
    fn new(error: &hyper::Error, is_silent: bool, is_unsent: bool) -> Self {
        let is_closed = is_silent && !error.is_timeout() && !error.is_user();
        Self { failed: Failed::unreachable(error), is_closed, is_unsent: is_closed && is_unsent }
    }
}

/// For how long the upstream keeps an idle connection, less a margin: no time where it says less than that.
fn idle_timeout(headers: &HeaderMap) -> Duration {
    let said = headers.get("keep-alive").and_then(|value| value.to_str().ok()).and_then(|value| {
        let parameters = value.split([',', ' ']).find_map(|parameter| parameter.trim().strip_prefix("timeout="));
        parameters?.parse().ok().map(Duration::from_secs)
    });
    said.map_or(IDLE, |said| said.saturating_sub(BEFORE_CLOSE).min(IDLE))
}
