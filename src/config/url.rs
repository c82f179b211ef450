use std::net::{IpAddr, SocketAddr};

/// A URL that apps' requests can be sent to, or what is wrong with it. Of a query it may have the version that Azure asks for.
pub(super) fn parse_upstream(text: &str) -> Result<http::Uri, String> {
    let is_version = |query: &str| query.starts_with("api-version=") && !query.contains('&');
    let url = parse_any(text)?;
    if url.query().is_some_and(|query| !is_version(query)) {
        return Err("a query has no place here, but for Azure's api-version".to_owned());
    }
    match base_of_endpoint(text) {
        Some(base) => Err(format!("it names one endpoint, and requests go to many: write \"{base}\"")),
        None => Ok(url),
    }
}

/// A URL that something can be sent to, or what is wrong with it.
pub(super) fn parse(text: &str) -> Result<http::Uri, String> {
    let url = parse_any(text)?;
    if url.query().is_some() { Err("a query has no place here".to_owned()) } else { Ok(url) }
}

fn parse_any(text: &str) -> Result<http::Uri, String> {
    // Also behind a slash, which a password may have in it.
    if text.contains('@') || text.contains("%40") {
        return Err("it names a user, which would be sent nowhere and shown everywhere".to_owned());
    }
    let url: http::Uri = text.parse().map_err(|error: http::uri::InvalidUri| error.to_string())?;
    match url.scheme_str() {
        Some("http" | "https") if url.authority().is_some_and(has_bad_port) => {
            Err("its port is no number up to 65535".to_owned())
        }
        Some("http" | "https") => Ok(url),
        _ => Err("it starts with neither http:// nor https://".to_owned()),
    }
}

/// Whether requests to this URL come back to whoever listens here.
pub(super) fn leads_to(url: &http::Uri, listener: SocketAddr) -> bool {
    let usual = if url.scheme_str() == Some("https") { 443 } else { 80 };
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_here = match host.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(ip) if ip.is_loopback() => is_on_loopback(listener.ip()) && is_reached_by(ip, listener.ip()),
        Ok(ip) => ip == listener.ip().to_canonical() || ip.is_unspecified() && is_on_loopback(listener.ip()),
        Err(_) => host.eq_ignore_ascii_case("localhost") && is_on_loopback(listener.ip()),
    };
    is_here && listener.port() != 0 && url.port_u16().unwrap_or(usual) == listener.port()
}

fn is_on_loopback(listener: IpAddr) -> bool {
    listener.to_canonical().is_loopback() || listener.is_unspecified()
}

fn is_reached_by(ip: IpAddr, listener: IpAddr) -> bool {
    listener.is_unspecified() || listener.to_canonical() == ip
}

/// What apps ask for behind a base URL, the longest first (docs/upstream.md §1).
const ENDPOINTS: [&str; 6] =
    ["/chat/completions", "/completions", "/responses", "/embeddings", "/v1/messages", "/images/generations"];

/// The base URL of a whole endpoint.
fn base_of_endpoint(text: &str) -> Option<String> {
    let (url, query) = text.split_at(text.find('?').unwrap_or(text.len()));
    let url = url.trim_end_matches('/');
    let base = ENDPOINTS.iter().find_map(|endpoint| url.strip_suffix(endpoint))?;
    Some(format!("{base}{query}"))
}

/// Whether a colon behind the host is followed by anything but a port.
fn has_bad_port(authority: &http::uri::Authority) -> bool {
    authority.as_str().len() > authority.host().len() && authority.port_u16().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_endpoint_is_no_base_url() {
        for (text, base) in [
            ("https://api.openai.com/v1/chat/completions", "https://api.openai.com/v1"),
            ("https://api.perplexity.ai/chat/completions/", "https://api.perplexity.ai"),
            ("https://api.anthropic.com/v1/messages", "https://api.anthropic.com"),
            ("https://openrouter.ai/api/v1/responses", "https://openrouter.ai/api/v1"),
            (
                "http://a.azure.com/openai/deployments/g/embeddings?api-version=1",
                "http://a.azure.com/openai/deployments/g?api-version=1",
            ),
        ] {
            let refused = parse_upstream(text).expect_err(text);
            assert!(refused.ends_with(&format!("write \"{base}\"")), "{refused}");
        }
        for text in ["https://api.openai.com/v1", "http://o/responses-api", "http://o/d?api-version=2024-10-21"] {
            assert!(parse_upstream(text).is_ok(), "{text}");
        }
        for text in ["http://o/?x=1", "http://o/?api-version=1&key=2"] {
            assert!(parse_upstream(text).is_err(), "{text}");
        }
    }

    #[test]
    fn own_address_is_known_in_all_its_forms() {
        for (url, listener, is_own) in [
            ("http://127.0.0.1:4290", "127.0.0.1:4290", true),
            ("http://localhost:4290/v1", "127.0.0.1:4290", true),
            ("http://LOCALHOST:4290", "[::1]:4290", true),
            ("http://127.0.0.1:4290", "0.0.0.0:4290", true),
            ("http://[::1]:4290", "[::]:4290", true),
            ("http://0.0.0.0:4290", "127.0.0.1:4290", true),
            ("http://10.0.0.7:4290", "10.0.0.7:4290", true),
            ("http://localhost", "127.0.0.1:80", true),
            ("http://127.0.0.1:4292", "127.0.0.1:4290", false),
            ("http://127.0.0.2:4290", "127.0.0.1:4290", false),
            ("http://10.0.0.8:4290", "10.0.0.7:4290", false),
            ("http://example.com:4290", "0.0.0.0:4290", false),
            ("http://localhost:0", "127.0.0.1:0", false),
        ] {
            let listener = listener.parse().expect("an address");
            assert_eq!(leads_to(&url.parse().expect("a URL"), listener), is_own, "{url} {listener}");
        }
    }
}
