use http::Uri;
use http::uri::Authority;

/// The path that a `Location` names, with query and fragment, where it is at this upstream's own address: RFC 9110 §10.2.2.
pub(super) fn own_path<'l>(location: &'l str, upstream: &Uri) -> Option<&'l str> {
    if location.starts_with('/') && !location.starts_with("//") {
        return Some(location);
    }
    let (scheme, rest) = match location.split_once("//")? {
        ("", rest) => (upstream.scheme_str()?, rest),
        (scheme, rest) => (scheme.strip_suffix(':')?, rest),
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let authority: Authority = authority.parse().ok()?;
    let usual = usual_port(scheme)?;
    let port = authority.port_u16().unwrap_or(usual);
    let is_same_host = upstream.host()?.eq_ignore_ascii_case(authority.host());
    // What stands behind a server that ends TLS may call itself http.
    let is_same_port = upstream.port_u16().or_else(|| usual_port(upstream.scheme_str()?))? == port
        || (authority.port().is_none() && upstream.port().is_none());
    let has_user = authority.as_str().contains('@');
    (is_same_host && is_same_port && !has_user).then_some(if path.is_empty() { "/" } else { path })
}

fn usual_port(scheme: &str) -> Option<u16> {
    match scheme {
        scheme if scheme.eq_ignore_ascii_case("https") => Some(443),
        scheme if scheme.eq_ignore_ascii_case("http") => Some(80),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_upstreams_own_address_counts() {
        for (upstream, location, path) in [
            ("http://o:8000", "http://o:8000/v1/models", Some("/v1/models")),
            ("http://o:8000", "HTTP://O:8000/v1/models?x#y", Some("/v1/models?x#y")),
            ("http://o:8000", "//o:8000/v1", Some("/v1")),
            ("http://o:8000", "http://o:8000", Some("/")),
            ("http://o:8000", "/v1/models", Some("/v1/models")),
            ("http://o:8000", "http://o/v1/models", None),
            ("http://o:8000", "http://other:8000/v1/models", None),
            ("http://o:8000", "http://user@o:8000/v1/models", None),
            ("http://o:8000", "ftp://o:8000/v1/models", None),
            ("http://o:8000", "models", None),
            ("https://o", "https://o:443/v1", Some("/v1")),
            ("https://o", "http://o/v1", Some("/v1")),
            ("https://o", "http://o:8080/v1", None),
            ("http://[::1]:80", "http://[::1]/v1", Some("/v1")),
        ] {
            let upstream = upstream.parse().expect("a URL");
            assert_eq!(own_path(location, &upstream), path, "{upstream} {location}");
        }
    }
}
