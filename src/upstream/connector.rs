use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower::{BoxError, Service};

/// How long a connection may be still before the system asks whether the other side is there. A
/// guess: middleboxes forget idle connections after minutes.
const KEEPALIVE: Duration = Duration::from_mins(1);

/// Makes connections, TLS included, within a time.
#[derive(Clone, Debug)]
pub struct Connector {
    https: HttpsConnector<HttpConnector>,
    patience: Duration,
}

impl Connector {
    /// Over HTTP/1.1, or over HTTP/2 without asking.
    #[must_use]
    pub fn new(tls: rustls::ClientConfig, patience: Duration, http2: bool) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEPALIVE));
        let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        let https =
            if http2 { https.enable_http2().wrap_connector(tcp) } else { https.enable_http1().wrap_connector(tcp) };
        Self { https, patience }
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.https.poll_ready(cx)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let (connecting, patience) = (self.https.call(to), self.patience);
        Box::pin(async move {
            let late = |_| format!("no connection within {} s", patience.as_secs_f64());
            timeout(patience, connecting).await.map_err(late)?
        })
    }
}
