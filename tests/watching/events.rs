//! `/events` and `/history`: how things go on.

use std::time::Duration;

use http_body_util::BodyExt;
use tidegate::admin::{BriefStatus, HistoryStatus};

use super::desk::{BODY, Desk, KEY, POOLS, TURN};
use crate::clock::{in_time, real_sleep};

/// The next event of a stream.
async fn next(events: &mut hyper::body::Incoming) -> BriefStatus {
    let mut text = String::new();
    while !text.ends_with("\n\n") {
        let frame = in_time("in time", events.frame()).await.expect("one more").expect("no error");
        text.push_str(std::str::from_utf8(&frame.into_data().expect("data")).expect("a text"));
    }
    assert!(!text.contains(KEY) && !text.contains(BODY), "{text}");
    let data = text.strip_prefix("event: status\ndata: ").and_then(|text| text.strip_suffix("\n\n"));
    serde_json::from_str(data.unwrap_or_else(|| panic!("no event: {text}"))).expect("a pulse")
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn who_listens_hears_at_once_and_then_once_a_second_what_has_changed() {
    let desk = Desk::open(POOLS).await;
    let mut events = desk.listen("/events").await;
    let first = next(&mut events).await;
    assert!(first.pools.iter().all(|pool| pool.used == 0), "{first:?}");
    // Whatever were told before its second is over would be told of one of them alone.
    desk.ask("POST", "/v1/threads", &[], "{}").await;
    desk.clock.step(Duration::from_millis(999)).await;
    desk.ask("POST", "/v1/threads", &[], "{}").await;
    for _ in 0..3 {
        desk.clock.step(SECOND).await;
        let told = next(&mut events).await;
        let few = told.pools.iter().find(|pool| pool.name == "few").expect("it was used");
        assert_eq!((few.used, few.max, few.in_force.as_deref(), &*few.counts), (2, Some(2), Some("2/h"), "requests"));
        assert!(told.at_ms >= first.at_ms && told.more == 0, "{told:?}");
    }
}

#[tokio::test]
async fn who_comes_later_hears_the_same_and_a_stream_that_nobody_hears_costs_nothing() {
    let desk = Desk::open(POOLS).await;
    let mut one = desk.listen("/events").await;
    next(&mut one).await;
    let mut other = desk.listen("/events").await;
    next(&mut other).await;
    // Two that are made apart might be made in the same millisecond, but not each time.
    for _ in 0..50 {
        desk.clock.step(SECOND).await;
        assert_eq!(next(&mut one).await.at_ms, next(&mut other).await.at_ms, "an event is made once for all");
    }
}

#[tokio::test]
async fn of_more_instances_than_are_told_those_that_matter_are() {
    let desk = Desk::open(POOLS).await;
    for number in 0..120 {
        desk.chat(&format!("model-{number}")).await;
    }
    desk.ask("POST", "/v1/threads", &[], "{}").await;
    desk.ask("POST", "/v1/threads", &[], "{}").await;
    let pulse = next(&mut desk.listen("/events").await).await;
    // Each model has an instance of requests and one of tokens; the other pools have one each.
    assert_eq!((pulse.pools.len(), pulse.more), (100, 143));
    assert!(pulse.pools.iter().any(|pool| pool.name == "few" && pool.used == 2), "the fullest is told");
}

/// From one point of the history to the next.
const STEP: Duration = Duration::from_secs(5);

#[tokio::test]
async fn the_history_begins_with_what_is_used_and_can_be_of_one_instance() {
    let desk = Desk::open(POOLS).await;
    desk.traffic().await;
    desk.clock.step(STEP).await;
    let look = async {
        loop {
            let history: HistoryStatus = serde_json::from_str(&desk.page("/history").await).expect("a history");
            if history.pools.iter().any(|pool| pool.name == "few") {
                return history;
            }
            real_sleep(Duration::from_millis(5)).await;
        }
    };
    let all = in_time("a point every five seconds", look).await;
    let few = all.pools.iter().find(|pool| pool.name == "few").expect("it has just been there");
    assert_eq!((u128::from(all.step_ms), &few.used[..]), (STEP.as_millis(), &[1.0][..]));
    let slow = all.pools.iter().find(|pool| pool.name == "slow").expect("it has just been there");
    assert_eq!((&few.wait_ms[..], u128::from(slow.wait_ms[0])), (&[0][..], TURN.as_millis()), "one waited for a turn");
    let of = |path: &'static str| async {
        let history: HistoryStatus = serde_json::from_str(&desk.page(path).await).expect("a history");
        history.pools.into_iter().map(|pool| (pool.name, pool.key, pool.counts)).collect::<Vec<_>>()
    };
    let mini = Some("gpt-4o-mini".to_owned());
    assert_eq!(
        of("/history?pool=chat&key=gpt-4o-mini").await,
        ["requests", "tokens"].map(|counts| ("chat".to_owned(), mini.clone(), counts.to_owned()))
    );
    assert!(of("/history?pool=few").await.len() == 1);
}
