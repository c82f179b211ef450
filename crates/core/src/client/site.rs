use core::net::{IpAddr, Ipv6Addr};
use std::fmt;
use std::str::FromStr;

use http::header::{ACCEPT_LANGUAGE, HOST, ORIGIN, USER_AGENT};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The names that a gate goes by beside its addresses, and the pages that may use it: `[server] allowed_hosts`.
///
/// A browser lets every web page send requests to every address. It tells which page sends one in `Origin` and
/// `Sec-Fetch-Site`, but the first is missing from most GETs, the second from requests to addresses other than loopback
/// over plain HTTP, and WebSockets of some browsers have the first alone. A page whose own name leads to the gate's address
/// (DNS rebinding) counts as the gate's own; only `Host` gives it away. So all of them are looked at.
///
/// ```
/// use http::{HeaderMap, HeaderValue, header::{HOST, ORIGIN}};
/// use tidegate_core::client::{AllowedHosts, Stranger};
///
/// let allowed: AllowedHosts = [ "gate.lan".parse() ].into_iter().collect::<Result<_, String>>().expect("a host");
/// let mut headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static("gate.lan:4290"))]);
/// assert_eq!(allowed.check(None, &headers, false), Ok(()));
/// headers.insert(ORIGIN, HeaderValue::from_static("https://example.com"));
/// assert_eq!(allowed.check(None, &headers, false), Err(Stranger::Page));
/// ```
#[derive(Clone, Debug, Default)]
pub struct AllowedHosts {
    hosts: Vec<AllowedHost>,
}

/// A host with or without a port, or a whole origin, as the configuration writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHost(String);

/// Why a request may come from a web page that has no business with the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stranger {
    /// It calls the gate by a name that is not known to be the gate's.
    Host,
    /// It comes from a page that is not the gate's own.
    Page,
    /// It comes from a browser that does not say from which page.
    Browser,
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => {
                "its Host is neither an address nor a name of localhost; if it is this gate's own name, add it to [server] \
                 allowed_hosts"
            }
            Self::Page => {
                "it comes from a web page of another site; if that page may use the gate, add its host and port to [server] \
                 allowed_hosts"
            }
            Self::Browser => {
                "a browser sent it without saying for which page; call the gate at 127.0.0.1 or localhost, or over https://"
            }
        })
    }
}

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

impl AllowedHosts {
    /// Whether a request is safe to serve with a key that its sender need not have. `target` is the host in the request's
    /// target, if there is one; `upgrades` says that it asks for a WebSocket, which no policy of a browser protects.
    ///
    /// # Errors
    /// [`Stranger`]: it may come from a page that must not use the key.
    pub fn check(&self, target: Option<&Authority>, headers: &HeaderMap, upgrades: bool) -> Result<(), Stranger> {
        self.check_host(target, headers)?;
        match self.page(target, headers) {
            Page::Own if upgrades && headers.contains_key(ORIGIN) => Err(Stranger::Page),
            Page::Foreign => Err(Stranger::Page),
            Page::Unsaid if is_from_browser(headers) => Err(Stranger::Browser),
            Page::Allowed | Page::Own | Page::Unsaid => Ok(()),
        }
    }

    /// The same for pages that the gate itself serves, and that other sites may link to.
    ///
    /// # Errors
    /// [`Stranger`]: it may come from a page that must not read the answer.
    pub fn check_own(&self, target: Option<&Authority>, headers: &HeaderMap) -> Result<(), Stranger> {
        self.check_host(target, headers)?;
        let is_followed_link = || {
            let to = headers.get(FETCH_DEST);
            to.is_some_and(|to| to == "document") && !headers.contains_key(ORIGIN)
        };
        if matches!(self.page(target, headers), Page::Foreign) && !is_followed_link() {
            return Err(Stranger::Page);
        }
        Ok(())
    }

    /// Browsers resolve addresses and names of localhost by themselves; to all other names their owners' servers answer.
    fn check_host(&self, target: Option<&Authority>, headers: &HeaderMap) -> Result<(), Stranger> {
        let named = headers.get_all(HOST).into_iter().map(HeaderValue::as_bytes);
        let mut named = named.chain(target.map(|target| target.as_str().as_bytes()));
        let is_known = |authority: &[u8]| {
            let authority = std::str::from_utf8(authority).unwrap_or_default();
            is_unowned(host_of(authority)) || self.lists(authority)
        };
        if named.all(is_known) { Ok(()) } else { Err(Stranger::Host) }
    }

    fn page(&self, target: Option<&Authority>, headers: &HeaderMap) -> Page {
        let mut origins = headers.get_all(ORIGIN).into_iter();
        let (origin, other) = (origins.next(), origins.next());
        let text = origin.and_then(|origin| origin.to_str().ok()).unwrap_or_default();
        match (origin, headers.get(FETCH_SITE)) {
            _ if other.is_some() => Page::Foreign,
            (Some(_), _) if self.lists_origin(text) => Page::Allowed,
            (_, Some(site)) if site != "same-origin" && site != "none" => Page::Foreign,
            (Some(_), _) if is_of_host(text, target, headers) => Page::Own,
            (Some(_), _) => Page::Foreign,
            (None, Some(_)) => Page::Own,
            (None, None) => Page::Unsaid,
        }
    }

    fn lists_origin(&self, origin: &str) -> bool {
        let is_whole = |AllowedHost(allowed): &AllowedHost| origin.eq_ignore_ascii_case(allowed);
        let Some((_, authority)) = origin.split_once("://") else { return false };
        self.hosts.iter().any(is_whole) || self.lists(authority)
    }

    fn lists(&self, authority: &str) -> bool {
        let host = host_of(authority);
        let is_listed = |AllowedHost(allowed): &AllowedHost| {
            authority.eq_ignore_ascii_case(allowed) || host.eq_ignore_ascii_case(allowed)
        };
        self.hosts.iter().any(is_listed)
    }
}

impl FromIterator<AllowedHost> for AllowedHosts {
    fn from_iter<I: IntoIterator<Item = AllowedHost>>(hosts: I) -> Self {
        Self { hosts: hosts.into_iter().collect() }
    }
}

/// What a request says of the page that it comes from.
enum Page {
    /// One that the configuration names.
    Allowed,
    /// One of the gate's, or no page at all.
    Own,
    Foreign,
    /// Nothing.
    Unsaid,
}

impl FromStr for AllowedHost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, authority) = text.split_once("://").unwrap_or(("http", text));
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        if authority.contains('*') || text == "null" {
            return Err("each host has to be named".to_owned());
        }
        if authority.contains(['/', '?', '#', '@']) || scheme.is_empty() || !scheme.chars().all(is_scheme) {
            return Err("it is more than a host".to_owned());
        }
        let parsed: Authority = authority.parse().map_err(|error: http::uri::InvalidUri| error.to_string())?;
        if parsed.as_str().len() > parsed.host().len() && parsed.port_u16().is_none() {
            return Err("its port is no number up to 65535".to_owned());
        }
        Ok(Self(text.to_owned()))
    }
}

/// Whether a host, an IPv6 address with or without brackets, is this machine's own by its name or address.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    is_localhost(host) || address(host).is_some_and(|address| address.to_canonical().is_loopback())
}

/// Whether no one can have it lead elsewhere: an address, or a name of this machine.
fn is_unowned(host: &str) -> bool {
    is_localhost(host) || address(host).is_some()
}

/// RFC 6761 §6.3. Browsers resolve these without asking a server.
fn is_localhost(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let last = host.rsplit('.').next().unwrap_or_default();
    last.eq_ignore_ascii_case("localhost")
}

fn address(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse().ok(),
    }
}

/// An authority without its port.
fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !host.ends_with(':') => host,
        _ => authority,
    }
}

/// Whether the page was loaded from the very host and port that the request goes to.
fn is_of_host(origin: &str, target: Option<&Authority>, headers: &HeaderMap) -> bool {
    let page = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    let host = headers.get(HOST).map(HeaderValue::as_bytes).or_else(|| target.map(|target| target.as_str().as_bytes()));
    page.zip(host).is_some_and(|(page, host)| host.eq_ignore_ascii_case(page.as_bytes()))
}

/// Every browser sends both of these, and no page can take one away. (PowerShell sends the first alone; fetch of Node.js
/// and Deno the second.)
fn is_from_browser(headers: &HeaderMap) -> bool {
    let agent = headers.get(USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"Mozilla/"));
    agent && headers.contains_key(ACCEPT_LANGUAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|&(name, value)| (name.parse().expect("a name"), HeaderValue::from_static(value))).collect()
    }

    fn allowed(hosts: &[&str]) -> AllowedHosts {
        hosts.iter().map(|host| host.parse::<AllowedHost>().expect("a host")).collect()
    }

    const HERE: (&str, &str) = ("host", "127.0.0.1:4290");

    #[test]
    fn host_is_address_localhost_or_listed() {
        let allowed = allowed(&["gate.lan", "api.lan:8080"]);
        for (host, is_known) in [
            ("127.0.0.1", true),
            ("127.0.0.1:4290", true),
            ("192.168.1.5:4290", true),
            ("[::1]:4290", true),
            ("[2001:db8::1]", true),
            ("localhost:4290", true),
            ("LocalHost", true),
            ("app.localhost:1", true),
            ("localhost.", true),
            ("GATE.lan", true),
            ("gate.lan:9", true),
            ("api.lan:8080", true),
            ("api.lan:8081", false),
            ("api.lan", false),
            ("evil.example:4290", false),
            ("evil.gate.lan", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("evil.example:80@127.0.0.1", false),
            ("notlocalhost", false),
            ("tidegate", false),
            ("127.0.0.1:x", false),
            ("[::1", false),
            ("", false),
        ] {
            let sent = headers(&[("host", host)]);
            let verdict = if is_known { Ok(()) } else { Err(Stranger::Host) };
            assert_eq!(allowed.check(None, &sent, false), verdict, "{host}");
            assert_eq!(allowed.check_own(None, &sent), verdict, "{host}");
            // Beside a host that is known, one in the target counts as well.
            if let Ok(target) = host.parse() {
                assert_eq!(allowed.check(Some(&target), &headers(&[HERE]), false), verdict, "{host}");
            }
        }
        assert_eq!(allowed.check(None, &headers(&[HERE, ("host", "evil.example")]), false), Err(Stranger::Host));
        assert_eq!(allowed.check(None, &HeaderMap::new(), false), Ok(()));
    }

    #[test]
    fn page_is_own_or_listed() {
        let allowed = allowed(&["app.lan:3000", "chrome-extension://abc", "gate.lan"]);
        let site = "sec-fetch-site";
        for (sent, plain, upgrade) in [
            (&[][..], Ok(()), Ok(())),
            (&[("origin", "http://127.0.0.1:4290")], Ok(()), Err(Stranger::Page)),
            (&[("origin", "http://127.0.0.1:4290"), (site, "same-origin")], Ok(()), Err(Stranger::Page)),
            (&[("origin", "http://127.0.0.1:4290"), (site, "cross-site")], Err(Stranger::Page), Err(Stranger::Page)),
            (&[("origin", "http://127.0.0.1:8080")], Err(Stranger::Page), Err(Stranger::Page)),
            (&[("origin", "http://localhost:4290")], Err(Stranger::Page), Err(Stranger::Page)),
            (&[("origin", "http://evil.example")], Err(Stranger::Page), Err(Stranger::Page)),
            (&[("origin", "null")], Err(Stranger::Page), Err(Stranger::Page)),
            (&[("origin", "http://app.lan:3000")], Ok(()), Ok(())),
            (&[("origin", "https://app.lan:3000"), (site, "cross-site")], Ok(()), Ok(())),
            (
                &[("origin", "http://app.lan:3000"), ("origin", "http://evil.example")],
                Err(Stranger::Page),
                Err(Stranger::Page),
            ),
            (&[("origin", "http://app.lan")], Err(Stranger::Page), Err(Stranger::Page)),
            (&[("origin", "chrome-extension://abc")], Ok(()), Ok(())),
            (&[("origin", "chrome-extension://abd")], Err(Stranger::Page), Err(Stranger::Page)),
            (&[(site, "cross-site")], Err(Stranger::Page), Err(Stranger::Page)),
            (&[(site, "same-site")], Err(Stranger::Page), Err(Stranger::Page)),
            (&[(site, "none")], Ok(()), Ok(())),
            (
                &[("user-agent", "Mozilla/5.0"), ("accept-language", "en")],
                Err(Stranger::Browser),
                Err(Stranger::Browser),
            ),
            (&[("user-agent", "Mozilla/5.0"), ("accept-language", "en"), (site, "none")], Ok(()), Ok(())),
            (&[("user-agent", "Mozilla/5.0 (Windows NT) WindowsPowerShell/5.1")], Ok(()), Ok(())),
            (&[("user-agent", "OpenAI/JS 6.0"), ("accept-language", "*"), ("sec-fetch-mode", "cors")], Ok(()), Ok(())),
        ] {
            let sent = headers(&[&[HERE][..], sent].concat());
            let verdicts = [false, true].map(|upgrades| allowed.check(None, &sent, upgrades));
            assert_eq!(verdicts, [plain, upgrade], "{sent:?}");
        }
    }

    #[test]
    fn own_page_may_be_linked_to_and_no_more() {
        let (site, dest) = (("sec-fetch-site", "cross-site"), "sec-fetch-dest");
        for (sent, verdict) in [
            (&[][..], Ok(())),
            (&[("sec-fetch-site", "same-origin")], Ok(())),
            (&[("origin", "http://127.0.0.1:4290")], Ok(())),
            (&[("user-agent", "Mozilla/5.0"), ("accept-language", "en")], Ok(())),
            (&[site, (dest, "document")], Ok(())),
            (&[site, (dest, "document"), ("origin", "http://evil.example")], Err(Stranger::Page)),
            (&[site, (dest, "iframe")], Err(Stranger::Page)),
            (&[site, (dest, "empty")], Err(Stranger::Page)),
            (&[site], Err(Stranger::Page)),
            (&[("origin", "http://evil.example")], Err(Stranger::Page)),
        ] {
            let sent = headers(&[&[HERE][..], sent].concat());
            assert_eq!(AllowedHosts::default().check_own(None, &sent), verdict, "{sent:?}");
        }
    }

    #[test]
    fn page_of_the_target_is_own_without_host() {
        let (target, sent) = (Authority::from_static("[::1]:4290"), headers(&[("origin", "https://[::1]:4290")]));
        assert_eq!(AllowedHosts::default().check(Some(&target), &sent, false), Ok(()));
    }

    #[test]
    fn entry_is_a_host_and_nothing_more() {
        for entry in
            ["gate.lan", "gate.lan:80", "192.168.1.5", "[::1]:4290", "http://app.lan:3000", "app://obsidian.md"]
        {
            assert!(entry.parse::<AllowedHost>().is_ok(), "{entry}");
        }
        for entry in
            ["", "*", "*.lan", "null", "gate.lan/v1", "http://", "://a", "http://a/", "a@b", "a b", "a:x", "a:99999"]
        {
            assert!(entry.parse::<AllowedHost>().is_err(), "{entry}");
        }
    }

    #[test]
    fn loopback_is_this_machine() {
        for (host, is_so) in [
            ("localhost", true),
            ("127.8.0.1", true),
            ("[::1]", true),
            ("::ffff:127.0.0.1", true),
            ("0.0.0.0", false),
            ("gate.lan", false),
            ("192.168.1.5", false),
        ] {
            assert_eq!(is_loopback(host), is_so, "{host}");
        }
    }
}
