//! A changed configuration takes over while the gate runs.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::comes;
use super::serving::Running;

const POST: &str = "POST /v1/threads HTTP/1.1\r\nHost: o\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";

/// A gate with a pool of this many requests in two hours, before an upstream that takes them all.
struct Scene {
    folder: TempDir,
    gate: Running,
    _mock: Running,
}

impl Scene {
    fn new(limit: u32, watch: bool) -> Self {
        let folder = TempDir::new().expect("a folder");
        let mock = Running::start(&["mock", "--listen", "127.0.0.1:0"], 1);
        write(&folder.path().join("tidegate.toml"), limit, watch, "");
        let gate = Running::gate_with(mock.said_address("listening on"), &path_text(&folder));
        Self { folder, gate, _mock: mock }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("tidegate.toml")
    }

    /// Sends until the gate refuses; says how many went.
    fn send(&self) -> usize {
        (0..1_000).take_while(|_| answer(self.gate.ask(POST)).starts_with("HTTP/1.1 200")).count()
    }

    fn admin(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.gate.said_address("admin on")).expect("it listens");
        stream
            .write_all(
                format!("{request} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    .as_bytes(),
            )
            .expect("it is sent");
        answer(stream)
    }

    fn status(&self) -> Value {
        let said = self.admin("GET /status");
        serde_json::from_str(said.split_once("\r\n\r\n").expect("an answer").1).expect("JSON")
    }
}

fn path_text(folder: &TempDir) -> String {
    folder.path().join("tidegate.toml").to_str().expect("a text").to_owned()
}

/// A file that has this pool, and more.
fn write(path: &Path, limit: u32, watch: bool, more: &str) {
    let text = format!(
        "extends = \"none\"\n[server]\nwatch = {watch}\n[store]\npath = \"off\"\n[pools.posts]\nrequests = [\"{limit}/2h\"]\n\
         [[routes]]\nmatch = \"POST /v1/threads\"\npools = [\"posts\"]\n{more}"
    );
    fs::write(path, text).expect("a file");
}

fn answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn raised_and_lowered_limits_hold_with_what_was_sent() {
    let mut scene = Scene::new(10, false);
    assert_eq!(scene.send(), 10);
    write(&scene.file(), 25, false, "");
    scene.gate.signal_with("-HUP");
    scene.gate.logs("[pools.posts] limits: 10/2h -> 25/2h");
    assert_eq!(scene.send(), 15);
    write(&scene.file(), 20, false, "");
    let said = scene.admin("PUT /config/reload");
    assert!(said.starts_with("HTTP/1.1 200") && said.ends_with("[pools.posts] limits: 25/2h -> 20/2h\n"), "{said}");
    assert_eq!(scene.send(), 0);
    let refused = answer(scene.gate.ask(POST));
    assert!(refused.contains("pool 'posts' (20/2h)"), "{refused}");
    let status = scene.status();
    assert_eq!((&status["reload"]["generation"], &status["reload"]["refused"]), (&3.into(), &Value::Null));
    assert_eq!(status["pools"][0]["limits"][0]["limit"], "20/2h", "{}", status["pools"][0]);
}

#[test]
fn wrong_or_fixed_changes_are_refused_and_the_old_ones_go_on() {
    let scene = Scene::new(10, false);
    let route = "[pools.other]\nrequests = [\"1/s\"]\n[[routes]]\nmatch = \"POST /v1/other\"\npools = [\"other\"]\n";
    for (limit, more, why) in [
        (5, "[nonsense]\n", "unknown key `nonsense`"),
        (
            5,
            "[queue]\nmax_bytes = \"1MiB\"\n",
            "it changes [queue] max_bytes, max_in_flight or ageing, for which the gate must be",
        ),
        (5, route, "it changes which pools there are, or what keys they have, for which"),
    ] {
        write(&scene.file(), limit, false, more);
        let said = scene.admin("PUT /config/reload");
        assert!(said.starts_with("HTTP/1.1 422") && said.contains(why), "{said}");
        let reload = &scene.status()["reload"];
        assert_eq!(reload["generation"], 1);
        assert!(reload["refused"]["why"].as_str().is_some_and(|said| said.contains(why)), "{reload}");
    }
    write(&scene.file(), 10, false, "");
    let said = scene.admin("PUT /config/reload");
    assert!(said.ends_with("nothing has changed\n"), "{said}");
    assert_eq!(scene.status()["reload"]["refused"], Value::Null);
    assert_eq!(scene.send(), 10);
}

/// The same limits, and with a route that takes from the pool as well.
#[test]
fn added_route_takes_from_its_pool_at_once() {
    const OTHER: &str = "POST /v1/other HTTP/1.1\r\nHost: o\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";
    let mut scene = Scene::new(3, false);
    assert!(answer(scene.gate.ask(OTHER)).contains("x-tidegate-route: default"));
    write(
        &scene.file(),
        3,
        false,
        "[[routes]]\nmatch = \"POST /v1/other\"\npools = [\"posts\"]\n[clients]\nquota = \"9/h\"\n",
    );
    scene.gate.signal_with("-HUP");
    scene.gate.logs("[clients] is changed; POST /v1/other is new");
    let came = answer(scene.gate.ask(OTHER));
    assert!(came.contains("x-tidegate-route: POST /v1/other") && came.contains("x-tidegate-pools: posts"), "{came}");
    assert_eq!(scene.send(), 2);
    write(&scene.file(), 3, false, "[[routes]]\nmatch = \"POST /v1/third\"\npools = [\"posts\"]\n");
    assert!(scene.admin("PUT /config/reload").contains("POST /v1/other is removed\nPOST /v1/third is new\n"));
    assert!(answer(scene.gate.ask(OTHER)).contains("x-tidegate-route: default"));
    let status = scene.status();
    let requests = |route: &str| {
        let routes = status["routes"].as_array().expect("routes").iter();
        routes.filter(|one| one["route"] == route).map(|one| one["requests"].clone()).collect::<Vec<_>>()
    };
    assert_eq!((requests("POST /v1/other"), requests("default")), (vec![1.into()], vec![2.into()]), "{status}");
}

/// As Kubernetes does it: the file is a link into a folder that is a link itself, and the latter is swapped.
#[test]
fn file_that_is_swapped_by_a_link_is_seen() {
    let mut scene = Scene::new(10, true);
    let folder = scene.folder.path().to_owned();
    for (name, limit) in [("v1", 11), ("v2", 12)] {
        fs::create_dir(folder.join(name)).expect("a folder");
        write(&folder.join(name).join("tidegate.toml"), limit, true, "");
    }
    symlink("v1", folder.join("data")).expect("a link");
    symlink("data/tidegate.toml", folder.join("new")).expect("a link");
    fs::rename(folder.join("new"), scene.file()).expect("it is replaced");
    scene.gate.logs("[pools.posts] limits: 10/2h -> 11/2h");
    symlink("v2", folder.join("swap")).expect("a link");
    fs::rename(folder.join("swap"), folder.join("data")).expect("it is swapped");
    scene.gate.logs("[pools.posts] limits: 11/2h -> 12/2h");
    assert_eq!(scene.send(), 12);
}

/// A request that waits keeps its connection and its place, and goes as soon as the new limit has room.
#[test]
fn waiting_request_goes_when_the_limit_is_raised() {
    let scene = Scene::new(1, false);
    let patient = "max_wait = \"3h\"\n";
    let text = fs::read_to_string(scene.file()).expect("a file").replace("[[routes]]", &format!("{patient}[[routes]]"));
    fs::write(scene.file(), &text).expect("a file");
    let said = scene.admin("PUT /config/reload");
    assert!(said.contains("max_wait: 2m -> 3h"), "{said}");
    assert!(answer(scene.gate.ask(POST)).starts_with("HTTP/1.1 200"));
    let waiting = scene.gate.ask(POST);
    comes(|| scene.status()["waiting"].clone(), |waiting| *waiting == 1);
    fs::write(scene.file(), text.replace("1/2h", "2/2h")).expect("a file");
    assert!(scene.admin("PUT /config/reload").starts_with("HTTP/1.1 200"));
    assert!(answer(waiting).starts_with("HTTP/1.1 200"));
}
