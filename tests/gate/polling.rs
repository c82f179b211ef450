//! Polls keep to their share of a pool, are told when to come again, and are held until there is something to tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tidegate::gate::Coalesced;
use tokio::net::TcpListener;

use super::coded::{coded, gzip};
use super::house::{House, Wire, accept, upstream};
use super::loops::{Loops, Pace, TICK};
use super::resend::answer;
use crate::clock::{Clock, turn};

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

/// A gate on a stopped clock, and how often its upstream was asked.
struct Scene {
    clock: Clock,
    house: House,
    calls: Arc<AtomicUsize>,
}

impl Scene {
    /// Before an upstream that answers its n-th call so.
    async fn open(says: impl Fn(usize) -> Vec<u8> + Clone + Send + 'static) -> Self {
        let clock = Clock::stop();
        let (listener, address) = upstream().await;
        let calls = Arc::new(AtomicUsize::new(0));
        tokio::spawn(serve(listener, Arc::clone(&calls), says));
        Self { clock, house: House::open(ROUTES, address).await, calls }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Asks for what is answered at this moment.
    async fn ask(&self, path: &str, headers: &str) -> String {
        self.house.ask(&get(path, headers)).await
    }

    /// Asks for what may come later.
    async fn begin(&self, path: &str, headers: &str) -> Wire {
        let mut wire = self.house.connect().await;
        wire.send(get(path, headers)).await;
        wire
    }

    async fn step(&self, ms: u64) {
        self.clock.step(Duration::from_millis(ms)).await;
    }

    async fn reach(&self, ms: u64) {
        self.clock.reach(Duration::from_millis(ms)).await;
    }

    /// Those who are held have waited for so long that they look once more, and have heard what the upstream says: its
    /// answer to so many calls.
    async fn look(&self, calls: u64) {
        self.reach(500).await;
        self.house.until("the answer has come", |now| now.totals.released == calls).await;
        turn().await;
        assert_eq!(self.calls() as u64, calls);
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
async fn many_who_poll_are_told_pace_that_fits() {
    let scene = Scene::open(queued).await;
    let mut told = Vec::new();
    for run in 0..20 {
        told.push(poll_after(&scene.ask(&format!("/v1/runs/{run}"), HELPER).await));
    }
    assert_eq!(told[..10], [None; 10], "ten polls a second are half of the pool, and Python asks once a second");
    let paces: Vec<_> = (11..=20).map(|things| Some(things * 100)).collect();
    assert_eq!(told[10..], paces);
    assert_eq!(poll_after(&scene.ask("/v1/runs/0", NODE).await), None, "openai-node asks every 5 s of itself");
    assert_eq!(poll_after(&scene.ask("/v1/runs/0", "").await), None, "who says nothing obeys nothing");
}

#[tokio::test]
async fn told_pace_is_bounded_by_sdks_and_upstream() {
    let says = |said: &str| answer("200 OK", &format!("openai-poll-after-ms: {said}\r\n"), "{}").into_bytes();
    let scene = Scene::open(move |call| says(["9000", "3", "soon"][call % 3])).await;
    let mut told = Vec::new();
    for run in 0..102 {
        let came = scene.ask(&format!("/v1/runs/{run}"), HELPER).await;
        assert_eq!(came.matches("openai-poll-after-ms").count(), 1, "{came}");
        assert_eq!(wait_ms(&came), 0, "first polls wait for nothing");
        told.push(poll_after(&came));
        // As many as the pool lets through.
        scene.step(50).await;
    }
    assert_eq!(told[..3], [Some(9_000), Some(3), None], "with few who poll it is the upstream's own, whatever it says");
    assert_eq!(told[99..], [Some(9_000), Some(8_000), Some(8_000)]);
}

/// Sixty loops that poll twenty things come as soon as they can; beside them somebody else asks every 150 ms.
#[tokio::test]
async fn loops_keep_to_share_and_delay_nobody() {
    let scene = Scene::open(queued).await;
    let pace = Pace { reuse: Duration::from_millis(50), every: Duration::from_secs(2) };
    let (mut loops, mut others) = (Loops::new(pace, 1..20, 20), 0);
    for client in 0..60 {
        let run = client % 20;
        let request = format!("GET /v1/runs/{run} HTTP/1.1\r\nHost: o\r\n\r\n");
        loops.join(&scene.house, run, request, 0..1).await;
    }
    while loops.now() <= Duration::from_secs(6) {
        loops.go(&scene.house, |_| false).await;
        if others * 15 * TICK <= loops.now() {
            assert_eq!(wait_ms(&scene.ask("/v1/models", "").await), 0, "at {:?}", loops.now());
            others += 1;
        }
        assert_eq!(scene.calls(), loops.calls() + others as usize, "at {:?}", loops.now());
        loops.tick(&scene.clock).await;
    }
    assert_eq!((loops.calls(), others), (80, 41), "each thing is called at once, and then every 2 s");
    assert_eq!(scene.counted("/v1/runs/").paced, 60, "all but the first wait for that");
}

#[tokio::test]
async fn leaving_client_puts_off_nobody_after_it() {
    let scene = Scene::open(queued).await;
    for run in 0..20 {
        scene.ask(&format!("/v1/runs/{run}"), HELPER).await;
    }
    scene.step(60).await;
    for paced in 1..=4 {
        let leaves = scene.begin("/v1/runs/0", HELPER).await;
        scene.house.until("its call waits", |_| scene.counted("/v1/runs/").paced == paced).await;
        drop(leaves);
        scene.house.until("it has left", |_| scene.house.gate.connections().open == 0).await;
    }
    let mut stays = scene.begin("/v1/runs/0", HELPER).await;
    scene.house.until("its call waits", |_| scene.counted("/v1/runs/").paced == 5).await;
    scene.reach(1_940).await;
    let came = stays.rest().await;
    assert!(came.ends_with("\"queued\"}"), "{came}");
    assert_eq!((wait_ms(&came), scene.calls()), (1_940, 21), "calls are 2 s apart");
}

#[tokio::test]
async fn impatient_poller_is_refused_at_once() {
    let scene = Scene::open(queued).await;
    scene.ask("/v1/late", "").await;
    let came = scene.ask("/v1/late", "x-tidegate-max-wait: 500ms\r\n").await;
    assert!(came.starts_with("HTTP/1.1 429") && came.contains("tidegate_wait_too_long"), "{came}");
    assert!(came.contains("\"eta_ms\":3000,") && wait_ms(&came) == 0, "{came}");
}

#[tokio::test]
async fn refused_first_leaves_call_to_others() {
    let scene = Scene::open(queued).await;
    scene.ask("/v1/late", "").await;
    let mut hasty = scene.begin("/v1/late", "x-tidegate-max-wait: 2300ms\r\n").await;
    scene.house.until("its call waits", |_| scene.counted("/v1/late").paced == 1).await;
    let others = [scene.begin("/v1/late", "").await, scene.begin("/v1/late", "").await];
    scene.house.until("all have asked", |_| scene.counted("/v1/late").asked == 4).await;
    scene.reach(2_000).await;
    let came = hasty.rest().await;
    assert!(came.starts_with("HTTP/1.1 429") && came.contains("tidegate_wait_too_long"), "{came}");
    scene.house.until("another waits for its turn", |now| now.waiting == 1).await;
    turn().await;
    scene.reach(1_000).await;
    for mut other in others {
        let came = other.rest().await;
        assert!(came.ends_with("\"queued\"}") && wait_ms(&came) == 3_000, "{came}");
    }
    assert_eq!(scene.calls(), 2);
}

#[tokio::test]
async fn full_pool_refuses_pollers_at_once() {
    let scene = Scene::open(queued).await;
    scene.ask("/v1/full/1", "").await;
    let mut pollers = Vec::new();
    for _ in 0..5 {
        pollers.push(scene.begin("/v1/full/1", "").await);
    }
    for mut poller in pollers {
        let came = poller.rest().await;
        assert!(came.starts_with("HTTP/1.1 429") && wait_ms(&came) == 0, "{came}");
    }
    assert_eq!(scene.calls(), 1);
}

#[tokio::test]
async fn done_thing_counts_as_polled_by_nobody() {
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
async fn poll_is_held_until_there_is_change() {
    let scene = Scene::open(|call| says(["queued", "queued", "queued", "in_progress", "completed"][call.min(4)])).await;
    let first = scene.ask("/v1/held/1", "").await;
    assert!(first.ends_with("\"queued\"}") && wait_ms(&first) == 0, "the first is told at once: {first}");
    let mut all = Vec::new();
    for _ in 0..5 {
        all.push(scene.begin("/v1/held/1", "").await);
    }
    scene.house.until("all are held", |_| scene.counted("/v1/held/").held == 5).await;
    for calls in 2..=4 {
        scene.look(calls).await;
    }
    for mut held in all {
        let came = held.rest().await;
        assert!(came.ends_with("\"in_progress\"}") && wait_ms(&came) == 1_500, "{came}");
    }
    let mut last = scene.begin("/v1/held/1", "").await;
    scene.house.until("it is held", |_| scene.counted("/v1/held/").held == 6).await;
    scene.look(5).await;
    let came = last.rest().await;
    assert!(came.ends_with("\"completed\"}") && wait_ms(&came) == 500, "{came}");
    let again = scene.ask("/v1/held/1", "").await;
    assert!(again.ends_with("\"completed\"}") && wait_ms(&again) == 0, "what is over is told at once: {again}");
    assert_eq!((scene.counted("/v1/held/").held, scene.calls()), (6, 5));
}

#[tokio::test]
async fn poll_is_held_less_than_four_seconds() {
    let scene = Scene::open(queued).await;
    scene.ask("/v1/held/1", "").await;
    let mut hasty = scene.begin("/v1/held/1", "x-tidegate-max-wait: 1s\r\n").await;
    scene.house.until("it is held", |_| scene.counted("/v1/held/").held == 1).await;
    scene.look(2).await;
    let came = hasty.rest().await;
    assert!(came.ends_with("\"queued\"}") && wait_ms(&came) == 500, "half of what it would wait: {came}");
    let mut long = scene.begin("/v1/held/1", "").await;
    scene.house.until("it is held", |_| scene.counted("/v1/held/").held == 2).await;
    for calls in 3..=9 {
        scene.look(calls).await;
    }
    let came = long.rest().await;
    assert!(came.ends_with("\"queued\"}") && wait_ms(&came) == 3_500, "an eighth look would come too late: {came}");
}

#[tokio::test]
async fn leaving_client_takes_no_held_poll_along() {
    let scene = Scene::open(|call| if call < 2 { says("queued") } else { says("completed") }).await;
    scene.ask("/v1/held/1", "").await;
    scene.step(100).await;
    let leaves = scene.begin("/v1/held/1", "").await;
    let mut stays = scene.begin("/v1/held/1", "").await;
    scene.house.until("both are held", |_| scene.counted("/v1/held/").held == 2).await;
    drop(leaves);
    scene.house.until("it has left", |_| scene.house.gate.connections().open == 1).await;
    scene.look(3).await;
    let came = stays.rest().await;
    assert!(came.ends_with("\"completed\"}") && wait_ms(&came) == 500, "{came}");
}

#[tokio::test]
async fn failure_leaves_held_poll_what_it_had() {
    let scene = Scene::open(queued).await;
    scene.ask("/v1/held/1", "").await;
    let mut held = scene.begin("/v1/held/1", "").await;
    scene.house.until("it is held", |_| scene.counted("/v1/held/").held == 1).await;
    scene.house.gate.admission().drain();
    scene.reach(500).await;
    let came = held.rest().await;
    assert!(came.starts_with("HTTP/1.1 200") && came.ends_with("\"queued\"}"), "{came}");
    assert_eq!((wait_ms(&came), scene.calls()), (500, 1));
}

#[tokio::test]
async fn status_is_seen_in_compressed_body() {
    let coded = |status: &str| coded("200 OK", "gzip", &gzip(&format!("{{\"status\": \"{status}\"}}")));
    let scene = Scene::open(move |call| coded(if call < 1 { "queued" } else { "completed" })).await;
    scene.begin("/v1/held/1", "").await.rest_of_bytes().await;
    let mut held = scene.begin("/v1/held/1", "").await;
    scene.house.until("it is held", |_| scene.counted("/v1/held/").held == 1).await;
    scene.look(2).await;
    assert!(held.rest_of_bytes().await.ends_with(&gzip("{\"status\": \"completed\"}")));
}
