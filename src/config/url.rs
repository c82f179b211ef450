/// A URL that apps' requests can be sent to, or what is wrong with it.
pub(super) fn parse_upstream(text: &str) -> Result<http::Uri, String> {
    parse(text).map(without_v1)
}

/// A URL that something can be sent to, or what is wrong with it.
pub(super) fn parse(text: &str) -> Result<http::Uri, String> {
    // Also behind a slash, which a password may have in it.
    if text.contains('@') || text.contains("%40") {
        return Err("it names a user, which would be sent nowhere and shown everywhere".to_owned());
    }
    let url: http::Uri = text.parse().map_err(|error: http::uri::InvalidUri| error.to_string())?;
    match url.scheme_str() {
        Some("http" | "https") if url.query().is_some() => Err("a query has no place here".to_owned()),
        Some("http" | "https") if url.authority().is_some_and(has_bad_port) => {
            Err("its port is no number up to 65535".to_owned())
        }
        Some("http" | "https") => Ok(url),
        _ => Err("it starts with neither http:// nor https://".to_owned()),
    }
}

/// What apps ask for begins with `/v1`, so a base URL as the SDKs want it means the same without.
fn without_v1(url: http::Uri) -> http::Uri {
    let Some(base) = url.path().trim_end_matches('/').strip_suffix("/v1") else { return url };
    let mut parts = url.clone().into_parts();
    parts.path_and_query = format!("{base}/").parse().ok();
    http::Uri::from_parts(parts).unwrap_or(url)
}

/// Whether a colon behind the host is followed by anything but a port.
fn has_bad_port(authority: &http::uri::Authority) -> bool {
    authority.as_str().len() > authority.host().len() && authority.port_u16().is_none()
}
