//! `/status`: the one snapshot, its schema, and what it counts.

use std::fs;

use serde_json::Value;
use tidegate::admin::{CauseName, PoolStatus, Status};

use super::desk::{BODY, Desk, KEY, LATENCY, POOLS, TURN};

#[tokio::test]
async fn a_live_status_is_as_its_schema_says() {
    let desk = Desk::open(POOLS).await;
    desk.traffic().await;
    let schema: Value = serde_json::from_str(&desk.page("/status/schema.json").await).expect("JSON");
    let status: Value = serde_json::from_str(&desk.page("/status").await).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<String> = validator.iter_errors(&status).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let filled = ["pools", "routes", "clients", "refusals", "upstream_refusals", "events", "coalesced", "worst"];
    let empty = filled.into_iter().filter(|name| status[name].as_array().is_none_or(Vec::is_empty));
    assert_eq!(empty.collect::<Vec<_>>(), [""; 0], "nothing was validated of these");
    let mut broken = status.clone();
    broken["pools"][0]["waiting"] = "many".into();
    assert!(!validator.is_valid(&broken), "the schema allows anything");
}

#[tokio::test]
async fn every_path_that_there_is_is_in_the_documents() {
    let desk = Desk::open(POOLS).await;
    let (said, documents) = (desk.page("/nowhere").await, fs::read_to_string("docs/status.md").expect("a text"));
    let paths: Vec<&str> = said.split([' ', ',', '"']).filter(|word| word.starts_with('/')).collect();
    let missing: Vec<_> = paths.iter().filter(|path| !documents.contains(&format!("\n| `{path}` | "))).collect();
    assert!(paths.len() >= 10 && missing.is_empty(), "of {paths:?} these are missing: {missing:?}");
}

#[tokio::test]
async fn every_request_is_counted_once_by_how_it_ended() {
    let desk = Desk::open(POOLS).await;
    desk.traffic().await;
    let status =
        desk.until("ten are over", |status| status.clients.iter().map(|c| c.counts.requests).sum::<u64>() == 10);
    let status = status.await;
    let counted = |route: &str| {
        let counts = &status.routes.iter().find(|status| status.route == route).expect(route).counts;
        [counts.requests, counts.passed, counts.refused, counts.failed, counts.left, counts.coalesced]
    };
    assert_eq!(counted("POST /v1/chat/completions"), [3, 3, 0, 0, 0, 0]);
    assert_eq!(counted("POST /v1/threads"), [3, 2, 1, 0, 0, 0]);
    assert_eq!(counted("GET /v1/vector_stores/{id}"), [2, 2, 0, 0, 0, 1]);
    let [client] = &status.clients[..] else { panic!("one client: {:?}", status.clients) };
    let counts = &client.counts;
    assert_eq!([counts.requests, counts.passed, counts.refused], [10, 9, 1]);
    let longest = (u128::from(counts.wait_ms.max), u128::from(counts.upstream_ms.max));
    assert_eq!(longest, (TURN.as_millis(), LATENCY.as_millis()), "one waited for its turn, and one for its answer");
    assert!(counts.upstream_ms.p50 <= counts.upstream_ms.p95, "{counts:?}");
    let refused: Vec<_> = status.refusals.iter().map(|one| (one.pool.as_deref(), &*one.code, one.requests)).collect();
    assert_eq!(refused, [(Some("few"), "tidegate_wait_too_long", 1)]);
    assert_eq!((pool(&status, "few").refused, pool(&status, "few").upstream_refused), (1, 0));
}

#[tokio::test]
async fn what_the_upstream_refused_is_an_event_and_is_put_down_to_its_pools() {
    let desk = Desk::open(POOLS).await;
    desk.traffic().await;
    let status = desk.status().await;
    let refusals = &status.upstream_refusals;
    let of: Vec<_> = refusals.iter().map(|one| (&*one.pool, &*one.counts, &*one.cause, one.requests)).collect();
    assert_eq!(of, [("chat", "requests", "billing", 1), ("chat", "tokens", "billing", 1)]);
    let events: Vec<_> = status.events.iter().map(|event| (&*event.pool, &*event.refusal_cause, event.cause)).collect();
    assert_eq!(
        events,
        [("chat gpt-4o", "billing", CauseName::Billing), ("chat gpt-4o (tokens)", "billing", CauseName::Billing)]
    );
    let event = &status.events[0];
    assert!(event.text.starts_with("Billing:") && event.refusals == 1, "{event:?}");
    assert_eq!(u128::from(status.at_ms - event.at_ms), TURN.as_millis());
}

#[tokio::test]
async fn who_waits_is_told_by_priority_and_client_with_the_time_at_which_the_head_goes() {
    let desk = Desk::open(POOLS).await;
    desk.ask("POST", "/v1/batches", &[], "{}").await;
    let low = [("x-tidegate-priority", "low")];
    let waiting = async {
        tokio::join!(desk.ask("POST", "/v1/batches", &low, "{}"), desk.ask("POST", "/v1/batches", &[], "{}"));
    };
    let look = desk.until("both wait", |status| status.waiting == 2);
    tokio::pin!(waiting);
    let status = tokio::select! {
        status = look => status,
        () = &mut waiting => panic!("nobody was seen to wait"),
    };
    let slow = pool(&status, "slow");
    let by = slow.waiting_by;
    assert_eq!((slow.waiting, by.high, by.normal, by.low), (2, 0, 1, 1));
    assert_eq!(slow.waiting_for.iter().map(|one| one.requests).collect::<Vec<_>>(), [2]);
    assert_eq!(slow.waiting_for[0].client, status.clients[0].client);
    let head = slow.head_goes_in_ms.expect("it is known");
    assert_eq!((u128::from(head), u128::from(slow.eta_ms)), (TURN.as_millis(), 2 * TURN.as_millis()));
    let in_force = slow.in_force.as_ref().expect("a limit");
    assert_eq!((&*in_force.limit, in_force.max, in_force.used), ("1/2s", 1, 1));
    assert_eq!((&*slow.limits[0].limit, slow.limits[0].max, slow.limits[0].window_ms), ("1/2s", 1, 2_000));
    let turns = async {
        desk.turn(2).await;
        desk.turn(1).await;
    };
    tokio::join!(waiting, turns);
    desk.until("nobody waits", |status| status.waiting == 0 && pool(status, "slow").head_goes_in_ms.is_none()).await;
}

#[tokio::test]
async fn a_status_can_be_of_one_pool_with_the_routes_that_take_from_it() {
    let desk = Desk::open(POOLS).await;
    desk.traffic().await;
    let all = desk.status().await;
    let chat: Status = serde_json::from_str(&desk.page("/status?pool=chat").await).expect("a status");
    let labels: Vec<String> = chat.pools.iter().map(PoolStatus::label).collect();
    assert_eq!(labels, ["chat gpt-4o", "chat gpt-4o (tokens)", "chat gpt-4o-mini", "chat gpt-4o-mini (tokens)"]);
    assert!(chat.pools.iter().all(|pool| pool.routes == ["POST /v1/chat/completions"]));
    assert!(all.pools.len() > chat.pools.len() && all.config_hash.len() == 16);
    let calm = pool(&all, "calm");
    assert_eq!((calm.max_in_flight, calm.in_flight), (Some(50), 0));
}

#[tokio::test]
async fn no_page_shows_a_key_or_a_body() {
    let desk = Desk::open(POOLS).await;
    desk.traffic().await;
    for path in ["/status", "/metrics", "/history", "/nothing"] {
        let page = desk.page(path).await;
        assert!(!page.contains(KEY) && !page.contains(BODY), "{path}: {page}");
    }
}

fn pool<'s>(status: &'s Status, name: &str) -> &'s PoolStatus {
    status.pools.iter().find(|pool| pool.name == name).expect(name)
}
