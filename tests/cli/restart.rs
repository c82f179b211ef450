//! What is learned of the upstream's limits is known again after a restart.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::serving::Running;
use super::{Ended, tidegate};

/// An upstream that takes three fifths of what is configured, and a folder for the gates before it.
struct Scene {
    folder: TempDir,
    mock: Running,
}

impl Scene {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let config = configured(folder.path(), &folder.path().join("learned.json"));
        let mock = ["mock", "--listen", "127.0.0.1:0", "--scale", "0.6", "--config", &config];
        Self { mock: Running::start(&mock, 1), folder }
    }

    fn gate(&self) -> Running {
        let config = configured(self.folder.path(), &self.folder.path().join("learned.json"));
        let upstream = format!("http://{}", self.mock.said_address("listening on"));
        let address = "127.0.0.1:0";
        let arguments =
            ["serve", "--listen", address, "--admin", address, "--upstream", &upstream, "--config", &config];
        Running::start(&arguments, 2)
    }

    /// How many requests the upstream has taken, and how many it has refused.
    fn counted(&self) -> [u64; 2] {
        let stats = answer(self.mock.ask("GET /__mock/stats HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n"));
        let (_, body) = stats.split_once("\r\n\r\n").expect("an answer");
        let stats: Value = serde_json::from_str(body).expect("JSON");
        ["admitted", "denied"].map(|count| stats[count].as_u64().expect("a count"))
    }

    /// The upstream's windows are over, and its counts begin anew.
    fn reset(&self) {
        let reset = "POST /__mock/reset HTTP/1.1\r\nHost: o\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        let said = answer(self.mock.ask(reset));
        assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    }
}

/// A configuration in this folder that keeps what is learned in that file.
fn configured(folder: &Path, learned_file: &Path) -> String {
    let path: PathBuf = folder.join("tidegate.toml");
    let upstream = format!("extends = \"none\"\n[upstream]\nlearned_file = \"{}\"\n", learned_file.display());
    let pool = "[pools.posts]\nrequests = [\"30/2h\"]\n";
    let route = "[[routes]]\nmatch = \"POST /v1/threads\"\npools = [\"posts\"]\n";
    fs::write(&path, [&upstream, pool, route].concat()).expect("a file");
    path.to_str().expect("a text").to_owned()
}

fn answer(mut stream: std::net::TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// Sends so many, one after the other: the last is answered with this.
fn send(gate: &Running, count: usize) -> String {
    let post = "POST /v1/threads HTTP/1.1\r\nHost: o\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";
    (0..count).fold(String::new(), |_, _| answer(gate.ask(post)))
}

/// The windows are hours, so that it does not matter how long any of this takes.
#[test]
fn a_hidden_limit_is_kept_to_at_once_after_a_restart() {
    let scene = Scene::new();
    let mut gate = scene.gate();
    let last = send(&gate, 19);
    assert!(last.starts_with("HTTP/1.1 429") && last.contains("x-tidegate-source: upstream\r\n"), "{last}");
    assert_eq!(scene.counted(), [18, 1]);
    gate.signal();
    assert_eq!(gate.ended(), Some(0));
    let kept = fs::read_to_string(scene.folder.path().join("learned.json")).expect("a file");
    assert!(kept.contains(r#""limit": "18/2h""#), "{kept}");
    scene.reset();
    let gate = scene.gate();
    let last = send(&gate, 19);
    assert!(last.starts_with("HTTP/1.1 429") && last.contains("x-tidegate-source: tidegate\r\n"), "{last}");
    let [taken, refused] = scene.counted();
    assert!((1..=18).contains(&taken) && refused == 0, "{taken} were taken, and {refused} refused");
}

#[test]
fn a_gate_that_could_never_keep_anything_does_not_start() {
    let folder = TempDir::new().expect("a folder");
    let config = configured(folder.path(), Path::new("/nowhere/at/all/learned.json"));
    let Ended { complained, code, .. } = tidegate(&["serve", "--listen", "127.0.0.1:0", "--config", &config], &[]);
    assert_eq!(code, Some(78), "{complained}");
    assert!(complained.contains("make the folder /nowhere/at/all, or take learned_file out"), "{complained}");
}
