//! A file in a folder of its own, and the estimates of a gate that starts again with it.

mod scene;

use std::fs;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::file::UnreadFile;
use super::moment::Moment;
use super::page::{DroppedRow, LearnedFile, PoolNames};
use super::{EVERY, Store};
use crate::limit::SavedLimit;
use scene::{CONFIG, Scene, admission, config, estimates, log, now, rate};

/// The clock of instants stands still, and the one on the wall goes on: it makes what was learned older.
#[tokio::test(start_paused = true)]
async fn what_was_learned_is_known_after_a_restart_with_its_age() {
    let (scene, began) = (Scene::new(), Moment::now().wall);
    scene.store().save(&scene.admission).await;
    let known = scene.known_after_restart(&scene.config);
    // The file has whole seconds.
    let most = Moment::now().wall.saturating_sub(began) + Duration::from_secs(1);
    let (before, after) = (scene.admission.saved_estimates(), known);
    assert_eq!(before.len(), 3);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!((before.pool, &before.key, before.estimate.limit), (after.pool, &after.key, after.estimate.limit));
        let older = |then: Instant, now: Instant| (Duration::ZERO..=most).contains(&(then - now));
        assert!(older(before.estimate.since, after.estimate.since), "{after:?} of {before:?}");
        assert!(older(before.estimate.heard, after.estimate.heard), "{after:?} of {before:?}");
    }
    assert_eq!(after.len(), 3);
    assert_eq!(scene.names(), ["learned.json"], "nothing else stays there");
}

#[tokio::test(start_paused = true)]
async fn people_can_read_it() {
    let config = config(CONFIG);
    let now = Moment { now: now(), wall: Duration::from_secs(1_764_000_001) };
    let estimates = estimates(&config);
    let text = LearnedFile::of(&estimates[..1], &PoolNames::new(&config.pools), now).text();
    assert_eq!(
        text,
        r#"{
  "version": 1,
  "estimates": [
    {
      "pool": "posts",
      "unit": "requests",
      "limit": {
        "kind": "lower",
        "limit": "180/min"
      },
      "since": 1763999911,
      "heard": 1763999941
    }
  ]
}
"#
    );
}

#[tokio::test]
async fn what_means_nothing_any_more_is_dropped_and_the_rest_holds() {
    let scene = Scene::new();
    scene.store().save(&scene.admission).await;
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
async fn a_clock_that_has_jumped_leaves_nothing_to_believe() {
    let scene = Scene::new();
    let (names, written) = (PoolNames::new(&scene.config.pools), Moment::now());
    let page = LearnedFile::of(&scene.admission.saved_estimates(), &names, written);
    let dropped = |wall| {
        let now = Moment { wall, ..written };
        page.estimates[0].estimate(&names, now).and_then(|estimate| Ok(admission(&scene.config).recall(&estimate)?))
    };
    assert_eq!(dropped(written.wall), Ok(()));
    assert_eq!(dropped(written.wall.saturating_sub(Duration::from_mins(5))), Err(DroppedRow::Timeless));
    assert!(matches!(dropped(written.wall + Duration::from_hours(1)), Err(DroppedRow::Outdated(_))));
    assert!(dropped(Duration::MAX).is_err());
    assert!(dropped(Duration::ZERO).is_err());
}

#[tokio::test]
async fn what_cannot_be_read_is_put_aside_and_learning_starts_afresh() {
    let whole =
        LearnedFile::of(&estimates(&config(CONFIG)), &PoolNames::new(&config(CONFIG).pools), Moment::now()).text();
    let other_version = whole.replace("\"version\": 1", "\"version\": 2");
    let other_rate = whole.replace("180/min", "0/min");
    for text in [&whole[..40], "", "\0\u{1}", "[server]\nlisten = \"127.0.0.1:0\"\n", "{}", &other_version, &other_rate]
    {
        let scene = Scene::new();
        fs::write(&scene.path, text).expect("a file");
        let (log, logged) = log();
        assert_eq!(scene.known_after_restart(&scene.config), [], "after {text:?}");
        drop(log);
        assert_eq!(scene.names(), ["learned.json.unread"]);
        assert_eq!(fs::read_to_string(scene.path.with_extension("json.unread")).expect("a file"), text);
        assert!(logged.text().contains("learning starts afresh"), "{}", logged.text());
    }
    let read = LearnedFile::read(&other_version);
    assert!(matches!(read, Err(UnreadFile::Version(2))), "{read:?}");
}

#[tokio::test]
async fn a_file_that_could_never_be_written_is_an_error_at_once_that_says_the_mend() {
    let scene = Scene::new();
    fs::write(scene.folder.path().join("file"), "").expect("a file");
    for (path, mend) in
        [("nowhere/learned.json", "make the folder"), ("file/learned.json", "let the gate write"), ("", "no file")]
    {
        let path = scene.folder.path().join(path);
        let error = Store::open(&path, &scene.config.pools).expect_err("no place for a file").to_string();
        assert!(error.contains(mend) && error.contains(path.to_str().expect("a text")), "{error}");
    }
    assert_eq!(scene.names(), ["file"]);
}

#[tokio::test]
async fn opening_leaves_alone_what_is_there() {
    let scene = Scene::new();
    fs::write(&scene.path, "old").expect("a file");
    scene.store();
    assert_eq!(fs::read_to_string(&scene.path).expect("a file"), "old");
    assert_eq!(scene.names(), ["learned.json"]);
}

#[tokio::test]
async fn whoever_reads_while_it_is_written_finds_a_whole_one() {
    let scene = Scene::new();
    let file = scene.store().file;
    let texts = ["a", "b"].map(|letter| letter.repeat(200_000));
    file.write(&texts[0]).expect("it is written");
    let writes = std::thread::spawn({
        let (file, texts) = (file.clone(), texts.clone());
        move || (1..50).for_each(|nth| file.write(&texts[nth % 2]).expect("it is written"))
    });
    while !writes.is_finished() {
        let text = file.read().expect("it is there").expect("it is there");
        assert!(texts.contains(&text), "{} bytes", text.len());
    }
    writes.join().expect("it is written");
}

#[tokio::test]
async fn it_is_warned_once_until_it_can_be_written_again() {
    let scene = Scene::new();
    let mut store = scene.store();
    fs::remove_dir(scene.folder.path()).expect("an empty folder");
    let (_log, logged) = log();
    for _ in 0..3 {
        store.save(&scene.admission).await;
    }
    fs::create_dir(scene.folder.path()).expect("a folder");
    for _ in 0..2 {
        store.written.clear();
        store.save(&scene.admission).await;
    }
    let text = logged.text();
    assert_eq!((text.matches("cannot be written").count(), text.matches("is written again").count()), (1, 1), "{text}");
    assert_eq!(scene.known_after_restart(&scene.config).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn it_is_written_when_something_has_been_learned_and_at_the_end() {
    let scene = Scene::new();
    let (again, stopped) = (admission(&scene.config), CancellationToken::new());
    let keeping = tokio::spawn(scene.store().keep(again.clone(), stopped.clone()));
    tokio::time::sleep(EVERY * 2 + EVERY / 2).await;
    assert_eq!(scene.names(), [""; 0], "nothing has been learned");
    let [lower, told, _] = estimates(&scene.config);
    again.recall(&lower).expect("it holds");
    tokio::time::sleep(EVERY).await;
    let first = fs::read_to_string(&scene.path).expect("a file");
    assert!(first.contains("posts") && !first.contains("chat"), "{first}");
    fs::remove_file(&scene.path).expect("a file");
    tokio::time::sleep(EVERY * 2).await;
    assert_eq!(scene.names(), [""; 0], "nothing has changed");
    again.recall(&told).expect("it holds");
    stopped.cancel();
    keeping.await.expect("it ends");
    let last = fs::read_to_string(&scene.path).expect("a file");
    assert!(last.contains("posts") && last.contains("chat"), "{last}");
}
