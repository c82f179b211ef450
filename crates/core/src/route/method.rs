/// Those that there are (RFC 9110 §9, RFC 5789 and the draft of QUERY).
const METHODS: [&str; 10] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "QUERY", "CONNECT", "TRACE"];

/// What is shown of a method, in whatever case: what else a client sends as one is its own text, and may be anything.
#[must_use]
pub fn method_name(method: &str) -> &'static str {
    METHODS.into_iter().find(|known| known.eq_ignore_ascii_case(method)).unwrap_or("_OTHER")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_shown_if_it_is_one() {
        for (method, shown) in [("GET", "GET"), ("post", "POST"), ("sk-secret", "_OTHER"), ("", "_OTHER")] {
            assert_eq!(method_name(method), shown);
        }
    }
}
