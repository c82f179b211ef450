//! `/requests`: who waits and for what, and what became of the last; `/config`: what is in force.

use tidegate::admin::{ConfigurationStatus, RequestsStatus};

use super::desk::{BODY, Desk, KEY, LATENCY, POOLS, TURN};
use crate::clock;

#[tokio::test]
async fn the_last_requests_tell_what_became_of_them() {
    let desk = Desk::open(POOLS).await;
    desk.traffic().await;
    desk.until("ten are over", |status| status.clients.iter().map(|c| c.counts.requests).sum::<u64>() == 10).await;
    let text = desk.page("/requests").await;
    assert!(!text.contains(KEY) && !text.contains(BODY), "{text}");
    let RequestsStatus { waiting, ended, .. } = serde_json::from_str(&text).expect("JSON");
    assert!(waiting.is_empty(), "{waiting:?}");
    assert_eq!(ended.iter().map(|one| one.number).collect::<Vec<_>>(), (1..=10).rev().collect::<Vec<_>>());
    let of = |route: &str| ended.iter().filter(|one| one.route == route).collect::<Vec<_>>();
    let [waited, at_once] = of("POST /v1/batches")[..] else { panic!("two: {ended:?}") };
    assert_eq!((u128::from(waited.wait_ms), at_once.wait_ms), (TURN.as_millis(), 0));
    assert_eq!((waited.pool.as_ref().map(|pool| &*pool.label), &at_once.pool), (Some("slow"), &None));
    let refused = of("POST /v1/threads")[0];
    assert_eq!(
        (&*refused.ended, refused.status, refused.code.as_deref()),
        ("refused", Some(429), Some("tidegate_wait_too_long"))
    );
    assert_eq!(refused.pool.as_ref().map(|pool| &*pool.name), Some("few"));
    let [denied, .., first] = of("POST /v1/chat/completions")[..] else { panic!("three: {ended:?}") };
    assert_eq!((denied.status, denied.source.as_deref()), (Some(429), Some("upstream")));
    assert_eq!(first.upstream_ms.map(u128::from), Some(LATENCY.as_millis()));
}

#[tokio::test]
async fn a_request_that_waits_says_for_what_and_behind_whom() {
    let desk = Desk::open(POOLS).await;
    desk.ask("POST", "/v1/batches", &[], "{}").await;
    let own = [("x-tidegate-client", "batch")];
    let both = async {
        let asked = || desk.ask("POST", "/v1/batches", &[], "{}");
        let (first, second) = (asked(), asked());
        tokio::join!(first, second, desk.ask("POST", "/v1/threads", &own, "{}"))
    };
    let look = async {
        clock::until("two wait", || desk.gate.admission().snapshot().waiting == 2).await;
        desk.clock.step(TURN / 2).await;
        let status: RequestsStatus = serde_json::from_str(&desk.page("/requests?pool=slow").await).expect("JSON");
        let told = status.waiting.iter().map(|one| (&*one.route, one.ahead, one.waiting, &*one.waits_for.label));
        assert_eq!(told.collect::<Vec<_>>(), [("POST /v1/batches", 0, 2, "slow"), ("POST /v1/batches", 1, 2, "slow")]);
        assert!(status.waiting.iter().all(|one| u128::from(one.waited_ms) == (TURN / 2).as_millis()), "{status:?}");
        let client = &status.waiting[0].client;
        let of = async |query: String| {
            let status: RequestsStatus = serde_json::from_str(&desk.page(&query).await).expect("JSON");
            status.waiting.len()
        };
        assert_eq!(of(format!("/requests?client={client}")).await, 2);
        assert_eq!(of("/requests?client=client-0000000000000000".to_owned()).await, 0);
        assert_eq!(of("/requests?route=POST%20/v1/threads".to_owned()).await, 0);
        desk.clock.step(TURN / 2).await;
        desk.turn(1).await;
    };
    tokio::join!(both, look);
    let status: RequestsStatus = serde_json::from_str(&desk.page("/requests").await).expect("JSON");
    assert!(status.waiting.is_empty(), "{status:?}");
}

#[tokio::test]
async fn the_configuration_in_force_tells_its_differences() {
    let desk = Desk::open("extends = \"built-in\"\n[pools.models]\nrequests = [\"7/min\"]").await;
    let config: ConfigurationStatus = serde_json::from_str(&desk.page("/config").await).expect("JSON");
    assert_eq!((&*config.source, config.generation, &*config.mode), ("test", 1, "enforce"));
    assert!(config.upstream.starts_with("http://127.0.0.1:"), "{config:?}");
    assert!(config.changes.iter().any(|change| change.contains("7/min")), "{config:?}");
}
