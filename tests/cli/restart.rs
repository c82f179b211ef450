//! What is learned of the upstream's limits, and what is used of them, is known again after a restart.
//!
//! The windows are hours, so that it does not matter how long any of this takes.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

use super::serving::Running;
use super::{Ended, comes, tidegate};

/// An upstream, and a folder for the gates before it.
struct Scene {
    folder: TempDir,
    mock: Running,
    limit: u32,
}

impl Scene {
    /// An upstream that takes this part of what is configured.
    fn new(limit: u32, scale: &str) -> Self {
        let folder = TempDir::new().expect("a folder");
        let config = configured(folder.path(), &folder.path().join("state.json"), limit, "empty");
        let mock = ["mock", "--listen", "127.0.0.1:0", "--window", "sliding", "--scale", scale, "--config", &config];
        Self { mock: Running::start(&mock, 1), folder, limit }
    }

    fn gate(&self) -> Running {
        self.gate_that_starts("empty")
    }

    /// A gate that begins like this where it finds no file.
    fn gate_that_starts(&self, cold: &str) -> Running {
        let config = configured(self.folder.path(), &self.state(), self.limit, cold);
        let upstream = format!("http://{}", self.mock.said_address("listening on"));
        let address = "127.0.0.1:0";
        let arguments =
            ["serve", "--listen", address, "--admin", address, "--upstream", &upstream, "--config", &config];
        Running::start(&arguments, 2)
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state.json")
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

/// A configuration in this folder that keeps the state in that file.
fn configured(folder: &Path, state: &Path, limit: u32, cold: &str) -> String {
    let path: PathBuf = folder.join("tidegate.toml");
    let store = format!("extends = \"none\"\n[store]\npath = \"{}\"\ncold = \"{cold}\"\n", state.display());
    let pool = format!("[pools.posts]\nrequests = [\"{limit}/2h\"]\n");
    let route = "[[routes]]\nmatch = \"POST /v1/threads\"\npools = [\"posts\"]\n";
    fs::write(&path, [&store, &*pool, route].concat()).expect("a file");
    path.to_str().expect("a text").to_owned()
}

fn answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

const POST: &str = "POST /v1/threads HTTP/1.1\r\nHost: o\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";

/// Sends so many, one after the other: the last is answered with this.
fn send(gate: &Running, count: usize) -> String {
    (0..count).fold(String::new(), |_, _| answer(gate.ask(POST)))
}

/// Sends one after the other until the gate refuses, or is gone.
fn burst(gate: SocketAddr) {
    let ask = || -> io::Result<String> {
        let (mut stream, mut answer) = (TcpStream::connect(gate)?, String::new());
        stream.write_all(POST.as_bytes())?;
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    while ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {}
}

#[track_caller]
fn refused_by_the_gate(answer: &str) {
    assert!(answer.starts_with("HTTP/1.1 429") && answer.contains("x-tidegate-source: tidegate\r\n"), "{answer}");
}

#[test]
fn a_hidden_limit_is_kept_to_at_once_after_a_restart() {
    let scene = Scene::new(30, "0.6");
    let mut gate = scene.gate();
    let last = send(&gate, 19);
    assert!(last.starts_with("HTTP/1.1 429") && last.contains("x-tidegate-source: upstream\r\n"), "{last}");
    assert_eq!(scene.counted(), [18, 1]);
    gate.signal();
    assert_eq!(gate.ended(), Some(0));
    let kept = fs::read_to_string(scene.state()).expect("a file");
    assert!(kept.contains(r#""limit":"18/2h""#), "{kept}");
    scene.reset();
    let gate = scene.gate();
    refused_by_the_gate(&send(&gate, 19));
    assert_eq!(scene.counted(), [0, 0], "the window holds what the first gate has sent");
}

/// Eight clients send as fast as they can. Whatever the gate has handed to the upstream, the next gate knows. `make restarts` does
/// it fifty times.
#[test]
fn gate_killed_in_a_burst_never_sends_more_than_the_limit() {
    let rounds: u32 = std::env::var("RESTARTS").map_or(6, |count| count.parse().expect("a number"));
    let limit = 200 * rounds;
    let scene = Scene::new(limit, "1");
    for _ in 0..rounds {
        let [before, _] = scene.counted();
        let mut gate = scene.gate();
        let address = gate.said_address("listening on");
        let clients: Vec<_> = (0..8).map(|_| thread::spawn(move || burst(address))).collect();
        comes(|| scene.counted(), |[taken, _]| *taken >= (before + 40).min(limit.into()));
        gate.signal_with("-KILL");
        gate.ended();
        clients.into_iter().for_each(|client| client.join().expect("no panic"));
    }
    let gate = scene.gate();
    burst(gate.said_address("listening on"));
    refused_by_the_gate(&send(&gate, 1));
    let [taken, refused] = scene.counted();
    // Each kill may lose what was written down and did not go any more, one for each client.
    let least = u64::from(limit - 8 * rounds);
    assert!((least..=limit.into()).contains(&taken) && refused == 0, "{taken} were taken, and {refused} refused");
}

/// Without its file a gate that starts full sends nothing into a full window, and one that starts empty does.
#[test]
fn cold_start_is_full_or_empty_as_configured() {
    let scene = Scene::new(30, "1");
    let mut gate = scene.gate();
    send(&gate, 30);
    for (cold, counted) in [("full", [30, 0]), ("empty", [30, 1])] {
        gate.signal_with("-KILL");
        gate.ended();
        fs::remove_file(scene.state()).expect("a file");
        gate = scene.gate_that_starts(cold);
        let last = send(&gate, 1);
        assert_eq!((last.starts_with("HTTP/1.1 429"), scene.counted()), (true, counted), "{cold}: {last}");
    }
}

#[test]
fn second_gate_with_the_same_file_says_who_has_it() {
    let scene = Scene::new(30, "1");
    let gate = scene.gate();
    let config = configured(scene.folder.path(), &scene.state(), 30, "empty");
    let Ended { complained, code, .. } = tidegate(&["serve", "--listen", "127.0.0.1:0", "--config", &config], &[]);
    assert_eq!(code, Some(78), "{complained}");
    assert!(complained.contains(&format!("the gate with process id {}, ", gate.id())), "{complained}");
}

#[test]
fn a_gate_that_could_never_keep_anything_does_not_start() {
    let folder = TempDir::new().expect("a folder");
    let config = configured(folder.path(), Path::new("/nowhere/at/all/state.json"), 30, "empty");
    let Ended { complained, code, .. } = tidegate(&["serve", "--listen", "127.0.0.1:0", "--config", &config], &[]);
    assert_eq!(code, Some(78), "{complained}");
    assert!(complained.contains("make the folder /nowhere/at/all, or write path = \"off\""), "{complained}");
}
