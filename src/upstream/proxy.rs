use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::uri::Scheme;
use http::{HeaderValue, Uri};
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use rustls::RootCertStore;
use tower::{BoxError, Service};

use super::dialer::Dialer;
use super::failed::{SetupError, cause};
use super::io::Io;
use crate::config::ProxyChoice;

/// A proxy between the gate and its upstream.
#[derive(Clone, Debug)]
pub struct Proxy {
    found: Intercept,
    is_configured: bool,
}

impl Proxy {
    /// The proxy on the way to this URL: as the configuration says, or else the environment, by curl's rules. From the
    /// environment none is taken for this machine itself, as in Go.
    #[must_use]
    pub fn towards(url: &Uri, choice: &ProxyChoice) -> Option<Self> {
        match choice {
            ProxyChoice::Off => None,
            ProxyChoice::Environment if is_loopback(url) => None,
            ProxyChoice::Environment => Some(Self { found: Matcher::from_env().intercept(url)?, is_configured: false }),
            ProxyChoice::Url(proxy) => {
                let matcher = Matcher::builder().all(proxy.secret().to_owned()).build();
                Some(Self { found: matcher.intercept(url)?, is_configured: true })
            }
        }
    }

    /// Where it is, without credentials.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        self.found.uri()
    }

    /// Whether the configuration names it, and not the environment.
    #[must_use]
    pub fn is_configured(&self) -> bool {
        self.is_configured
    }

    /// Whether it has a user name and a password for it.
    #[must_use]
    pub fn has_credentials(&self) -> bool {
        self.found.basic_auth().is_some() || self.found.raw_auth().is_some()
    }

    /// What is said to it with each request that it forwards itself.
    pub(super) fn authorization(&self) -> Option<&HeaderValue> {
        self.found.basic_auth()
    }

    /// Whether it forwards the requests for this URL. Through any other way it carries bytes that it need not understand.
    pub(super) fn forwards(&self, url: &Uri) -> bool {
        self.speaks_http() && url.scheme() != Some(&Scheme::HTTPS)
    }

    fn speaks_http(&self) -> bool {
        matches!(self.uri().scheme_str(), Some("http" | "https"))
    }
}

fn is_loopback(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A way through a proxy.
#[derive(Clone, Debug)]
pub(super) struct Hop {
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
    pub(super) fn new(proxy: &Proxy, forwards: bool, connect_timeout: Duration) -> Result<Self, SetupError> {
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
                let credentials = proxy.found.raw_auth();
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
    pub(super) async fn reach(&self, url: Uri) -> Result<Io, BoxError> {
        let reached = match self.way.clone() {
            Way::Forward(mut dialer) => dialer.call(url).await,
            Way::Tunnel(mut tunnel) => tunnel.call(url).await.map_err(BoxError::from),
            Way::Socks5(mut tunnel) => tunnel.call(url).await.map_err(BoxError::from),
        };
        match reached {
            Ok(connection) => Ok(connection.into_inner()),
            Err(error) => Err(format!("through the proxy {}: {}", self.proxy, cause(&*error)).into()),
        }
    }
}
