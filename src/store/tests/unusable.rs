//! Files that are not what a gate writes, and places where it cannot write.

use std::fs;
use std::os::unix::fs::symlink;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::scene::{CONFIG, Scene, config, log};
use crate::store::Store;
use crate::store::file::{StoreFile, UnreadFile};
use crate::store::page::StateFile;

#[tokio::test]
async fn what_cannot_be_read_is_put_aside_and_the_gate_starts_without() {
    let whole = {
        let scene = Scene::new();
        scene.save().await;
        fs::read_to_string(&scene.path).expect("a file")
    };
    let other_version = whole.replace("\"version\":2", "\"version\":3");
    let other_rate = whole.replace("180/min", "0/min");
    for text in [&whole[..40], "", "\0\u{1}", "[server]\nlisten = \"127.0.0.1:0\"\n", "{}", &other_version, &other_rate]
    {
        let scene = Scene::new();
        fs::write(&scene.path, text).expect("a file");
        let (log, logged) = log();
        assert_eq!(scene.known_after_restart(&scene.config), [], "after {text:?}");
        drop(log);
        assert_eq!(scene.names(), ["state.json.unread"]);
        assert_eq!(fs::read_to_string(scene.path.with_extension("json.unread")).expect("a file"), text);
        assert!(logged.text().contains("starts without it"), "{}", logged.text());
    }
    let read = StateFile::read(&other_version);
    assert!(matches!(read, Err(UnreadFile::Version(3))), "{read:?}");
}

#[tokio::test]
async fn file_that_could_never_be_written_is_an_error_with_its_mend() {
    let scene = Scene::new();
    fs::write(scene.folder.path().join("file"), "").expect("a file");
    for (path, mend) in
        [("nowhere/state.json", "make the folder"), ("file/state.json", "let the gate write"), ("", "no file")]
    {
        let path = scene.folder.path().join(path);
        let error = Store::open(&path, &scene.config).expect_err("no place for a file").to_string();
        assert!(error.contains(mend) && error.contains(path.to_str().expect("a text")), "{error}");
    }
    assert_eq!(scene.names(), ["file"]);
}

#[tokio::test]
async fn second_gate_is_told_who_has_the_file() {
    let scene = Scene::new();
    let first = scene.store();
    let error = Store::open(&scene.path, &config(CONFIG)).expect_err("it is taken").to_string();
    let owner = format!("the gate with process id {}, for 127.0.0.1:4290,", std::process::id());
    assert!(error.contains(&owner) && error.contains("a path of its own"), "{error}");
    drop(first);
    scene.store();
}

/// Opening one for reading would wait for a writer, and the start with it.
#[tokio::test]
async fn named_pipe_is_refused_at_once() {
    for name in ["state.json", "state.json.lock"] {
        let scene = Scene::new();
        let path = scene.folder.path().join(name);
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
        let error = Store::open(&scene.path, &scene.config).expect_err("a pipe").to_string();
        assert!(error.contains("no file") || error.contains("no plain file"), "{error}");
    }
    // One where the gate writes what it sends makes way.
    let scene = Scene::new();
    let path = scene.folder.path().join("state.json.sent-b");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
    let mut store = scene.store();
    store.begin(&scene.admission, false);
    assert!(fs::symlink_metadata(&path).expect("a journal").is_file());
}

#[tokio::test]
async fn links_are_not_written_through() {
    for name in ["state.json.new", "state.json.lock", "state.json.sent-a", "state.json.sent-b", "state.json"] {
        let scene = Scene::new();
        let precious = scene.folder.path().join("precious");
        fs::write(&precious, "precious").expect("a file");
        symlink(&precious, scene.folder.path().join(name)).expect("a link");
        if let Ok(mut store) = Store::open(&scene.path, &scene.config) {
            store.begin(&scene.admission, false);
            scene.send("posts", "", 1);
            store.save(&scene.admission, false).await;
            store.save(&scene.admission, true).await;
        }
        assert_eq!(fs::read_to_string(&precious).expect("a file"), "precious", "behind {name}");
    }
}

#[tokio::test]
async fn opening_leaves_alone_what_is_there() {
    let scene = Scene::new();
    fs::write(&scene.path, "old").expect("a file");
    scene.store();
    assert_eq!(fs::read_to_string(&scene.path).expect("a file"), "old");
    assert_eq!(scene.names(), ["state.json"]);
}

#[test]
fn reader_finds_a_whole_text_while_it_is_written() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let file = StoreFile::open(&folder.path().join("state.json")).expect("it can be written");
    let texts = ["a", "b"].map(|letter| letter.repeat(200_000));
    file.write(&texts[0], false).expect("it is written");
    let writes = std::thread::spawn({
        let (file, texts) = (file.clone(), texts.clone());
        move || (1..50).for_each(|nth| file.write(&texts[nth % 2], false).expect("it is written"))
    });
    while !writes.is_finished() {
        let text = file.read().expect("it is there").expect("it is there");
        assert!(texts.contains(&text), "{} bytes", text.len());
    }
    writes.join().expect("it is written");
}
