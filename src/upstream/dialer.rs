use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::Uri;
use http::uri::Scheme;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tower::{BoxError, Service};

use super::failed::{SetupError, cause};
use super::io::Io;
use super::obstacle::{Blocked, Obstacle};
use super::proxy::Proxy;
use super::race;
use super::tls::tls_towards;

/// Makes connections to one place, TLS included, within a time.
#[derive(Clone)]
pub struct Dialer {
    target: Arc<Target>,
    connect_timeout: Duration,
}

struct Target {
    url: Uri,
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    hop: Option<Hop>,
}

impl Dialer {
    /// Towards this URL, over TLS if it says so. With `http2` TLS offers HTTP/2 and nothing else.
    ///
    /// # Errors
    /// [`SetupError`]: the URL has no usable host, or there is no TLS.
    pub fn new(
        url: &Uri,
        authorities: Option<&Arc<RootCertStore>>,
        connect_timeout: Duration,
        http2: bool,
    ) -> Result<Self, SetupError> {
        let no_host = || SetupError::NoHost(url.clone());
        let is_tls = url.scheme() == Some(&Scheme::HTTPS);
        let host = url.host().ok_or_else(no_host)?.trim_matches(['[', ']']).to_owned();
        let tls = if is_tls {
            let mut config: ClientConfig = tls_towards(authorities)?;
            if http2 {
                config.alpn_protocols = vec![b"h2".to_vec()];
            }
            let name = ServerName::try_from(host.clone()).map_err(|_| no_host())?;
            Some((TlsConnector::from(Arc::new(config)), name))
        } else {
            None
        };
        let port = url.port_u16().unwrap_or(if is_tls { 443 } else { usual_port(url) });
        Ok(Self { target: Arc::new(Target { url: url.clone(), host, port, tls, hop: None }), connect_timeout })
    }

    /// The same through a proxy. One that `forwards` is sent the requests themselves.
    pub(super) fn through(self, proxy: &Proxy, forwards: bool) -> Result<Self, SetupError> {
        let hop = Some(Hop::new(proxy, forwards, self.connect_timeout)?);
        let Target { url, host, port, tls, .. } = &*self.target;
        let (url, host, port, tls) = (with_port(url, *port), host.clone(), *port, tls.clone());
        Ok(Self { target: Arc::new(Target { url, host, port, tls, hop }), ..self })
    }

    /// A new connection. Dropped at any time, it leaves nothing open.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn dial(&self) -> Result<Io, BoxError> {
        let late =
            |_| Obstacle::Timeout.blocks(format!("no connection within {} s", self.connect_timeout.as_secs_f64()));
        timeout(self.connect_timeout, self.target.reach()).await.map_err(late)?
    }
}

fn usual_port(url: &Uri) -> u16 {
    if url.scheme_str().is_some_and(|scheme| scheme.starts_with("socks")) { 1080 } else { 80 }
}

/// A proxy is told the port whatever it is.
fn with_port(url: &Uri, port: u16) -> Uri {
    let mut parts = url.clone().into_parts();
    let host = url.host().unwrap_or_default();
    parts.authority = format!("{host}:{port}").parse().ok();
    Uri::from_parts(parts).unwrap_or_else(|_| url.clone())
}

impl Target {
    async fn reach(&self) -> Result<Io, BoxError> {
        let plain = match &self.hop {
            Some(hop) => hop.reach(self.url.clone()).await?,
            None => self.connect().await?,
        };
        let Some((tls, name)) = &self.tls else { return Ok(plain) };
        Ok(Io::tls(tls.connect(name.clone(), plain).await.map_err(|error| Obstacle::Tls.blocks(error))?))
    }

    async fn connect(&self) -> Result<Io, Blocked> {
        let no_address = |error| Obstacle::Dns.blocks(format!("no address for {}: {error}", self.host));
        let addresses = race::look_up(&self.host, self.port).await.map_err(no_address)?;
        Ok(Io::plain(race::connect(addresses).await.map_err(|error| Obstacle::Connect.blocks(error))?))
    }
}

/// A way through a proxy.
#[derive(Clone, Debug)]
struct Hop {
    proxy: Uri,
    way: Way,
}

#[derive(Clone, Debug)]
enum Way {
    /// To the proxy itself, which is asked for the upstream's resources.
    Forward(Dialer),
    /// CONNECT (RFC 9110 §9.3.6).
    Tunnel(Tunnel<Dialer>),
    Socks5(SocksV5<Dialer>),
}

impl Hop {
    /// # Errors
    /// The proxy speaks no protocol that the gate does.
    fn new(proxy: &Proxy, forwards: bool, connect_timeout: Duration) -> Result<Self, SetupError> {
        let (uri, no_authorities) = (proxy.uri().clone(), None::<&Arc<RootCertStore>>);
        let dialer = Dialer::new(&uri, no_authorities, connect_timeout, false)?;
        let way = match uri.scheme_str() {
            Some("http" | "https") if forwards => Way::Forward(dialer),
            Some("http" | "https") => {
                let tunnel = Tunnel::new(uri.clone(), dialer);
                let authorization = proxy.authorization().cloned();
                Way::Tunnel(match authorization {
                    Some(authorization) => tunnel.with_auth(authorization),
                    None => tunnel,
                })
            }
            Some(socks @ ("socks5" | "socks5h")) => {
                let tunnel = SocksV5::new(uri.clone(), dialer).local_dns(socks == "socks5");
                let credentials = proxy.credentials();
                Way::Socks5(match credentials {
                    Some((user, password)) => tunnel.with_auth(user.to_owned(), password.to_owned()),
                    None => tunnel,
                })
            }
            _ => return Err(SetupError::Proxy(uri)),
        };
        Ok(Self { proxy: uri, way })
    }

    /// A connection through which what is said reaches this URL.
    async fn reach(&self, url: Uri) -> Result<Io, BoxError> {
        let reached = match self.way.clone() {
            Way::Forward(mut dialer) => dialer.call(url).await,
            Way::Tunnel(mut tunnel) => tunnel.call(url).await.map_err(BoxError::from),
            Way::Socks5(mut tunnel) => tunnel.call(url).await.map_err(BoxError::from),
        };
        match reached {
            Ok(connection) => Ok(connection.into_inner()),
            Err(error) => {
                let why = format!("through the proxy {}: {}", self.proxy, cause(&*error));
                Err(Obstacle::Proxy.blocks(why).into())
            }
        }
    }
}

/// For clients of hyper-util's. The dialer knows where it goes, whatever URI it is called with.
impl Service<Uri> for Dialer {
    type Response = TokioIo<Io>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let dialer = self.clone();
        Box::pin(async move { dialer.dial().await.map(TokioIo::new) })
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer")
            .field("host", &self.target.host)
            .field("port", &self.target.port)
            .finish_non_exhaustive()
    }
}
