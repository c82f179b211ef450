//! Waits: those that happened, and what the next request of each client would meet.

use std::time::Duration;

use tidegate::admin::{PoolStatus, Status};

use super::desk::{Desk, POOLS, TURN};
use crate::clock;

/// A model with a limit of its own for each account, which one key uses up.
const MODELS: &str = r#"
[pools.models]
requests = ["1/2s"]
tokens = ["100000/min"]
key = ["body.model", "account"]
margin = "0s"

[[routes]]
match = "POST /v1/chat/completions"
pools = ["models"]
"#;

fn pool<'s>(status: &'s Status, name: &str) -> &'s PoolStatus {
    status.pools.iter().find(|pool| pool.name == name).expect(name)
}

fn waiting(desk: &Desk) -> usize {
    desk.gate.admission().snapshot().waiting
}

#[tokio::test]
async fn waits_that_happened_and_the_oldest_in_line_are_told() {
    let desk = Desk::open(POOLS).await;
    let batch = || desk.ask("POST", "/v1/batches", &[], "{}");
    batch().await;
    let watching = async {
        clock::until("three wait", || waiting(&desk) == 3).await;
        desk.clock.step(TURN).await;
        clock::until("the first goes", || waiting(&desk) == 2).await;
        let slow = pool(&desk.status().await, "slow").clone();
        assert_eq!((slow.held, slow.oldest_ms), (2, Some(2_000)));
        desk.turn(2).await;
        desk.turn(1).await;
    };
    tokio::join!(batch(), batch(), batch(), watching);
    let waits = pool(&desk.status().await, "slow").waits;
    // Waits of 0, 2, 4 and 6 s; a bound is up to a third too long.
    assert_eq!((waits.requests, waits.max_ms, waits.p95_ms), (4, 6_000, 6_000));
    assert!((2_000..=2_700).contains(&waits.p50_ms), "{waits:?}");
    for _ in 0..6 {
        desk.clock.step(Duration::from_secs(15)).await;
    }
    assert_eq!(pool(&desk.status().await, "slow").waits.requests, 0, "that was more than a minute ago");
}

#[tokio::test]
async fn next_request_of_a_client_waits_as_foretold() {
    let desk = Desk::open(MODELS).await;
    desk.chat("gpt-4o").await;
    let crowd = async { futures_util::future::join_all((0..5).map(|_| desk.chat("gpt-4o"))).await };
    let watching = async {
        clock::until("five wait", || waiting(&desk) == 5).await;
        let status = desk.status().await;
        let [requests, tokens] = ["requests", "tokens"].map(|counts| {
            status.pools.iter().find(|pool| pool.name == "models" && pool.counts == counts).expect(counts).clone()
        });
        assert_eq!((requests.held, tokens.held, tokens.waiting), (5, 0, 5));
        assert_eq!(tokens.line().as_deref(), Some("5 wait for requests"));
        let client = requests.waiting_for[0].client.clone();
        let own: Status =
            serde_json::from_str(&desk.page(&format!("/status?client={client}")).await).expect("a status");
        let foretold = pool(&own, "models").eta_ms;
        assert_eq!((foretold, requests.waiting_for[0].next_ms), (12_000, Some(12_000)), "behind five of its own");
        assert!(pool(&status, "models").eta_ms < 6_000, "that is for a client with nothing in line");
        let explained = desk.page("/explain?method=POST&path=/v1/chat/completions&model=gpt-4o").await;
        let explained: serde_json::Value = serde_json::from_str(&explained).expect("JSON");
        let [one] = &explained["each"].as_array().expect("a list")[..] else { panic!("one account: {explained:#}") };
        assert_eq!((&one["client"], &one["waiting"]), (&client.clone().into(), &5.into()));
        assert_eq!((&one["now"]["eta_ms"], &one["now"]["verdict"]), (&12_000.into(), &"waits".into()));
        let said = one["now"]["text"].as_str().expect("a text");
        assert!(said.ends_with("where 5 wait, all of the same client"), "{said}");
        assert_eq!(explained["now"]["verdict"], "goes", "with another key nothing is used");
        let sixth = async {
            desk.chat("gpt-4o").await;
        };
        let turns = async {
            clock::until("six wait", || waiting(&desk) == 6).await;
            for left in (0..6).rev() {
                desk.clock.step(TURN).await;
                clock::until("one goes", || waiting(&desk) == left).await;
            }
        };
        tokio::join!(sixth, turns);
    };
    tokio::join!(crowd, watching);
    let status = desk.until("all are over", |status| status.routes[0].counts.requests == 7).await;
    assert_eq!(status.routes[0].counts.wait_ms.max, 12_000, "as it was foretold");
}
