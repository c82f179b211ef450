//! What it costs to be watched. `cargo test --release --test watching -- --ignored --nocapture costs` says it.

use std::time::{Duration, Instant};

use tokio::time::{interval, sleep};

use crate::desk::{Desk, POOLS};

/// A minute of it takes no longer than this of one core, in hundredths.
const MOST: f64 = 1.0;

/// How many models, each of which has an instance of requests and one of tokens.
const MODELS: u32 = 500;

/// What this process has spent of processor time.
fn spent() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    let ticks: u64 = [11, 12].iter().map(|&at| fields[at].parse::<u64>().expect("a number")).sum();
    Duration::from_millis(ticks * 10)
}

/// A hundred requests a second, for so long; what that costs, in hundredths of a core.
async fn load(desk: &Desk, time: Duration) -> f64 {
    let (began, before) = (Instant::now(), spent());
    let (mut beat, mut number) = (interval(Duration::from_millis(10)), 0);
    while began.elapsed() < time {
        beat.tick().await;
        desk.chat(&format!("model-{}", number % MODELS)).await;
        number += 1;
    }
    (spent() - before).as_secs_f64() / began.elapsed().as_secs_f64() * 100.0
}

#[tokio::test]
#[ignore = "it takes three minutes, and measures"]
async fn costs_of_events_at_a_thousand_instances_and_a_hundred_requests_a_second() {
    let desk = Desk::open(POOLS).await;
    for number in 0..MODELS {
        desk.chat(&format!("model-{number}")).await;
    }
    let minute = Duration::from_secs(60);
    let alone = load(&desk, minute).await;
    let mut events = desk.listen("/events").await;
    let listens = tokio::spawn(async move { while http_body_util::BodyExt::frame(&mut events).await.is_some() {} });
    sleep(Duration::from_secs(2)).await;
    let watched = load(&desk, minute).await;
    listens.abort();
    let again = load(&desk, minute).await;
    let cost = watched - f64::midpoint(alone, again);
    println!(
        "100 requests/s at 1,000 instances: {alone:.2} % of a core, {watched:.2} % with a listener, {again:.2} % again"
    );
    println!("/events costs {cost:.2} % of a core, its listener included");
    assert!(cost < MOST, "{cost:.2} %");
}
