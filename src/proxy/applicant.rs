use http::HeaderMap;
use http::header::HeaderName;

use super::Gate;
use super::passing::Routed;
use super::patience::patience;
use crate::admission::AdmissionRequest;

impl Gate {
    /// Who asks, and what it says of itself. The time since its head came is off its patience.
    pub(super) fn applicant(&self, Routed { arrived, route, who, place, .. }: &Routed) -> AdmissionRequest {
        let (headers, shared) = (&arrived.head.headers, &self.shared);
        let route_id = route.found.route();
        let patience = patience(headers, shared.usual.of(route_id));
        AdmissionRequest {
            client: *who,
            priority: shared.clients.priority(shared.routes.priority(&route.found), headers),
            patience: patience.map(|patience| patience.saturating_sub(arrived.came.elapsed())),
            route: route_id,
            returns: returns(headers),
            bytes: arrived.body.may_hold(shared.buffer),
            position: *place,
        }
    }
}

const RETRY_COUNT: HeaderName = HeaderName::from_static("x-stainless-retry-count");

/// How often this request has been sent before, which the SDKs say.
fn returns(headers: &HeaderMap) -> Option<u32> {
    headers.get(RETRY_COUNT)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn who_says_nonsense_says_nothing() {
        for (said, times) in [("0", Some(0)), ("2", Some(2)), ("-1", None), ("often", None)] {
            let headers = HeaderMap::from_iter([(
                http::HeaderName::from_static("x-stainless-retry-count"),
                HeaderValue::from_static(said),
            )]);
            assert_eq!(returns(&headers), times, "{said}");
        }
        assert_eq!(returns(&HeaderMap::new()), None);
    }
}
