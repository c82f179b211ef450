//! `/events` and `/history`: how things go on.

use std::time::Duration;

use http_body_util::BodyExt;
use tidegate::admin::{HistoryStatus, PulseStatus};
use tokio::time::Instant;

use super::desk::{BODY, Desk, KEY, POOLS};
use crate::clock::in_time;

/// The next event of a stream.
async fn next(events: &mut hyper::body::Incoming) -> PulseStatus {
    let mut text = String::new();
    while !text.ends_with("\n\n") {
        let frame = in_time("in time", events.frame()).await.expect("one more").expect("no error");
        text.push_str(std::str::from_utf8(&frame.into_data().expect("data")).expect("a text"));
    }
    assert!(!text.contains(KEY) && !text.contains(BODY), "{text}");
    let data = text.strip_prefix("event: status\ndata: ").and_then(|text| text.strip_suffix("\n\n"));
    serde_json::from_str(data.unwrap_or_else(|| panic!("no event: {text}"))).expect("a pulse")
}

#[tokio::test]
async fn who_listens_hears_at_once_and_then_once_a_second_what_has_changed() {
    let desk = Desk::open(POOLS).await;
    let mut events = desk.listen("/events").await;
    let (first, began) = (next(&mut events).await, Instant::now());
    assert!(first.pools.iter().all(|pool| pool.used == 0), "{first:?}");
    desk.traffic().await;
    let mut heard = 0;
    let told = loop {
        let pulse = next(&mut events).await;
        heard += 1;
        if pulse.pools.iter().any(|pool| pool.name == "few" && pool.used == 2) {
            break pulse;
        }
    };
    let few = told.pools.iter().find(|pool| pool.name == "few").expect("it has just been there");
    assert_eq!((few.max, few.in_force.as_deref(), &*few.counts), (Some(2), Some("2/h"), "requests"));
    assert!(
        began.elapsed() + Duration::from_millis(100) >= Duration::from_secs(heard),
        "{heard} in {:?}",
        began.elapsed()
    );
    assert!(told.at_ms >= first.at_ms && told.more == 0, "{told:?}");
}

#[tokio::test]
async fn who_comes_later_hears_the_same_and_a_stream_that_nobody_hears_costs_nothing() {
    let desk = Desk::open(POOLS).await;
    let (mut one, mut other) = (desk.listen("/events").await, desk.listen("/events").await);
    next(&mut one).await;
    next(&mut other).await;
    let (one, mut other) = (next(&mut one).await, other);
    let same = async { while next(&mut other).await.at_ms != one.at_ms {} };
    in_time("an event is made once for all", same).await;
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

#[tokio::test]
async fn the_history_begins_with_what_is_used_and_can_be_of_one_instance() {
    let desk = Desk::open(POOLS).await;
    desk.traffic().await;
    let look = async {
        loop {
            let history: HistoryStatus = serde_json::from_str(&desk.page("/history").await).expect("a history");
            if history.pools.iter().any(|pool| pool.name == "few") {
                return history;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let all = in_time("a point every five seconds", look).await;
    let few = all.pools.iter().find(|pool| pool.name == "few").expect("it has just been there");
    assert_eq!((all.step_ms, few.used.last(), few.wait_ms.len()), (5_000, Some(&1.0), few.used.len()));
    assert!(few.wait_ms.last().is_some_and(|wait| *wait > 3_000_000), "{few:?}");
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
