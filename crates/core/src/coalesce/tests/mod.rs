mod coalescer;
mod model;
mod polls;

use std::time::{Duration, Instant};

use super::{Key, Shareable};

const REUSE: Duration = Duration::from_millis(500);
const RUN: &str = "/v1/threads/t/runs/r/";

fn now() -> Instant {
    crate::tests::any_instant()
}

/// What a GET of this path asks for with this credential.
fn wanted(path: &str, credential: &str) -> Shareable {
    Shareable::new(path, [("authorization", credential.as_bytes())].into_iter()).expect("others may ask the same")
}

#[test]
fn two_requests_that_differ_in_any_part_never_share() {
    let of = |target: &str, headers: &[(&str, &str)]| {
        Key::new(target, headers.iter().map(|(name, value)| (*name, value.as_bytes())))
    };
    let plain = of("/v1/x", &[("authorization", "a"), ("openai-project", "p")]);
    for other in [
        of("/v1/x?y", &[("authorization", "a"), ("openai-project", "p")]),
        of("/v1/x", &[("authorization", "b"), ("openai-project", "p")]),
        of("/v1/x", &[("authorization", "a"), ("openai-organization", "p")]),
        of("/v1/x", &[("authorization", "a")]),
        of("/v1/x", &[("authorization", "aopenai-projectp")]),
        of("/v1/x", &[("authorization", "a"), ("openai-project", "p"), ("openai-project", "q")]),
    ] {
        assert!(plain != other);
    }
    let with_idle = [("openai-project", "p"), ("x-datadog-trace-id", "2"), ("baggage", "x"), ("authorization", "a")];
    assert!(plain == of("/v1/x", &with_idle), "neither order nor what is idle tells apart");
    let (ab, ba) = ([("x-a", "1"), ("x-a", "2")], [("x-a", "2"), ("x-a", "1")]);
    assert!(of("/", &ab) != of("/", &ba), "the order of a name's values does");
}
