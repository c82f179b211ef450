//! The upstream: connections to it, and the bodies that go both ways.
//!
//! HTTP/1.1 unless told otherwise, over a pool of connections of our own: [`Upstream::send`] takes one from the pool, the task
//! that waits for the response drives it, and whoever reads the [`ResponseBody`] drives it to the last byte.

mod alarm;
mod budget;
mod connection;
mod dialer;
mod failed;
mod http1;
mod http2;
mod io;
mod outgoing;
mod pool;
mod prefetched;
mod progress;
mod proxy;
mod race;
mod repeat;
mod response_body;
mod tls;
mod waker;

pub use budget::{Budget, Exhausted, Held};
pub use dialer::Dialer;
pub use failed::{Failed, SetupError, Unanswered};
pub use io::Io;
pub use prefetched::Prefetched;
pub use proxy::Proxy;
pub use response_body::ResponseBody;

use std::fmt;

use http::header::{AUTHORIZATION, HeaderValue, TRANSFER_ENCODING, UPGRADE};
use http::uri::PathAndQuery;
use http::{Request, Response, Uri};

use crate::admission::Place;
use crate::{config, route};
use http1::Http1;
use http2::Http2;
use outgoing::Outgoing;

/// Where requests go.
pub struct Upstream {
    url: Uri,
    base: String,
    http1: Http1,
    http2: Option<Http2>,
    key: Option<HeaderValue>,
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
            Some(connections) => {
                Http2::new(dialer(true)?, connections.into(), url.clone().into_parts(), config.response_timeout)
            }
            None => None,
        };
        let mut http1 = Http1::new(dialer(false)?, host, config.response_timeout);
        if let Some(proxy) = proxy.as_ref().filter(|_| forwards) {
            http1.forward_through(proxy, &url);
        }
        Ok(Self {
            http1,
            http2,
            base: url.path().trim_end_matches('/').to_owned(),
            key: config.api_key_env.as_ref().map(key).transpose()?,
            url,
        })
    }

    /// Whether it adds a key to what it sends.
    #[must_use]
    pub fn adds_key(&self) -> bool {
        self.key.is_some()
    }

    /// Sends a request and waits for the head of the answer. `path` is what its target was, less scheme and host. The
    /// place is spent as the request's head is written, and given back if it never is. Dropped at any time, what was sent
    /// of it is broken off.
    ///
    /// # Errors
    /// [`Unanswered`]; nothing is ever sent again that may have been executed and changes anything.
    pub async fn send(
        &self,
        request: Request<Prefetched>,
        place: Place,
        path: PathAndQuery,
    ) -> Result<Response<ResponseBody>, Unanswered> {
        let (mut head, body) = request.into_parts();
        head.uri = match self.target(path) {
            Ok(target) => target,
            Err(failed) => return Err(Unanswered { failed, unread: Some(body) }),
        };
        if let Some(key) = &self.key {
            head.headers.insert(AUTHORIZATION, key.clone());
        }
        let (body, upload) = Outgoing::new(body, place);
        let request = Request::from_parts(head, body);
        // An upgrade is a thing of HTTP/1.1.
        let http2 = self.http2.as_ref().filter(|_| !request.headers().contains_key(UPGRADE));
        let response = match http2 {
            Some(http2) => http2.send(request, upload).await?,
            None => self.http1.send(request, upload).await?,
        };
        let codings = response.headers().get_all(TRANSFER_ENCODING).iter();
        if codings.into_iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
            return Err(Failed::Senseless("its transfer coding is not 'chunked'").into());
        }
        Ok(response)
    }

    /// The target as HTTP/1.1 has it: path and query.
    fn target(&self, path: PathAndQuery) -> Result<Uri, Failed> {
        if self.base.is_empty() {
            return Ok(Uri::from(path));
        }
        if route::climbs(path.path()) {
            return Err(Failed::Target);
        }
        format!("{}{path}", self.base).parse().map_err(|_| Failed::Target)
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

fn key(variable: &config::KeyVariable) -> Result<HeaderValue, SetupError> {
    let no_key = || SetupError::NoKey(variable.place().to_owned());
    let key = variable.key().filter(|key| !key.is_empty()).ok_or_else(no_key)?;
    let mut value = HeaderValue::try_from(format!("Bearer {key}")).map_err(|_| no_key())?;
    value.set_sensitive(true);
    Ok(value)
}
