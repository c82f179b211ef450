//! The upstream: a pooled hyper client over rustls, and the bodies it sends.
//!
//! HTTP/1.1 unless told otherwise. With HTTP/2 there are several connections, one client each: hyper's pool keeps a
//! single HTTP/2 connection to a host and queues unseen beyond its streams.

mod budget;
mod connector;
mod outgoing;
mod prefetched;
mod tls;

pub use budget::{Budget, Exhausted, Held};
pub use connector::Connector;
pub use prefetched::Prefetched;
pub use tls::tls_towards;

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::header::{AUTHORIZATION, HOST, HeaderValue, TRANSFER_ENCODING};
use http::uri::{self, Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::admission::Place;
use crate::{config, route};
use outgoing::{Outgoing, Remains};

/// Where requests go.
#[derive(Debug)]
pub struct Upstream {
    http1: Client<Connector, Outgoing>,
    http2: Vec<Client<Connector, Outgoing>>,
    next: AtomicUsize,
    scheme: Scheme,
    authority: Authority,
    base: String,
    key: Option<HeaderValue>,
    response_timeout: Duration,
}

/// Why there is no upstream to send to.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The variable, whose place this is, is not there, or holds what cannot be a key.
    #[error(
        "upstream.api_key_env at {0} names an environment variable that holds no key: set it before the gate starts, or \
         take the line out and let each app send its own"
    )]
    NoKey(String),
    /// No TLS.
    #[error("the upstream cannot be reached over TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The URL has no host.
    #[error("upstream.url {0} names no host")]
    NoHost(Uri),
}

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failed {
    /// No connection, or one that broke before the answer.
    #[error("the upstream cannot be reached: {0}")]
    Unreachable(String),
    /// An answer that cannot be passed on.
    #[error("the upstream's answer cannot be passed on: {0}")]
    Senseless(&'static str),
    /// No answer in time.
    #[error("the upstream has not answered within {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// The target and the base path make no URL together.
    #[error("the target is no path below the upstream's own")]
    Target,
    /// The body did not come whole from the client.
    #[error("the request's body broke off")]
    Body,
    /// Nothing more of the body came from the client.
    #[error("nothing has come of the request's body for {} s", .0.as_secs())]
    Stalled(Duration),
    /// What must be read of the body before the request can go has not come.
    #[error("what must be read of the request's body before it can go has not come in {} s", .0.as_secs())]
    Slow(Duration),
}

/// A request without an answer.
#[derive(Debug)]
pub struct Unanswered {
    /// Why.
    pub failed: Failed,
    /// What the upstream did not take of the body. Its client is still sending.
    pub unread: Option<Prefetched>,
}

/// How long an upload that failed may take to say what is left of it. A guess: it says so at once, or never.
const ENDING: Duration = Duration::from_secs(1);

type Answer = Result<Response<Incoming>, legacy::Error>;

impl Upstream {
    /// A client for this upstream; it connects when there is something to send.
    ///
    /// # Errors
    /// [`SetupError`]: what is configured cannot be used.
    pub fn new(config: &config::UpstreamConfig) -> Result<Self, SetupError> {
        let no_host = || SetupError::NoHost(config.url.clone());
        let scheme = config.url.scheme().cloned().ok_or_else(no_host)?;
        let roots = tls_towards(&config.url, config.authorities.as_ref())?;
        let connector = |http2| Connector::new(roots.clone(), config.connect_timeout, http2);
        Ok(Self {
            http1: client(connector(false)),
            http2: (0..config.http2_connections.map_or(0, Into::into)).map(|_| http2_client(connector(true))).collect(),
            next: AtomicUsize::new(0),
            scheme,
            authority: config.url.authority().cloned().ok_or_else(no_host)?,
            base: config.url.path().trim_end_matches('/').to_owned(),
            key: config.api_key_env.as_ref().map(key).transpose()?,
            response_timeout: config.response_timeout,
        })
    }

    /// Whether it adds a key to what it sends.
    #[must_use]
    pub fn adds_key(&self) -> bool {
        self.key.is_some()
    }

    /// Sends a request and waits for the head of the answer. `path` is what its target was, less scheme and host. The
    /// place is spent as the request's head is written, and given back if it never is.
    ///
    /// # Errors
    /// [`Unanswered`]; nothing is ever sent again that may have been executed.
    pub async fn send(
        &self,
        request: Request<Prefetched>,
        place: Place,
        path: PathAndQuery,
    ) -> Result<Response<Incoming>, Unanswered> {
        let (mut head, body) = request.into_parts();
        head.uri = match self.target(path) {
            Ok(target) => target,
            Err(failed) => return Err(Unanswered { failed, unread: Some(body) }),
        };
        head.headers.remove(HOST);
        if let Some(key) = &self.key {
            head.headers.insert(AUTHORIZATION, key.clone());
        }
        let (body, upload) = Outgoing::new(body, place);
        let mut request = Request::from_parts(head, body);
        let client = self.client_for(&mut request);
        let response = self.answer(client.request(request), upload).await?;
        let codings = response.headers().get_all(TRANSFER_ENCODING).iter();
        if codings.into_iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
            return Err(Failed::Senseless("its transfer coding is not 'chunked'").into());
        }
        Ok(response)
    }

    /// However long an upload takes, the time for the answer runs from its end.
    async fn answer(
        &self,
        answer: impl Future<Output = Answer>,
        mut upload: Option<oneshot::Receiver<Remains>>,
    ) -> Result<Response<Incoming>, Unanswered> {
        let mut answer = pin!(answer);
        let mut broke_off = false;
        if let Some(upload) = upload.as_mut() {
            tokio::select! {
                answer = &mut answer => match answer {
                    Ok(response) => return Ok(response),
                    Err(error) => {
                        let remains = timeout(ENDING, upload).await.ok().and_then(Result::ok).unwrap_or_default();
                        let unread = remains.unread.map(Prefetched::from);
                        return Err(Unanswered { failed: failed(&error, remains.broke_off), unread });
                    }
                },
                remains = &mut *upload => broke_off = remains.is_ok_and(|remains| remains.broke_off),
            }
        }
        match timeout(self.response_timeout, answer).await {
            Ok(answer) => answer.map_err(|error| failed(&error, broke_off).into()),
            Err(_) => Err(Failed::Timeout(self.response_timeout).into()),
        }
    }

    fn target(&self, mut path: PathAndQuery) -> Result<Uri, Failed> {
        if !self.base.is_empty() {
            if route::climbs(path.path()) {
                return Err(Failed::Target);
            }
            path = format!("{}{path}", self.base).parse().map_err(|_| Failed::Target)?;
        }
        let mut whole = uri::Parts::default();
        whole.scheme = Some(self.scheme.clone());
        whole.authority = Some(self.authority.clone());
        whole.path_and_query = Some(path);
        Uri::from_parts(whole).map_err(|_| Failed::Target)
    }

    /// Round robin over the HTTP/2 connections, if any; an upgrade is a thing of HTTP/1.1.
    fn client_for(&self, request: &mut Request<Outgoing>) -> &Client<Connector, Outgoing> {
        let over_http1 = self.http2.is_empty() || request.headers().contains_key(http::header::UPGRADE);
        *request.version_mut() = if over_http1 { http::Version::HTTP_11 } else { http::Version::HTTP_2 };
        if over_http1 {
            if request.body().is_unmeasured() {
                // Of itself hyper would leave out such a body from a GET.
                request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
            }
            return &self.http1;
        }
        request.body_mut().follow_head();
        &self.http2[self.next.fetch_add(1, Ordering::Relaxed) % self.http2.len()]
    }
}

fn client(connector: Connector) -> Client<Connector, Outgoing> {
    Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).timer(TokioTimer::new()).build(connector)
}

/// Speaks HTTP/2 without asking: there may be no TLS to agree on it in.
fn http2_client(connector: Connector) -> Client<Connector, Outgoing> {
    let mut client = Client::builder(TokioExecutor::new());
    client.pool_timer(TokioTimer::new()).timer(TokioTimer::new()).http2_only(true).build(connector)
}

fn key(variable: &config::KeyVariable) -> Result<HeaderValue, SetupError> {
    let no_key = || SetupError::NoKey(variable.place().to_owned());
    let key = variable.key().filter(|key| !key.is_empty()).ok_or_else(no_key)?;
    let mut value = HeaderValue::try_from(format!("Bearer {key}")).map_err(|_| no_key())?;
    value.set_sensitive(true);
    Ok(value)
}

fn failed(error: &legacy::Error, broke_off: bool) -> Failed {
    if broke_off {
        return Failed::Body;
    }
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    Failed::Unreachable(causes.last().map_or_else(|| error.to_string(), ToString::to_string))
}

impl From<Failed> for Unanswered {
    fn from(failed: Failed) -> Self {
        Self { failed, unread: None }
    }
}
