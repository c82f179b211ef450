use std::sync::Arc;

use http::header::{HOST, PROXY_AUTHORIZATION, TRANSFER_ENCODING};
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Request, Response, Uri, Version};
use tower::BoxError;

use super::connection::Connection;
use super::dialer::Dialer;
use super::failed::Failed;
use super::outbound::Outbound;
use super::outgoing::Outgoing;
use super::pool::Pool;
use super::proxy::Proxy;
use super::repeat::{copy, may_repeat};
use super::response_body::ResponseBody;
use super::unanswered::Unanswered;

/// The upstream over HTTP/1.1.
pub(super) struct Http1 {
    dialer: Dialer,
    pool: Arc<Pool<Connection>>,
    host: HeaderValue,
    forward: Option<Forward>,
}

/// What a proxy that forwards requests has to be told with each.
struct Forward {
    scheme: Option<Scheme>,
    authority: Option<Authority>,
    authorization: Option<HeaderValue>,
}

impl Http1 {
    pub(super) fn new(dialer: Dialer, host: HeaderValue) -> Self {
        Self { dialer, pool: Pool::new(), host, forward: None }
    }

    /// Sends to a proxy what is for this URL.
    pub(super) fn forward_through(&mut self, proxy: &Proxy, url: &Uri) {
        let (scheme, authority) = (url.scheme().cloned(), url.authority().cloned());
        self.forward = Some(Forward { scheme, authority, authorization: proxy.authorization().cloned() });
    }

    /// Sends a request whose target has no scheme and host, and waits for the head of its response.
    ///
    /// The upstream may close an idle connection while a request is on its way to it. A request of which nothing was written
    /// then goes on another one; one that asks for nothing but information goes once more, on a new one (RFC 9110 §9.2.2).
    pub(super) async fn send(&self, outbound: &mut Outbound) -> Result<Response<ResponseBody>, Unanswered> {
        if let Some(request) = &mut outbound.request {
            self.address(request);
        }
        loop {
            let idle = if outbound.is_repeated { None } else { self.pool.take() };
            let is_reused = idle.is_some();
            let mut connection = match idle {
                Some(connection) => connection,
                // Boxed, as most requests find a connection and should not carry the size of making one.
                None => match Box::pin(self.connect()).await {
                    Ok(connection) => connection,
                    Err(error) => return Err(outbound.fail(Failed::unreachable(&*error))),
                },
            };
            if outbound.is_repeated {
                // What made the upstream close the one may make it close this one, too.
                connection.serves_once();
            }
            let repeatable = outbound.request.as_ref().filter(|request| is_reused && may_repeat(request));
            let copy = repeatable.and_then(copy).map(Box::new);
            let interrupted = match connection.exchange(outbound, &self.pool).await {
                Ok(response) => return Ok(response),
                Err(interrupted) => interrupted,
            };
            match copy {
                _ if is_reused && outbound.request.is_some() => {}
                Some(copy) if outbound.request.is_none() && interrupted.is_closed => {
                    outbound.is_repeated = true;
                    outbound.request = Some(*copy);
                }
                _ => {
                    let is_unsent = is_reused && interrupted.is_unsent;
                    return Err(Unanswered { is_unsent, ..outbound.fail(interrupted.failed) });
                }
            }
        }
    }

    /// What the upstream, or the proxy before it, has to be told of where a request goes.
    fn address(&self, request: &mut Request<Outgoing>) {
        *request.version_mut() = Version::HTTP_11;
        if request.body().is_unmeasured() {
            // Of itself hyper would leave out such a body from a GET.
            request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        request.headers_mut().insert(HOST, self.host.clone());
        if let Some(forward) = &self.forward {
            forward.address(request);
        }
    }

    async fn connect(&self) -> Result<Box<Connection>, BoxError> {
        Ok(Connection::open(self.dialer.dial().await?).await?)
    }
}

impl Forward {
    /// The target has scheme and host (RFC 9112 §3.2.2).
    fn address(&self, request: &mut Request<Outgoing>) {
        let mut target = request.uri().clone().into_parts();
        (target.scheme, target.authority) = (self.scheme.clone(), self.authority.clone());
        if let Ok(target) = Uri::from_parts(target) {
            *request.uri_mut() = target;
        }
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert(PROXY_AUTHORIZATION, authorization.clone());
        }
    }
}
