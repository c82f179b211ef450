use http::HeaderMap;
use http::header::HeaderName;

/// What a trailer must not carry (RFC 9110 §6.5.1): what frames, routes, authenticates or controls a request or response.
const NO_TRAILERS: [&str; 19] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "max-forwards",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Takes out what is between two neighbours only, or must not come behind a body.
pub fn filter_trailers(trailers: &mut HeaderMap) {
    let is_out = |name: &&HeaderName| NO_TRAILERS.contains(&name.as_str()) || name.as_str().starts_with("x-tidegate-");
    let out: Vec<HeaderName> = trailers.keys().filter(is_out).cloned().collect();
    for name in &out {
        trailers.remove(name);
    }
}
