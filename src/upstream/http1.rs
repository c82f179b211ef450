use std::sync::Arc;
use std::time::Duration;

use http::header::{HOST, PROXY_AUTHORIZATION, TRANSFER_ENCODING};
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Request, Response, Uri, Version};
use tower::BoxError;

use super::connection::Connection;
use super::dialer::Dialer;
use super::failed::Failed;
use super::outgoing::{Outgoing, Upload};
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
    pub(super) async fn send(
        &self,
        mut request: Request<Outgoing>,
        mut upload: Upload,
        timeout: Duration,
    ) -> Result<Response<ResponseBody>, Unanswered> {
        *request.version_mut() = Version::HTTP_11;
        if request.body().is_unmeasured() {
            // Of itself hyper would leave out such a body from a GET.
            request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        request.headers_mut().insert(HOST, self.host.clone());
        if let Some(forward) = &self.forward {
            forward.address(&mut request);
        }
        let mut is_repeated = false;
        loop {
            let idle = if is_repeated { None } else { self.pool.take() };
            let is_reused = idle.is_some();
            let mut connection = match idle {
                Some(connection) => connection,
                None => match self.connect().await {
                    Ok(connection) => connection,
                    Err(error) => {
                        drop(request);
                        return Err(upload.fail(Failed::unreachable(&*error)));
                    }
                },
            };
            if is_repeated {
                // What made the upstream close the one may make it close this one, too.
                connection.serves_once();
            }
            let copy = if is_reused && may_repeat(&request) { copy(&request) } else { None };
            let interrupted = match connection.exchange(request, &mut upload, timeout, &self.pool).await {
                Ok(response) => return Ok(response),
                Err(interrupted) => interrupted,
            };
            request = match (interrupted.unsent, copy) {
                (Some(unsent), _) if is_reused => unsent,
                (None, Some(copy)) if interrupted.is_closed => {
                    is_repeated = true;
                    copy
                }
                (unsent, _) => {
                    drop(unsent);
                    return Err(upload.fail(interrupted.failed));
                }
            };
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
