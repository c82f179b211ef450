use serde_json::json;

use super::super::decision::Denial;
use super::super::script::FaultChange;
use super::{Duration, MINUTE, MockRefusal, SECOND, Upstream};

#[test]
fn a_hidden_limit_is_a_share_of_the_configured_one_under_every_window() {
    for window in ["fixed", "fixed-clock", "sliding", "counter", "bucket"] {
        let upstream = Upstream::start(&["--window", window, "--scale", "0.6"]);
        assert_eq!(upstream.admits(Duration::ZERO, 200), 60, "{window}");
    }
}

#[test]
fn somebody_else_takes_a_part_of_every_window_which_is_counted_apart() {
    let upstream = Upstream::start(&["--foreign", "0.5"]);
    let mut admitted = Vec::new();
    for minute in 0..40 {
        admitted.push((0..60).map(|second| upstream.admits(MINUTE * minute + SECOND * second, 2)).sum::<usize>());
    }
    let stats = upstream.stats(MINUTE * 40);
    let foreign = &stats.pools[0].foreign;
    let (ours, theirs) = (admitted.iter().sum::<usize>() as u64, foreign.admitted.sum());
    assert_eq!((ours, 40 * 120 - ours), (stats.admitted, stats.denied));
    assert!((40 * 15..40 * 35).contains(&theirs), "{theirs}");
    assert!(admitted.iter().any(|&count| count < 80) && admitted.iter().any(|&count| count > 85), "{admitted:?}");
}

#[test]
fn somebody_else_who_finds_no_room_is_dropped() {
    let upstream = Upstream::start(&["--foreign", "1"]);
    assert_eq!(upstream.admits(Duration::ZERO, 200), 100);
    let foreign = upstream.stats(SECOND * 59).pools.remove(0).foreign;
    assert_eq!(foreign.admitted.sum(), 0);
    assert!(foreign.dropped > 0);
}

#[test]
fn a_script_changes_what_it_names_when_its_time_has_come() {
    let script = "[[step]]\nat = \"2m\"\nscale = 0.5\n[[step]]\nat = \"1m\"\nrefuse = \"slow-down\"\nlatency = \"2s\"\n\
                  [[step]]\nat = \"2m\"\nrefuse = \"none\"\n[[step]]\nat = \"3m\"\ngone = true";
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), script).expect("writes");
    let upstream = Upstream::start(&["--minute", "6s", "--script", file.path().to_str().expect("a path")]);
    let begun = SECOND * 100;
    assert_eq!(upstream.admits(begun, 200), 100);
    assert_eq!(upstream.admits(begun + Duration::from_millis(5_999), 1), 0);
    assert_eq!(upstream.post(begun + SECOND * 6), Some(Denial::Fault(MockRefusal::SlowDown)));
    assert_eq!(upstream.admits(begun + SECOND * 12, 200), 50);
    let arrival = upstream.request("/v1/models", &[], json!({}));
    assert_eq!(upstream.arrive(begun + SECOND * 12, &arrival).latency, SECOND * 2);
    assert_eq!(upstream.post(begun + SECOND * 18), Some(Denial::Gone));
    let stats = upstream.stats(begun + SECOND * 18);
    assert_eq!(stats.gone, 1);
    assert_eq!(stats.admitted_by_window.0, [100, 0, 51]);
    assert_eq!(stats.denied_by_window.0, [101, 1, 150]);
    assert_eq!(stats.denied_by_kind[&MockRefusal::RequestType], 251);
    assert_eq!(stats.denied_by_kind[&MockRefusal::SlowDown], 1);
}

#[test]
fn a_step_can_be_taken_at_once_and_a_reset_takes_it_back() {
    let upstream = Upstream::start(&[]);
    assert_eq!(upstream.admits(Duration::ZERO, 200), 100);
    upstream.step(SECOND, json!({ "scale": 1.5 }));
    assert_eq!(upstream.admits(SECOND, 200), 50);
    upstream.limits.reset();
    assert_eq!(upstream.admits(SECOND * 2, 200), 100);
    assert!(FaultChange::at_once(json!({ "at": "1s" })).expect_err("a time").contains("--script"));
    assert!(FaultChange::at_once(json!({ "scale": -1 })).expect_err("no scale").contains("a number above 0"));
}

#[tokio::test]
async fn the_assistants_api_can_be_gone_and_the_rest_is_not() {
    let upstream = Upstream::start(&["--gone"]);
    for path in ["/v1/threads", "/v1/threads/thread_1/runs", "/v1/assistants"] {
        let arrival = upstream.request(path, &[], json!({}));
        let said = super::words(upstream.arrive(Duration::ZERO, &arrival).denied, &arrival).await;
        let message = format!("Invalid URL (POST {path})");
        let expected = json!({ "message": message, "type": "invalid_request_error", "param": null, "code": null });
        assert_eq!(said, expected);
    }
    for path in ["/v1/files", "/v1/threadsafe", "/v1/chatkit/threads"] {
        assert_eq!(upstream.arrive(Duration::ZERO, &upstream.request(path, &[], json!({}))).denied, None, "{path}");
    }
}
