use std::net::IpAddr;

use http::uri::Scheme;
use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

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

    /// The user name and the password for a SOCKS proxy.
    pub(super) fn credentials(&self) -> Option<(&str, &str)> {
        self.found.raw_auth()
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
