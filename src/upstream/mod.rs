//! The upstream: connections to it, and the bodies that go both ways.
//!
//! HTTP/1.1 unless told otherwise, over a pool of connections of our own: [`Upstream::send`] takes one from the pool, the task
//! that waits for the response drives it, and whoever reads the [`ResponseBody`] drives it to the last byte.

mod alarm;
mod base;
mod budget;
mod carry;
mod connection;
mod dialer;
mod failed;
mod http1;
mod http2;
mod io;
mod location;
mod obstacle;
mod outbound;
mod outgoing;
mod pool;
mod prefetched;
mod progress;
mod proxy;
mod race;
mod repeat;
mod response_body;
mod tls;
mod trailers;
mod unanswered;
mod waker;

pub(crate) use alarm::Alarm;
pub use base::BasePath;
pub use budget::{Budget, Exhausted, Held};
pub use carry::carry;
pub use connection::MAX_FIELDS;
pub use dialer::Dialer;
pub use failed::{Failed, SetupError};
pub use io::Io;
pub use obstacle::Obstacle;
pub use prefetched::{Prefetched, Unfilled};
pub use proxy::Proxy;
pub use race::probe;
pub use response_body::ResponseBody;
pub use trailers::filter_trailers;
pub use unanswered::Unanswered;
pub(crate) use waker::DriverWaker;

use std::fmt;
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderValue, LOCATION, TRANSFER_ENCODING, UPGRADE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, Uri};

use crate::admission::Place;
use crate::config;
use http1::Http1;
use http2::Http2;
use outbound::Outbound;

/// The most that a client may have the gate wait for a response. A guess: nothing takes longer than a batch, which has a day.
const LONGEST_RESPONSE: Duration = Duration::from_hours(24);

/// Where requests go.
pub struct Upstream {
    url: Uri,
    base: BasePath,
    http1: Http1,
    http2: Option<Http2>,
    key: Option<HeaderValue>,
    response_timeout: Duration,
}

impl Upstream {
    /// A client for this upstream; it connects when there is something to send.
    ///
    /// # Errors
    /// [`SetupError`]: what is configured cannot be used.
    pub fn new(config: &config::UpstreamConfig) -> Result<Self, SetupError> {
        let url = config.url.clone();
        let proxy = Proxy::towards(&url, &config.proxy);
        let forwards = proxy.as_ref().is_some_and(|proxy| proxy.forwards(&url));
        let dialer = |http2: bool| {
            let dialer = Dialer::new(&url, config.authorities.as_ref(), config.connect_timeout, http2)?;
            match &proxy {
                Some(proxy) => dialer.through(proxy, forwards && !http2),
                None => Ok(dialer),
            }
        };
        if let Some(proxy) = &proxy {
            tracing::info!(proxy = %proxy.uri(), "the upstream is reached through a proxy");
        }
        let host = host(&url).ok_or_else(|| SetupError::NoHost(url.clone()))?;
        let http2 = match config.http2_connections {
            Some(connections) => Http2::new(dialer(true)?, connections.into(), url.clone().into_parts()),
            None => None,
        };
        let mut http1 = Http1::new(dialer(false)?, host);
        if let Some(proxy) = proxy.as_ref().filter(|_| forwards) {
            http1.forward_through(proxy, &url);
        }
        Ok(Self {
            http1,
            http2,
            base: BasePath::of(&url),
            key: config.api_key_env.as_ref().map(key).transpose()?,
            response_timeout: config.response_timeout,
            url,
        })
    }

    /// Whether it adds a key to what it sends.
    #[must_use]
    pub fn adds_key(&self) -> bool {
        self.key.is_some()
    }

    /// How paths of clients become paths there.
    #[must_use]
    pub fn base(&self) -> &BasePath {
        &self.base
    }

    /// Sends a request and waits for the head of the answer. `path` is what its target was, less scheme and host. The
    /// place is spent as the request's head is written, and given back if it never is; a request that was sent in vain before
    /// has none, and goes on a new connection. Dropped at any time, what was sent of it is broken off.
    ///
    /// # Errors
    /// [`Unanswered`]; nothing is ever sent again that may have been executed and changes anything.
    pub fn send(
        &self,
        request: Request<Prefetched>,
        place: Option<Place>,
        path: PathAndQuery,
    ) -> impl Future<Output = Result<Response<ResponseBody>, Unanswered>> + Send {
        let outbound = self.outbound(request, place, path);
        async move { self.send_outbound(outbound.map_err(|unanswered| *unanswered)?).await }
    }

    /// A request as the upstream gets it.
    fn outbound(
        &self,
        request: Request<Prefetched>,
        place: Option<Place>,
        path: PathAndQuery,
    ) -> Result<Box<Outbound>, Box<Unanswered>> {
        let (mut head, body) = request.into_parts();
        head.uri = match self.target(path) {
            Ok(target) => target,
            Err(failed) => return Err(Box::new(Unanswered { failed, unread: Some(body), is_unsent: false })),
        };
        if let Some(key) = &self.key {
            // A server answers TRACE with all that it was sent.
            if head.method == Method::TRACE {
                head.headers.remove(AUTHORIZATION);
            } else {
                head.headers.insert(AUTHORIZATION, key.clone());
            }
        }
        let timeout =
            response_timeout(&head.headers).map_or(self.response_timeout, |said| said.max(self.response_timeout));
        Ok(Outbound::new(head, body, place, timeout))
    }

    async fn send_outbound(&self, mut outbound: Box<Outbound>) -> Result<Response<ResponseBody>, Unanswered> {
        // An upgrade is a thing of HTTP/1.1.
        let http2 = self.http2.as_ref().filter(|_| !outbound.has_header(&UPGRADE));
        let mut response = match http2 {
            // Boxed, so that the others do not carry its size.
            Some(http2) => Box::pin(http2.send(&mut outbound)).await?,
            None => self.http1.send(&mut outbound).await?,
        };
        let codings = response.headers().get_all(TRANSFER_ENCODING).iter();
        if codings.into_iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
            return Err(Failed::Senseless("its transfer coding is not 'chunked'").into());
        }
        if response.status().is_redirection() || response.status() == StatusCode::CREATED {
            self.lead_back(response.headers_mut());
        }
        Ok(response)
    }

    /// The target as HTTP/1.1 has it: path and query.
    fn target(&self, path: PathAndQuery) -> Result<Uri, Failed> {
        self.base.target(path).ok_or(Failed::Target)
    }

    /// A client that follows a `Location` at the upstream's own address comes back through the gate.
    fn lead_back(&self, headers: &mut HeaderMap) {
        let location = headers.get(LOCATION).and_then(|location| location.to_str().ok());
        let path = location.and_then(|location| location::own_path(location, &self.url));
        let at_gate = path.and_then(|path| self.base.at_gate(path)).and_then(|path| path.try_into().ok());
        if let Some(at_gate) = at_gate {
            headers.insert(LOCATION, at_gate);
        }
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("url", &self.url).finish_non_exhaustive()
    }
}

/// What the header `Host` says: no port where it is the scheme's own.
fn host(url: &Uri) -> Option<HeaderValue> {
    let host = url.host()?;
    let usual = if url.scheme_str() == Some("https") { 443 } else { 80 };
    let host = match url.port_u16().filter(|port| *port != usual) {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    HeaderValue::try_from(host).ok()
}

/// How long the SDK of the client waits for a response, as openai-python and openai-node say it: the gate waits no less, or
/// it would break off what costs money (docs/upstream.md §5.1).
fn response_timeout(headers: &HeaderMap) -> Option<Duration> {
    const SAID: [HeaderName; 2] =
        [HeaderName::from_static("x-stainless-read-timeout"), HeaderName::from_static("x-stainless-timeout")];
    // Others than the SDKs send none of them, and looking for each costs more.
    headers.keys().find(|name| name.as_str().starts_with("x-stainless-"))?;
    let seconds = SAID.iter().find_map(|name| headers.get(name))?.to_str().ok()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok().map(|said| said.min(LONGEST_RESPONSE))
}

fn key(variable: &config::KeyVariable) -> Result<HeaderValue, SetupError> {
    let no_key = || SetupError::NoKey(variable.place().to_owned());
    let key = variable.key().filter(|key| !key.is_empty()).ok_or_else(no_key)?;
    let mut value = HeaderValue::try_from(format!("Bearer {key}")).map_err(|_| no_key())?;
    value.set_sensitive(true);
    Ok(value)
}
