use http::{HeaderMap, HeaderName};

use crate::route::{ParsePriorityError, Priority};

/// The header by which a request asks for a priority.
const PRIORITY: HeaderName = HeaderName::from_static("x-tidegate-priority");

/// The header that the SDKs' poll helpers send (docs/upstream.md §5.3).
pub const POLL_HELPER: HeaderName = HeaderName::from_static("x-stainless-poll-helper");

/// The priority that a request asks for, if it asks.
///
/// # Errors
/// The header names no priority.
pub fn requested_priority(headers: &HeaderMap) -> Result<Option<Priority>, ParsePriorityError> {
    let parse = |value: &http::HeaderValue| value.to_str().map_err(|_| ParsePriorityError)?.parse();
    headers.get(PRIORITY).map(parse).transpose()
}

#[cfg(test)]
mod tests {
    use super::super::{ClientSettings, Clients};
    use super::*;
    use Priority::{High, Low, Normal};

    /// The priority of a request with these headers.
    fn priority(may_raise: bool, of_route: Priority, headers: &[(&'static str, &'static str)]) -> Priority {
        let header = |&(name, value)| (HeaderName::from_static(name), http::HeaderValue::from_static(value));
        let clients = Clients::new(&ClientSettings { may_raise, ..ClientSettings::default() });
        clients.priority(of_route, &headers.iter().map(header).collect())
    }

    #[test]
    fn client_lowers_its_priority_and_raises_it_only_if_allowed() {
        for (may_raise, of_route, requested, granted) in [
            (false, Normal, "low", Low),
            (false, Normal, "high", Normal),
            (false, High, "normal", Normal),
            (true, Normal, "high", High),
            (true, Low, "normal", Normal),
            (true, High, "urgent", High),
        ] {
            let headers = [("x-tidegate-priority", requested)];
            assert_eq!(priority(may_raise, of_route, &headers), granted, "{requested} on a route of {of_route}");
        }
    }

    #[test]
    fn poll_helper_is_low_unless_it_asks_otherwise() {
        let poll = ("x-stainless-poll-helper", "true");
        assert_eq!(priority(false, Normal, &[poll]), Low);
        assert_eq!(priority(false, Normal, &[poll, ("x-tidegate-priority", "normal")]), Normal);
    }
}
