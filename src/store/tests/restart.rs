//! What is used of the limits, and who comes back, after the gate has ended in one way or another.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::time::Duration;

use super::scene::{CONFIG, Scene, admission, config};
use crate::admission::{Admission, AdmissionRequest, ClientId, Refusal, Turn};
use crate::route::RouteId;
use crate::store::Store;

/// The pool of posts admits 300 a minute.
const ALL: usize = 300;

/// A gate that begins where the last one with this file stopped.
fn restarted(scene: &Scene, starts_full: bool) -> Admission {
    let again = admission(&scene.config);
    let mut store = Store::open(&scene.path, &scene.config).expect("the file is free");
    store.begin(&again, starts_full);
    again
}

#[tokio::test(start_paused = true)]
async fn drained_gate_goes_on_where_it_stopped() {
    let scene = Scene::unlearned();
    assert_eq!(scene.send("posts", "", 250), 250);
    assert_eq!(scene.send("threads", "t_1", 3), 3);
    scene.save().await;
    let again = restarted(&scene, false);
    assert_eq!(scene.send_to(&again, "posts", "", ALL), 50);
    let used = |pool, key| scene.used(&again, pool, key);
    assert_eq!([used("posts", ""), used("threads", "t_1"), used("threads", "other")], [Some(300), Some(3), None]);
}

/// Nothing is saved at the end: what was sent since the last time is in the journal, and nothing is counted twice.
#[tokio::test(start_paused = true)]
async fn killed_gate_forgets_nothing_it_sent() {
    let scene = Scene::unlearned();
    let first = admission(&scene.config);
    let mut store = scene.store();
    store.begin(&first, false);
    for round in 1..=4 {
        assert_eq!(scene.send_to(&first, "posts", "", 10), 10);
        assert_eq!(scene.send_to(&first, "threads", "a thread\n", 1), 1);
        if round < 4 {
            store.save(&first, false).await;
        }
    }
    drop((first, store));
    let second = restarted(&scene, false);
    assert_eq!(scene.used(&second, "posts", ""), Some(40));
    assert_eq!(scene.used(&second, "threads", "a thread\n"), Some(4));
    // The second is killed as well, before it has sent anything.
    drop(second);
    let third = restarted(&scene, false);
    assert_eq!(scene.used(&third, "posts", ""), Some(40));
    assert_eq!(scene.send_to(&third, "posts", "", ALL), ALL - 40);
}

#[tokio::test(start_paused = true)]
async fn journal_is_kept_while_the_state_cannot_be_written() {
    let scene = Scene::unlearned();
    let first = admission(&scene.config);
    let mut store = scene.store();
    store.begin(&first, false);
    // A folder in the way of the next text.
    let new = scene.folder.path().join("state.json.new");
    fs::create_dir(&new).expect("a folder");
    for _ in 0..5 {
        scene.send_to(&first, "posts", "", 10);
        store.save(&first, false).await;
    }
    fs::remove_dir(&new).expect("a folder");
    drop((first, store));
    assert_eq!(scene.used(&restarted(&scene, false), "posts", ""), Some(50));
}

#[tokio::test(start_paused = true)]
async fn cut_off_line_costs_no_other() {
    let scene = Scene::unlearned();
    let first = admission(&scene.config);
    let mut store = scene.store();
    store.begin(&first, false);
    scene.send_to(&first, "posts", "", 2);
    drop((first, store));
    let journal = scene.folder.path().join("state.json.sent-b");
    let mut file = OpenOptions::new().append(true).open(&journal).expect("a journal");
    file.write_all(b"\xff not a line\n123 4 1 po").expect("it is written");
    let text = fs::read(&journal).expect("a journal");
    fs::write(&journal, String::from_utf8_lossy(&text).as_bytes()).expect("it is written");
    assert_eq!(scene.used(&restarted(&scene, false), "posts", ""), Some(2));
}

#[tokio::test(start_paused = true)]
async fn what_has_left_its_window_is_gone() {
    let scene = Scene::unlearned();
    scene.send("posts", "", 100);
    tokio::time::advance(Duration::from_secs(40)).await;
    scene.send("posts", "", 50);
    scene.save().await;
    let again = restarted(&scene, false);
    tokio::time::advance(Duration::from_secs(21)).await;
    assert_eq!(scene.used(&again, "posts", ""), Some(50));
    tokio::time::advance(Duration::from_secs(40)).await;
    assert_eq!(scene.used(&again, "posts", ""), Some(0));
}

#[tokio::test(start_paused = true)]
async fn cold_start_is_full_only_where_nothing_tells() {
    let scene = Scene::unlearned();
    let cold = restarted(&scene, true);
    assert_eq!(scene.send_to(&cold, "posts", "", 1), 0);
    drop(cold);
    let unclean = restarted(&scene, true);
    assert_eq!(scene.used(&unclean, "posts", ""), Some(300), "the first one's file tells that it was full");
    tokio::time::advance(Duration::from_secs(61)).await;
    assert_eq!(scene.send_to(&unclean, "posts", "", 1), 1);
    let other = Scene::unlearned();
    other.send("posts", "", 10);
    other.save().await;
    assert_eq!(other.send_to(&restarted(&other, true), "posts", "", ALL), ALL - 10, "a drained gate's file tells all");
    let empty = Scene::unlearned();
    assert_eq!(empty.send_to(&restarted(&empty, false), "posts", "", ALL), ALL);
}

/// An unclean end of the machine may have lost some seconds.
#[tokio::test(start_paused = true)]
async fn unclean_state_of_an_earlier_boot_tells_not_enough() {
    let scene = Scene::unlearned();
    let first = admission(&scene.config);
    let mut store = scene.store();
    store.begin(&first, false);
    scene.send_to(&first, "posts", "", 10);
    store.save(&first, false).await;
    drop((first, store));
    let text = fs::read_to_string(&scene.path).expect("a file");
    let mut page: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    page["written"]["boot"] = "another".into();
    fs::write(&scene.path, page.to_string()).expect("it is written");
    let kept = fs::read(&scene.path).expect("a file");
    assert_eq!(scene.used(&restarted(&scene, true), "posts", ""), Some(310));
    fs::write(&scene.path, kept).expect("it is written");
    assert_eq!(scene.used(&restarted(&scene, false), "posts", ""), Some(10));
}

#[tokio::test(start_paused = true)]
async fn restored_window_fits_another_limit() {
    let scene = Scene::unlearned();
    scene.send("posts", "", 250);
    scene.save().await;
    for (limits, left) in [("200/min", 0), ("400/min", 150), ("260/30s", 10), ("260/2h", 10)] {
        let scene = Scene { config: config(&CONFIG.replace("300/min", limits)), ..scene.again() };
        let again = admission(&scene.config);
        scene.store().recall(&again, false);
        assert_eq!(scene.send_to(&again, "posts", "", 1_000), left, "{limits}");
    }
}

/// A client that was refused, or waited when the gate began to stop, finds its place before those that come new.
#[tokio::test(start_paused = true)]
async fn reserved_place_is_kept_over_a_restart() {
    let scene = Scene::unlearned();
    let gate = admission(&scene.config);
    assert_eq!(scene.send_to(&gate, "posts", "", ALL), ALL);
    let asks = |returns| AdmissionRequest {
        client: ClientId(7),
        returns: Some(returns),
        route: RouteId(0),
        ..AdmissionRequest::default()
    };
    // A place is reserved only for a client that has come back before.
    drop(gate.request(&[scene.ask("posts", "", 1)], asks(1)));
    let refused = gate.request(&[scene.ask("posts", "", 1)], asks(0));
    assert!(matches!(refused, Err(Refusal { .. })), "it cannot wait: {refused:?}");
    assert_eq!(gate.saved_state().retries.len(), 1);
    gate.drain();
    scene.store().save(&gate, true).await;
    let again = restarted(&scene, false);
    let [saved] = &again.saved_state().retries[..] else { panic!("{:?}", again.saved_state().retries) };
    assert_eq!((saved.client, saved.route, saved.charges.len()), (ClientId(7), RouteId(0), 1));
    tokio::time::advance(Duration::from_secs(61)).await;
    let back = again.request(&[scene.ask("posts", "", 1)], asks(1));
    assert!(matches!(back, Ok(Turn::Now(_))), "{back:?}");
    assert_eq!(again.saved_state().retries, []);
}
