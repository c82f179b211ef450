use http::header::{
    CONNECTION, EXPECT, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRANSFER_ENCODING, UPGRADE,
};

const HOP_BY_HOP: [HeaderName; 5] = [
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TRANSFER_ENCODING,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
];

/// Takes out what is between client and gate only (RFC 9110 §7.6.1). Each side of the gate frames, keeps alive and
/// continues by itself; an upgrade and the wish for trailers go on.
pub(super) fn for_upstream(headers: &mut HeaderMap) {
    let upgrade = headers.get(UPGRADE).cloned();
    let wants_trailers = tokens(headers, &TE).any(|token| token.eq_ignore_ascii_case("trailers"));
    strip(headers);
    headers.remove(EXPECT);
    if wants_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    if let Some(upgrade) = upgrade {
        headers.insert(UPGRADE, upgrade);
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
}

/// Takes out what is between gate and upstream only.
pub(super) fn for_client(headers: &mut HeaderMap) {
    strip(headers);
}

fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = tokens(headers, &CONNECTION).filter_map(|name| name.parse().ok()).collect();
    for name in named.iter().chain(&HOP_BY_HOP).chain([&CONNECTION, &TE, &UPGRADE]) {
        headers.remove(name);
    }
}

fn tokens<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        pairs.collect()
    }

    #[test]
    fn what_is_between_client_and_gate_stays_there() {
        let mut sent = headers(&[
            ("connection", "keep-alive, X-Mine"),
            ("x-mine", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "gzip, trailers"),
            ("expect", "100-continue"),
            ("proxy-authorization", "secret"),
            ("authorization", "Bearer sk"),
        ]);
        for_upstream(&mut sent);
        assert_eq!(sent, headers(&[("te", "trailers"), ("authorization", "Bearer sk")]));
    }

    #[test]
    fn an_upgrade_goes_on() {
        let mut sent = headers(&[("connection", "Upgrade"), ("upgrade", "websocket")]);
        for_upstream(&mut sent);
        assert_eq!(sent, headers(&[("upgrade", "websocket"), ("connection", "upgrade")]));
    }
}
