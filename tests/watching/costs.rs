//! What it costs to be watched. `cargo test --release --test watching costs -- --nocapture` says it.

use std::time::Duration;

use super::desk::{Desk, POOLS};

/// Each has an instance of requests and one of tokens.
const MODELS: u32 = 500;

const EVENTS: u32 = 200;

/// What this thread has spent of processor time.
fn spent() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanos = stat.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.expect("a number"))
}

#[tokio::test]
async fn costs_of_events_at_a_thousand_instances_are_below_a_hundredth_of_a_core() {
    let desk = Desk::open(POOLS).await;
    for number in 0..MODELS {
        desk.chat(&format!("model-{number}")).await;
    }
    let before = spent();
    for _ in 0..EVENTS {
        let event = serde_json::to_string(&desk.watched.pulse()).expect("JSON");
        assert!(event.contains("\"more\":903"), "it is of a hundred instances among a thousand: {event}");
    }
    let each = spent().saturating_sub(before) / EVENTS;
    // One is made each second, for all who listen.
    println!("/events at 1,000 instances: {each:?} a second, which is {:.2} % of a core", each.as_secs_f64() * 100.0);
    assert!(each < Duration::from_millis(10), "{each:?}");
}
