use std::env;
use std::net::IpAddr;

use http::uri::Scheme;
use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

use super::failed::SetupError;
use crate::config::{ProxyChoice, ProxyUrl};

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
            ProxyChoice::Environment if is_loopback(url) || is_exempt(url, &no_proxy()) => None,
            ProxyChoice::Environment => Some(Self { found: Matcher::from_env().intercept(url)?, is_configured: false }),
            ProxyChoice::Url(proxy) => {
                let matcher = Matcher::builder().all(proxy.secret().to_owned()).build();
                Some(Self { found: matcher.intercept(url)?, is_configured: true })
            }
        }
    }

    /// # Errors
    /// It speaks no protocol that the gate does, such as SOCKS4, which only the environment can name.
    pub fn check(&self) -> Result<(), SetupError> {
        let is_spoken = self.uri().scheme_str().is_some_and(|scheme| ProxyUrl::SCHEMES.contains(&scheme));
        if is_spoken { Ok(()) } else { Err(SetupError::Proxy(self.uri().clone())) }
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

fn no_proxy() -> String {
    ["NO_PROXY", "no_proxy"].into_iter().find_map(|name| env::var(name).ok()).unwrap_or_default()
}

/// Whether this list has the URL's host in one of the forms that curl, Go and Python's requests take and the library does not:
/// with spaces between its entries, with a port, in brackets, or as `*.example.com`.
fn is_exempt(url: &Uri, no_proxy: &str) -> bool {
    let usual = if url.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    let port = url.port_u16().unwrap_or(usual);
    let names = no_proxy.split([',', ' ', '\t']).filter_map(|entry| {
        let (name, of_port) = match entry.rsplit_once(':') {
            Some((name, of_port)) if !name.contains(':') || name.ends_with(']') => (name, of_port.parse().ok()?),
            _ => (entry, port),
        };
        let name = name.strip_prefix("*.").unwrap_or(name).trim_matches(['[', ']']);
        (of_port == port && !name.is_empty()).then_some(name)
    });
    let names = names.collect::<Vec<_>>().join(",");
    // That there is a proxy at all is what makes it say for whom there is none.
    Matcher::builder().all("http://proxy.invalid").no(names).build().intercept(url).is_none()
}

fn is_loopback(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_without_a_proxy_are_named_in_all_forms() {
        for (url, list, expected) in [
            ("https://api.example.test", "other.test api.example.test", true),
            ("https://api.example.test", "*.example.test", true),
            ("https://api.example.test", "*", true),
            ("https://api.example.test", ".example.test", true),
            ("https://api.example.test", "API.example.TEST:443", true),
            ("https://api.example.test", "api.example.test:8443", false),
            ("https://api.example.test:8443", "api.example.test:8443,", true),
            ("http://api.example.test", "api.example.test:80", true),
            ("https://10.1.2.3:8443", "10.0.0.0/8", true),
            ("https://10.1.2.3:8443", "10.1.2.3:8443", true),
            ("https://10.1.2.3:8443", "10.1.2.3:443", false),
            ("https://[fd00::1]:8443", "[fd00::1]", true),
            ("https://[fd00::1]:8443", "[fd00::1]:8443", true),
            ("https://[fd00::1]:8443", "[fd00::1]:443", false),
            ("https://[fd00::1]:8443", "fd00::/8", true),
            ("https://[fd00::1]:8443", "fd00::2", false),
            ("https://api.example.test", "notexample.test, ,:", false),
            ("https://api.example.test", "", false),
        ] {
            assert_eq!(is_exempt(&url.parse().expect("a URL"), list), expected, "{url} {list}");
        }
    }
}
