//! Polls keep to their share of a pool, are told when to come again, and are held until there is something to tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tidegate::proxy::Coalesced;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::coded::{coded, gzip};
use super::house::{House, accept, upstream};
use super::resend::answer;

const ROUTES: &str = r#"
[pools.gets]
requests = ["40/2s"]
margin = "0s"

[[routes]]
match = "GET /v1/{*rest}"
pools = ["gets"]

[[routes]]
match = "GET /v1/runs/{run}"
pools = ["gets"]
coalesce = true
reuse = "50ms"

[pools.full]
requests = ["1/60s"]
when_full = "refuse"

[[routes]]
match = "GET /v1/full/{run}"
pools = ["full"]
coalesce = true

[[routes]]
match = "GET /v1/held/{run}"
pools = ["gets"]
coalesce = true
reuse = "100ms"
hold = true

[pools.late]
requests = ["1/2s"]
margin = "1s"

[[routes]]
match = "GET /v1/late"
pools = ["late"]
coalesce = true
"#;

const HELPER: &str = "x-stainless-poll-helper: true\r\n";
const NODE: &str = "x-stainless-poll-helper: true\r\nx-stainless-lang: js\r\n";

/// A gate, and how often its upstream was asked.
struct Scene {
    house: House,
    calls: Arc<AtomicUsize>,
}

impl Scene {
    /// Before an upstream that answers its n-th call so.
    async fn open(says: impl Fn(usize) -> Vec<u8> + Clone + Send + 'static) -> Self {
        let (listener, address) = upstream().await;
        let calls = Arc::new(AtomicUsize::new(0));
        tokio::spawn(serve(listener, Arc::clone(&calls), says));
        Self { house: House::open(ROUTES, address).await, calls }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    async fn ask(&self, path: &str, headers: &str) -> String {
        self.house.ask(&get(path, headers)).await
    }

    /// What the gate counts of the route that holds, or of the other.
    fn counted(&self, path: &str) -> Coalesced {
        let mut all = self.house.gate.coalesced().into_iter();
        all.find(|coalesced| coalesced.route.contains(path)).expect("it is coalesced")
    }
}

async fn serve(
    listener: TcpListener,
    calls: Arc<AtomicUsize>,
    says: impl Fn(usize) -> Vec<u8> + Clone + Send + 'static,
) {
    loop {
        let mut wire = accept(&listener).await;
        let (calls, says) = (Arc::clone(&calls), says.clone());
        tokio::spawn(async move {
            while wire.until("\r\n\r\n").await.ends_with("\r\n\r\n") {
                wire.send(says(calls.fetch_add(1, Ordering::Relaxed))).await;
            }
        });
    }
}

fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: o\r\nConnection: close\r\n{headers}\r\n")
}

fn queued(_: usize) -> Vec<u8> {
    says("queued")
}

fn says(status: &str) -> Vec<u8> {
    answer("200 OK", "", &format!("{{\"status\": \"{status}\"}}")).into_bytes()
}

/// When to come again, as far as this answer says it.
fn poll_after(came: &str) -> Option<u64> {
    let (_, after) = came.split_once("openai-poll-after-ms: ")?;
    after.split_once("\r\n")?.0.parse().ok()
}

fn wait_ms(came: &str) -> u64 {
    let (_, wait) = came.split_once("x-tidegate-wait-ms: ").expect("it says how long it waited");
    wait.split_once("\r\n").expect("a line").0.parse().expect("a number")
}

#[tokio::test]
async fn few_who_poll_keep_their_pace_and_many_are_told_one_that_fits_from_the_first_poll_on() {
    let scene = Scene::open(queued).await;
    let mut told = Vec::new();
    for run in 0..20 {
        told.push(poll_after(&scene.ask(&format!("/v1/runs/{run}"), HELPER).await));
    }
    assert_eq!(told[..10], [None; 10], "ten polls a second are half of the pool, and Python asks once a second");
    assert_eq!(told[10..13], [Some(1_100), Some(1_200), Some(1_300)]);
    assert_eq!(told[19], Some(2_000));
    assert_eq!(poll_after(&scene.ask("/v1/runs/0", NODE).await), None, "openai-node asks every 5 s of itself");
    assert_eq!(poll_after(&scene.ask("/v1/runs/0", "").await), None, "who says nothing obeys nothing");
}

#[tokio::test]
async fn nobody_is_told_to_come_later_than_sdks_obey_nor_sooner_than_the_upstream_wants() {
    let says = |said: &str| answer("200 OK", &format!("openai-poll-after-ms: {said}\r\n"), "{}").into_bytes();
    let scene = Scene::open(move |call| says(["9000", "3", "soon"][call % 3])).await;
    let mut told = Vec::new();
    for run in 0..102 {
        let came = scene.ask(&format!("/v1/runs/{run}"), HELPER).await;
        assert_eq!(came.matches("openai-poll-after-ms").count(), 1, "{came}");
        told.push(poll_after(&came));
    }
    assert_eq!(told[..3], [Some(9_000), Some(3), None], "with few who poll it is the upstream's own, whatever it says");
    assert_eq!(told[99..], [Some(9_000), Some(8_000), Some(8_000)]);
}

#[tokio::test]
async fn loops_that_obey_nothing_keep_to_their_share_all_the_same_and_others_do_not_wait() {
    let scene = Scene::open(queued).await;
    let (began, mut pollers) = (Instant::now(), JoinSet::new());
    for poller in 0..60 {
        let mut wire = scene.house.connect().await;
        pollers.spawn(async move {
            while began.elapsed() < Duration::from_secs(4) {
                let run = poller % 20;
                wire.send(format!("GET /v1/runs/{run} HTTP/1.1\r\nHost: o\r\n\r\n")).await;
                wire.until("queued\"}").await;
                sleep(Duration::from_millis(20)).await;
            }
        });
    }
    sleep(Duration::from_secs(1)).await;
    let mut waited = Vec::new();
    while began.elapsed() < Duration::from_secs(4) {
        waited.push(wait_ms(&scene.ask("/v1/models", "").await));
        sleep(Duration::from_millis(150)).await;
    }
    pollers.join_all().await;
    let (polls, most) = (scene.calls() - waited.len(), began.elapsed().as_millis() / 100);
    assert!(
        polls as u128 <= most + 40,
        "{polls} polls, {most} are half of the pool, and at first each thing goes once or twice"
    );
    assert!(waited.iter().all(|&ms| ms < 200), "{waited:?}");
    assert!(scene.counted("/v1/runs/").paced > 20, "{:?}", scene.counted("/v1/runs/"));
}

#[tokio::test]
async fn who_leaves_while_his_call_waits_puts_off_nobody_who_comes_after_him() {
    let (scene, began) = (Scene::open(queued).await, Instant::now());
    for run in 0..20 {
        scene.ask(&format!("/v1/runs/{run}"), HELPER).await;
    }
    sleep(Duration::from_millis(60)).await;
    for paced in 1..=4 {
        let (mut leaves, closed) = (scene.house.connect().await, scene.house.gate.connections().closed);
        leaves.send(get("/v1/runs/0", HELPER)).await;
        scene.house.until("its call waits", |_| scene.counted("/v1/runs/").paced == paced).await;
        drop(leaves);
        scene.house.until("it has left", |_| scene.house.gate.connections().closed > closed).await;
    }
    assert!(scene.ask("/v1/runs/0", HELPER).await.ends_with("\"queued\"}"));
    assert!(began.elapsed() < Duration::from_secs(4), "calls are 2 s apart: {:?}", began.elapsed());
    assert_eq!(scene.calls(), 21);
}

#[tokio::test]
async fn who_has_less_patience_than_his_call_would_wait_is_told_at_once() {
    let scene = Scene::open(queued).await;
    scene.ask("/v1/late", "").await;
    let began = Instant::now();
    let came = scene.ask("/v1/late", "x-tidegate-max-wait: 500ms\r\n").await;
    assert!(came.starts_with("HTTP/1.1 429") && came.contains("tidegate_wait_too_long"), "{came}");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn when_the_one_whose_request_was_to_go_is_refused_another_goes_and_they_share_his_call() {
    let scene = Scene::open(queued).await;
    scene.ask("/v1/late", "").await;
    let (mut hasty, mut others) = (scene.house.connect().await, Vec::new());
    hasty.send(get("/v1/late", "x-tidegate-max-wait: 2300ms\r\n")).await;
    scene.house.until("its call waits", |_| scene.counted("/v1/late").paced == 1).await;
    for _ in 0..2 {
        let mut wire = scene.house.connect().await;
        wire.send(get("/v1/late", "")).await;
        others.push(wire);
    }
    let came = hasty.rest().await;
    assert!(came.starts_with("HTTP/1.1 429") && came.contains("tidegate_wait_too_long"), "{came}");
    for mut other in others {
        assert!(other.rest().await.ends_with("\"queued\"}"));
    }
    assert_eq!(scene.calls(), 2);
}

#[tokio::test]
async fn whoever_is_refused_is_told_at_once_however_many_poll() {
    let scene = Scene::open(queued).await;
    scene.ask("/v1/full/1", "").await;
    let began = Instant::now();
    let mut pollers = JoinSet::new();
    for _ in 0..5 {
        let mut wire = scene.house.connect().await;
        pollers.spawn(async move {
            wire.send(get("/v1/full/1", "")).await;
            wire.rest().await
        });
    }
    for came in pollers.join_all().await {
        assert!(came.starts_with("HTTP/1.1 429") && wait_ms(&came) < 1_000, "{came}");
    }
    assert!(began.elapsed() < Duration::from_secs(4), "calls for it are 8 s apart: {:?}", began.elapsed());
}

#[tokio::test]
async fn a_thing_that_is_done_is_polled_by_nobody_whoever_heard_of_it() {
    let scene = Scene::open(|call| says(if call < 6 { "completed" } else { "queued" })).await;
    for run in 0..6 {
        scene.ask(&format!("/v1/runs/{run}"), HELPER).await;
        let reused = scene.ask(&format!("/v1/runs/{run}"), HELPER).await;
        assert!(reused.contains("x-tidegate-source: coalesced"), "{reused}");
    }
    let mut told = Vec::new();
    for run in 10..20 {
        told.push(poll_after(&scene.ask(&format!("/v1/runs/{run}"), HELPER).await));
    }
    assert_eq!(told, [None; 10], "ten are polled, and not sixteen");
}

#[tokio::test]
async fn a_poll_that_would_say_nothing_new_is_held_until_there_is_a_change() {
    let scene = Scene::open(|call| says(["queued", "queued", "queued", "in_progress", "completed"][call.min(4)])).await;
    let first = scene.ask("/v1/held/1", "").await;
    assert!(first.ends_with("\"queued\"}") && wait_ms(&first) == 0, "the first is told at once: {first}");
    let began = Instant::now();
    let mut all = JoinSet::new();
    for _ in 0..5 {
        let mut wire = scene.house.connect().await;
        all.spawn(async move {
            wire.send(get("/v1/held/1", "")).await;
            wire.rest().await
        });
    }
    for came in all.join_all().await {
        assert!(came.ends_with("\"in_progress\"}") && wait_ms(&came) >= 500, "{came}");
    }
    assert!(began.elapsed() > Duration::from_millis(900), "{:?}", began.elapsed());
    assert_eq!(scene.calls(), 4, "one of them asks for all");
    let last = scene.ask("/v1/held/1", "").await;
    assert!(last.ends_with("\"completed\"}"), "{last}");
    let again = scene.ask("/v1/held/1", "").await;
    assert!(again.ends_with("\"completed\"}") && wait_ms(&again) == 0, "what is over is told at once: {again}");
    assert_eq!(scene.counted("/v1/held/").held, 6);
}

#[tokio::test]
async fn a_poll_is_held_no_longer_than_four_seconds_nor_than_its_client_would_wait() {
    let scene = Scene::open(queued).await;
    scene.ask("/v1/held/1", "").await;
    let began = Instant::now();
    let hasty = scene.ask("/v1/held/1", "x-tidegate-max-wait: 1s\r\n").await;
    assert!(hasty.ends_with("\"queued\"}") && began.elapsed() < Duration::from_millis(900), "{:?}", began.elapsed());
    let (began, long) = (Instant::now(), scene.ask("/v1/held/1", "").await);
    let took = began.elapsed();
    assert!(
        long.ends_with("\"queued\"}") && took > Duration::from_secs(3) && took < Duration::from_secs(6),
        "{took:?}"
    );
    assert!(wait_ms(&long) >= 3_000, "{long}");
}

#[tokio::test]
async fn what_goes_wrong_while_a_poll_is_held_leaves_it_what_it_had_and_a_leaving_client_takes_nothing_along() {
    let scene = Scene::open(|call| if call < 2 { says("queued") } else { says("completed") }).await;
    scene.ask("/v1/held/1", "").await;
    sleep(Duration::from_millis(110)).await;
    let mut leaves = scene.house.connect().await;
    leaves.send(get("/v1/held/1", "")).await;
    let stays = tokio::spawn({
        let mut wire = scene.house.connect().await;
        async move {
            wire.send(get("/v1/held/1", "")).await;
            wire.rest().await
        }
    });
    scene.house.until("both are held", |_| scene.counted("/v1/held/").held == 2).await;
    drop(leaves);
    let came = stays.await.expect("no panic");
    assert!(came.ends_with("\"completed\"}"), "{came}");

    let gone = Scene::open(queued).await;
    gone.ask("/v1/held/1", "").await;
    let held = tokio::spawn({
        let mut wire = gone.house.connect().await;
        async move {
            wire.send(get("/v1/held/1", "")).await;
            wire.rest().await
        }
    });
    gone.house.until("it is held", |_| gone.counted("/v1/held/").held == 1).await;
    gone.house.gate.admission().drain();
    let came = held.await.expect("no panic");
    assert!(came.starts_with("HTTP/1.1 200") && came.ends_with("\"queued\"}"), "{came}");
}

#[tokio::test]
async fn the_status_is_seen_in_a_body_that_is_compressed() {
    let coded = |status: &str| coded("200 OK", "gzip", &gzip(&format!("{{\"status\": \"{status}\"}}")));
    let scene = Scene::open(move |call| coded(if call < 2 { "queued" } else { "completed" })).await;
    let mut wire = scene.house.connect().await;
    wire.send(get("/v1/held/1", "")).await;
    wire.rest_of_bytes().await;
    sleep(Duration::from_millis(110)).await;
    let mut wire = scene.house.connect().await;
    wire.send(get("/v1/held/1", "")).await;
    let came = wire.rest_of_bytes().await;
    assert!(came.ends_with(&gzip("{\"status\": \"completed\"}")));
    assert_eq!((scene.counted("/v1/held/").held, scene.calls()), (1, 3));
}
