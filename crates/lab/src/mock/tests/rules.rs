//! Rules of the mock's own, beside the limits of the configuration.

use super::*;

const A: &str = "/v1/threads/a/messages";
const B: &str = "/v1/threads/b/messages";

impl Upstream {
    /// Which of these POSTs are admitted; none ends.
    fn admitted(&self, posts: &[(&str, &[(&str, &str)])]) -> Vec<bool> {
        let admit = |&(path, headers): &(&str, &[(&str, &str)])| {
            self.arrive(Duration::ZERO, &self.request(path, headers, json!({ "model": "m" }))).denied.is_none()
        };
        posts.iter().map(admit).collect()
    }
}

#[test]
fn rules_refuse_what_no_pool_counts() {
    let (one, two) = (&[("authorization", "Bearer sk-1")][..], &[("authorization", "Bearer sk-2")][..]);
    for (rule, posts, expected) in [
        ("POST /v1/threads/{id}/messages = 1/min", vec![(A, one), (B, one)], vec![true, false]),
        (
            "POST /v1/threads/{id}/messages = 1/min per path.id",
            vec![(A, one), (B, one), (A, two)],
            vec![true, true, false],
        ),
        ("* /{*path} = 1/min per account", vec![(A, one), (A, two), (B, one)], vec![true, true, false]),
        ("* /{*path} = 1/min per body.model", vec![(A, one), (B, two)], vec![true, false]),
        ("* /{*path} = 1 in flight", vec![(A, one), (B, one)], vec![true, false]),
        ("* /{*path} = 9/min, 1/s", vec![(A, one), (A, one)], vec![true, false]),
        ("* /{*path} = 100% at random", vec![(A, one)], vec![false]),
    ] {
        assert_eq!(Upstream::start(&["--rule", rule]).admitted(&posts), expected, "{rule}");
    }
}

#[test]
fn request_takes_from_pool_and_rule_or_from_neither() {
    let upstream = Upstream::start(&["--rule", "* /{*path} = 40/min", "--window", "sliding"]);
    assert_eq!(upstream.admits(Duration::ZERO, 200), 40);
    assert_eq!(upstream.stats(Duration::ZERO).admitted, 40);
    assert_eq!(upstream.admits(MINUTE, 200), 40, "those that were refused have not filled the pool's window of 100");
}

#[test]
fn request_is_in_flight_until_its_response_has_ended() {
    let upstream = Upstream::start(&["--rule", "* /{*path} = 1 in flight"]);
    let post = || upstream.arrive(Duration::ZERO, &upstream.request("/v1/threads", &[], json!({})));
    let (first, second) = (post(), post());
    assert_eq!((first.denied, second.denied), (None, Some(Denial::ByRule(None))));
    upstream.limits.end(&first.counted);
    assert_eq!(post().denied, None);
}
