use http::header::{HeaderMap, HeaderName, HeaderValue};

/// Recognises requests that have passed this gate before: a gate whose upstream is itself, by whatever way round.
///
/// Every gate adds a name of its own to a header. `Via` (RFC 9110 §7.6.3) would do as well, but nginx as an upstream
/// does not compress for requests that have it.
pub(super) struct Hops {
    own: HeaderValue,
}

const HOPS: HeaderName = HeaderName::from_static("tidegate-hops");

impl Hops {
    pub(super) fn new() -> Self {
        let own = format!("{:016x}", fastrand::u64(..));
        Self { own: HeaderValue::try_from(own).expect("hexadecimal digits") }
    }

    /// Whether the request with these headers has been here.
    pub(super) fn have_passed(&self, headers: &HeaderMap) -> bool {
        let passed = |hops: &HeaderValue| memchr::memmem::find(hops.as_bytes(), self.own.as_bytes()).is_some();
        headers.get(HOPS).is_some_and(passed)
    }

    /// Says to the next gate, if there is one, that the request has been here and where it was before.
    pub(super) fn add_to(&self, headers: &mut HeaderMap) {
        let all = headers.get(HOPS).and_then(|before| {
            let all = [before.as_bytes(), b", ", self.own.as_bytes()].concat();
            HeaderValue::from_bytes(&all).ok()
        });
        headers.insert(HOPS, all.unwrap_or_else(|| self.own.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_gate_that_was_passed_knows_the_request_again() {
        let gates = [Hops::new(), Hops::new(), Hops::new()];
        let mut headers = HeaderMap::new();
        for (passed, gate) in gates.iter().enumerate() {
            let known: Vec<bool> = gates.iter().map(|gate| gate.have_passed(&headers)).collect();
            assert_eq!(known, [0, 1, 2].map(|at| at < passed));
            gate.add_to(&mut headers);
        }
    }
}
