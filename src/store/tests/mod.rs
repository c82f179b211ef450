//! A file in a folder of its own, and a gate that starts again with it.

mod places;
mod restart;
mod scene;
mod unusable;

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::EVERY;
use super::moment::{Moment, WrittenAt};
use super::page::{DroppedRow, StateFile};
use crate::limit::{Outdated, SavedLimit};
use scene::{CONFIG, Scene, admission, config, estimates, log, now, rate};

/// The clock of instants stands still, and the one on the wall goes on: it makes what was learned older.
#[tokio::test(start_paused = true)]
async fn what_was_learned_is_known_after_a_restart_with_its_age() {
    let (scene, began) = (Scene::new(), Moment::now().wall);
    scene.save().await;
    let known = scene.known_after_restart(&scene.config);
    // The file has whole microseconds.
    let most = Moment::now().wall.saturating_sub(began) + Duration::from_millis(1);
    let (before, after) = (scene.admission.saved_estimates(), known);
    assert_eq!(before.len(), 3);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!((before.pool, &before.key, before.estimate.limit), (after.pool, &after.key, after.estimate.limit));
        let older = |then: Instant, now: Instant| (Duration::ZERO..=most).contains(&(then - now));
        assert!(older(before.estimate.since, after.estimate.since), "{after:?} of {before:?}");
        assert!(older(before.estimate.heard, after.estimate.heard), "{after:?} of {before:?}");
    }
    assert_eq!(after.len(), 3);
    assert_eq!(scene.names(), ["state.json"], "nothing else stays there");
}

#[tokio::test(start_paused = true)]
async fn state_names_pools_and_tells_ages() {
    let (scene, wall) = (Scene::unlearned(), Duration::from_secs(1_764_000_001));
    let now = Moment { now: now(), wall, up: Duration::from_secs(100) };
    scene.send("posts", "", 2);
    let page = StateFile::of(&scene.admission.saved_state(), &estimates(&scene.config)[..1], &scene.names_of(), now);
    let text: Value = serde_json::from_str(&page.text()).expect("JSON");
    assert_eq!(
        (&text["version"], &text["sent"], &text["written"]["wall_us"]),
        (&2.into(), &2.into(), &1_764_000_001_000_000_u64.into())
    );
    let windows = json!([{ "per_us": 60_000_000, "spent": [[0, 2]] }]);
    let used = json!([{ "pool": "posts", "unit": "requests", "sent": 2, "watched_us": 0, "windows": windows }]);
    assert_eq!(text["pools"], used);
    let limit = json!({ "kind": "lower", "limit": "180/min" });
    let estimate = json!([{ "pool": "posts", "unit": "requests", "limit": limit, "since_us": 90_000_000, "heard_us": 60_000_000 }]);
    assert_eq!(text["estimates"], estimate);
}

#[tokio::test]
async fn what_means_nothing_any_more_is_dropped_and_the_rest_holds() {
    let scene = Scene::new();
    scene.save().await;
    let findings = |text: &str| {
        let known = scene.known_after_restart(&config(text));
        known.iter().map(|estimate| estimate.estimate.limit).collect::<Vec<_>>()
    };
    let told = ["500/min", "30000/min"].map(|limit| SavedLimit::Reported { limit: rate(limit) });
    assert_eq!(findings(&CONFIG.replace("posts", "others")), told, "another pool");
    assert_eq!(findings(&CONFIG.replace("300/min", "180/min")), told, "a lower limit");
    let lower = SavedLimit::Lower { limit: rate("180/min") };
    assert_eq!(findings(&CONFIG.replace("key = [\"body.model\"]", "")), [lower], "a pool that is no longer keyed");
}

#[tokio::test]
async fn estimate_ages_with_the_wall_clock() {
    let scene = Scene::new();
    let written = Moment::now();
    let page =
        StateFile::of(&scene.admission.saved_state(), &scene.admission.saved_estimates(), &scene.names_of(), written);
    let dropped = |wall| {
        let past = WrittenAt::of_another_boot(written).past(Moment { wall, ..written });
        let estimate = page.estimates[0].estimate(&scene.names_of(), past);
        estimate.and_then(|estimate| Ok(admission(&scene.config).recall(&estimate)?))
    };
    assert_eq!(dropped(written.wall), Ok(()));
    assert_eq!(dropped(written.wall.saturating_sub(Duration::from_mins(5))), Ok(()), "a clock that went back");
    assert_eq!(dropped(written.wall + Duration::from_hours(1)), Err(DroppedRow::Outdated(Outdated::Expired)));
    assert!(dropped(Duration::MAX).is_err());
}

#[tokio::test(start_paused = true)]
async fn gap_is_told_by_the_clock_that_cannot_be_set() {
    let written = Moment { now: now(), wall: Duration::from_hours(500_000), up: Duration::from_mins(10) };
    let later = Moment { up: written.up + Duration::from_secs(7), ..written };
    let age = |at: WrittenAt, moment| now() - at.past(moment).when(3_000_000).expect("an instant");
    let secs = Duration::from_secs;
    let back = written.wall.saturating_sub(secs(60));
    for wall in [Duration::ZERO, back, written.wall + secs(60)] {
        assert_eq!(age(WrittenAt::of(written), Moment { wall, ..later }), secs(10), "in the same boot, at {wall:?}");
    }
    let other = || WrittenAt::of_another_boot(written);
    assert_eq!(age(other(), Moment { wall: written.wall + secs(60), up: secs(1), ..later }), secs(63));
    assert_eq!(age(other(), Moment { wall: back, ..later }), secs(3), "a clock that went back");
}

#[tokio::test]
async fn it_is_warned_once_until_it_can_be_written_again() {
    let scene = Scene::new();
    let mut store = scene.store();
    fs::remove_dir_all(scene.folder.path()).expect("a folder");
    let (_log, logged) = log();
    for _ in 0..3 {
        store.save(&scene.admission, false).await;
    }
    fs::create_dir(scene.folder.path()).expect("a folder");
    for _ in 0..2 {
        store.save(&scene.admission, false).await;
    }
    drop(store);
    let text = logged.text();
    assert_eq!((text.matches("cannot be written").count(), text.matches("is written again").count()), (1, 1), "{text}");
    assert_eq!(scene.known_after_restart(&scene.config).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn state_is_written_on_change_and_at_the_end() {
    let scene = Scene::new();
    let (again, stopped) = (admission(&scene.config), CancellationToken::new());
    let mut store = scene.store();
    store.begin(&again, false);
    let keeping = tokio::spawn(store.keep(again.clone(), stopped.clone()));
    tokio::time::sleep(EVERY + EVERY / 2).await;
    fs::remove_file(&scene.path).expect("a file");
    tokio::time::sleep(EVERY * 3).await;
    assert!(!scene.path.exists(), "nothing has changed");
    let [lower, told, _] = estimates(&scene.config);
    again.recall(&lower).expect("it holds");
    tokio::time::sleep(EVERY * 2).await;
    let text = || fs::read_to_string(&scene.path).expect("a file");
    let first = text();
    assert!(first.contains("posts") && !first.contains("chat") && first.contains("\"clean\":false"), "{first}");
    again.recall(&told).expect("it holds");
    stopped.cancel();
    keeping.await.expect("it ends");
    let last = text();
    assert!(last.contains("posts") && last.contains("chat") && last.contains("\"clean\":true"), "{last}");
}
