use std::error::Error;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use h2::Reason;
use http::header::HOST;
use http::uri::{self, Authority, Scheme};
use http::{Response, Uri, Version};
use hyper::body::Incoming;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time;

use super::dialer::Dialer;
use super::failed::Failed;
use super::outbound::Outbound;
use super::outgoing::{Outgoing, Upload};
use super::progress;
use super::repeat::{copy, may_repeat};
use super::response_body::ResponseBody;
use super::unanswered::Unanswered;

/// How often the upstream is asked whether it is still there, and how long it may take to say so. A guess: a connection
/// that died without a word is given up within a minute.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// How large the fields of a response may be, all together: four times hyper's default. A guess: as large as most servers
/// take of a request over HTTP/1.1 (nginx 32 KB, Node 16 KB, Envoy 60 KB).
const MAX_FIELDS: u32 = 64 << 10;

/// The upstream over HTTP/2: several connections, one client each. hyper's pool keeps a single HTTP/2 connection to a host
/// and queues unseen beyond its streams.
#[derive(Debug)]
pub(super) struct Http2 {
    dialer: Dialer,
    clients: Vec<Mutex<Numbered>>,
    next: AtomicUsize,
    scheme: Scheme,
    authority: Authority,
}

/// A client, and how many there were before it in its place.
#[derive(Clone, Debug)]
struct Numbered {
    number: u64,
    client: Client<Dialer, Outgoing>,
}

/// Why there is no response, and whether the upstream says that it has not processed the request.
struct NoResponse {
    failed: Failed,
    /// Sent again it may be executed, but not twice.
    is_unprocessed: bool,
    /// The connection ended before the response.
    is_cut: bool,
}

impl Http2 {
    pub(super) fn new(dialer: Dialer, connections: usize, url: uri::Parts) -> Option<Self> {
        let first = || Mutex::new(Numbered { number: 0, client: client(dialer.clone()) });
        let clients = (0..connections).map(|_| first()).collect();
        let (scheme, authority) = (url.scheme?, url.authority?);
        Some(Self { dialer, clients, next: AtomicUsize::new(0), scheme, authority })
    }

    /// Sends a request whose target has no scheme and host, and waits for the head of its response.
    ///
    /// What the upstream has not processed (RFC 9113 §8.7) goes once more, on a new connection, if all of its body is here;
    /// so does one that asks for nothing but information and whose connection has ended.
    pub(super) async fn send(&self, outbound: &mut Outbound) -> Result<Response<ResponseBody>, Unanswered> {
        let addressed = outbound.request.take().and_then(|request| Some((self.target(request.uri())?, request)));
        let Some((target, mut request)) = addressed else { return Err(outbound.fail(Failed::Target)) };
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = target;
        request.headers_mut().remove(HOST);
        request.body_mut().follow_head();
        let (again, is_safe) = (copy(&request), may_repeat(&request));
        let nth = self.next.fetch_add(1, Ordering::Relaxed) % self.clients.len();
        let Numbered { number, client } = self.client(nth);
        let mut answer = head(client.request(request), &mut outbound.upload, outbound.timeout).await;
        if let (Err(NoResponse { is_unprocessed, is_cut, .. }), Some(again)) = (&answer, again)
            && (*is_unprocessed || (*is_cut && is_safe))
        {
            let client = self.replace(nth, number);
            answer = head(client.request(again), &mut outbound.upload, outbound.timeout).await;
        }
        match answer {
            Ok(response) => Ok(response.map(ResponseBody::independent)),
            Err(NoResponse { failed, .. }) => Err(outbound.fail(failed)),
        }
    }

    fn client(&self, nth: usize) -> Numbered {
        self.clients[nth].lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A client with a connection of its own in the place of this one, unless another request has seen to that. The old
    /// connection ends with its last response.
    fn replace(&self, nth: usize, number: u64) -> Client<Dialer, Outgoing> {
        let mut numbered = self.clients[nth].lock().unwrap_or_else(PoisonError::into_inner);
        if numbered.number == number {
            *numbered = Numbered { number: number + 1, client: client(self.dialer.clone()) };
        }
        numbered.client.clone()
    }

    fn target(&self, path: &Uri) -> Option<Uri> {
        let mut whole = uri::Parts::default();
        whole.scheme = Some(self.scheme.clone());
        whole.authority = Some(self.authority.clone());
        whole.path_and_query = path.path_and_query().cloned();
        Uri::from_parts(whole).ok()
    }
}

/// However long an upload takes, as long as it gets on, the time for the answer runs from its end.
async fn head(
    answer: impl Future<Output = Result<Response<Incoming>, legacy::Error>>,
    upload: &mut Upload,
    timeout: Duration,
) -> Result<Response<Incoming>, NoResponse> {
    let mut answer = pin!(answer);
    tokio::select! {
        biased;
        answer = &mut answer => match answer {
            Ok(response) => return Ok(response),
            Err(error) => {
                upload.over_in_time().await;
                return Err(NoResponse::from(&error));
            }
        },
        over = progress::over(upload) => over.map_err(NoResponse::late)?,
    }
    let answer = time::timeout(timeout, answer).await.map_err(|_| NoResponse::late(Failed::Timeout(timeout)))?;
    answer.map_err(|error| NoResponse::from(&error))
}

impl NoResponse {
    /// It may come still.
    fn late(failed: Failed) -> Self {
        Self { failed, is_unprocessed: false, is_cut: false }
    }
}

impl From<&legacy::Error> for NoResponse {
    fn from(error: &legacy::Error) -> Self {
        let mut causes = std::iter::successors(error.source(), |&cause| cause.source());
        let http2 = causes.find_map(|cause| cause.downcast_ref::<h2::Error>());
        // h2 tells of GOAWAY only the streams that it says were not processed.
        let is_unprocessed = http2.is_some_and(|error| {
            error.is_remote() && (error.is_go_away() || error.reason() == Some(Reason::REFUSED_STREAM))
        });
        let is_cut = !error.is_connect() && http2.is_none_or(h2::Error::is_io);
        Self { failed: Failed::unreachable(error), is_unprocessed, is_cut }
    }
}

/// Speaks HTTP/2 without asking: there may be no TLS to agree on it in.
fn client(dialer: Dialer) -> Client<Dialer, Outgoing> {
    let mut client = Client::builder(TokioExecutor::new());
    client.pool_timer(TokioTimer::new()).timer(TokioTimer::new()).http2_only(true);
    client.http2_max_header_list_size(MAX_FIELDS);
    client.http2_keep_alive_interval(PING_EVERY).http2_keep_alive_timeout(PING_TIMEOUT);
    // Else a connection that died between two requests is noticed only once one is on it.
    client.http2_keep_alive_while_idle(true);
    client.build(dialer)
}
