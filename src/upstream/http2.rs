use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::header::HOST;
use http::uri::{self, Authority, Scheme};
use http::{Request, Response, Uri, Version};
use hyper::body::Incoming;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;

use super::dialer::Dialer;
use super::failed::{Failed, Unanswered, cause};
use super::outgoing::{Outgoing, Upload};
use super::response_body::ResponseBody;

/// The upstream over HTTP/2: several connections, one client each. hyper's pool keeps a single HTTP/2 connection to a host
/// and queues unseen beyond its streams.
#[derive(Debug)]
pub(super) struct Http2 {
    clients: Vec<Client<Dialer, Outgoing>>,
    next: AtomicUsize,
    scheme: Scheme,
    authority: Authority,
    response_timeout: Duration,
}

type Answer = Result<Response<Incoming>, legacy::Error>;

impl Http2 {
    pub(super) fn new(
        dialer: &Dialer,
        connections: usize,
        url: uri::Parts,
        response_timeout: Duration,
    ) -> Option<Self> {
        let clients = (0..connections).map(|_| client(dialer.clone())).collect();
        let (scheme, authority) = (url.scheme?, url.authority?);
        Some(Self { clients, next: AtomicUsize::new(0), scheme, authority, response_timeout })
    }

    /// Sends a request whose target has no scheme and host, and waits for the head of its response.
    pub(super) async fn send(
        &self,
        mut request: Request<Outgoing>,
        mut upload: Upload,
    ) -> Result<Response<ResponseBody>, Unanswered> {
        *request.version_mut() = Version::HTTP_2;
        let Some(target) = self.target(request.uri()) else {
            drop(request);
            return Err(upload.fail(Failed::Target));
        };
        *request.uri_mut() = target;
        request.headers_mut().remove(HOST);
        request.body_mut().follow_head();
        let client = &self.clients[self.next.fetch_add(1, Ordering::Relaxed) % self.clients.len()];
        match self.answer(client.request(request), &mut upload).await {
            Ok(response) => Ok(response.map(ResponseBody::independent)),
            Err(failed) => Err(upload.fail(failed)),
        }
    }

    /// However long an upload takes, the time for the answer runs from its end.
    async fn answer(
        &self,
        answer: impl Future<Output = Answer>,
        upload: &mut Upload,
    ) -> Result<Response<Incoming>, Failed> {
        let unreachable = |error| Failed::Unreachable(cause(&error));
        let mut answer = std::pin::pin!(answer);
        tokio::select! {
            biased;
            answer = &mut answer => match answer {
                Ok(response) => return Ok(response),
                Err(error) => {
                    upload.over_in_time().await;
                    return Err(unreachable(error));
                }
            },
            () = upload.over() => {}
        }
        match timeout(self.response_timeout, answer).await {
            Ok(answer) => answer.map_err(unreachable),
            Err(_) => Err(Failed::Timeout(self.response_timeout)),
        }
    }

    fn target(&self, path: &Uri) -> Option<Uri> {
        let mut whole = uri::Parts::default();
        whole.scheme = Some(self.scheme.clone());
        whole.authority = Some(self.authority.clone());
        whole.path_and_query = path.path_and_query().cloned();
        Uri::from_parts(whole).ok()
    }
}

/// Speaks HTTP/2 without asking: there may be no TLS to agree on it in.
fn client(dialer: Dialer) -> Client<Dialer, Outgoing> {
    let mut client = Client::builder(TokioExecutor::new());
    client.pool_timer(TokioTimer::new()).timer(TokioTimer::new()).http2_only(true).build(dialer)
}
