//! What the program tells of requests, and how that changes while it runs.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::serving::Running;
use super::{Ended, comes, tidegate};

/// A gate before a stand-in, with this in its `[log]`.
struct Scene {
    gate: Running,
    _mock: Running,
    folder: TempDir,
}

impl Scene {
    fn new(log: &str) -> Self {
        let (folder, mock) = (TempDir::new().expect("a folder"), mock());
        let log = log.replace("FOLDER", &folder.path().display().to_string());
        let config = configured(folder.path(), &log);
        Self { gate: Running::gate_with(mock.said_address("listening on"), &config), _mock: mock, folder }
    }

    fn pass(&self) {
        answer(self.gate.said_address("listening on"), "GET /v1/models", "", "");
    }

    fn log(&self, method: &str, headers: &str, body: &str) -> String {
        answer(self.gate.said_address("admin on"), &format!("{method} /log"), headers, body)
    }

    /// What is in a file of the folder, once there is so much.
    fn read(&self, file: &str, lines: usize) -> String {
        let file = self.folder.path().join(file);
        comes(|| fs::read_to_string(&file).unwrap_or_default(), |text| text.lines().count() >= lines)
    }
}

fn mock() -> Running {
    Running::start(&["mock", "--listen", "127.0.0.1:0"], 1)
}

fn configured(folder: &Path, log: &str) -> String {
    let path = folder.join("tidegate.toml");
    fs::write(&path, format!("[log]\n{log}\n")).expect("a file");
    path.to_str().expect("a text").to_owned()
}

fn answer(address: SocketAddr, request: &str, headers: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let length = body.len();
    let head = format!("{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n");
    stream.write_all(format!("{head}{headers}\r\n{body}").as_bytes()).expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn the_log_tells_more_once_it_is_told_to_and_less_again() {
    let mut scene = Scene::new("");
    let plainly = |answer: String| answer.split_once("\r\n\r\n").expect("an answer").1.to_owned();
    assert_eq!(plainly(scene.log("GET", "", "")), "info\n");
    scene.pass();
    let told = scene.log("PUT", "", "tidegate=debug");
    assert!(told.starts_with("HTTP/1.1 200") && told.ends_with("tidegate=debug\n"), "{told}");
    scene.pass();
    // Of the two that passed, one was told of.
    assert_eq!(scene.gate.logs_until("passed").matches("passed").count(), 1);
    assert_eq!(plainly(scene.log("PUT", "", "warn")), "warn\n");
    assert_eq!(plainly(scene.log("GET", "", "")), "warn\n");
}

#[test]
fn a_filter_that_makes_no_sense_is_refused_with_a_reason_and_the_old_one_holds() {
    let scene = Scene::new("");
    for wrong in ["", "tidegate=loud", "["] {
        let told = scene.log("PUT", "", wrong);
        assert!(told.starts_with("HTTP/1.1 400") && told.contains("write a level, as in \"info\""), "{wrong}: {told}");
    }
    assert!(scene.log("GET", "", "").ends_with("\r\n\r\ninfo\n"));
}

#[test]
fn no_page_of_another_site_changes_the_log() {
    let scene = Scene::new("");
    for headers in ["Sec-Fetch-Site: cross-site\r\n", "Sec-Fetch-Site: same-site\r\n", "Origin: http://example.com\r\n"]
    {
        let told = scene.log("PUT", headers, "trace");
        assert!(told.starts_with("HTTP/1.1 403"), "{headers}: {told}");
    }
    assert!(scene.log("GET", "", "").ends_with("\r\n\r\ninfo\n"));
    let own = format!("Origin: http://{}\r\nSec-Fetch-Site: same-origin\r\n", scene.gate.said_address("admin on"));
    assert!(scene.log("PUT", &own, "debug").starts_with("HTTP/1.1 200"));
}

#[test]
fn no_page_of_another_site_reads_the_admin_port() {
    let scene = Scene::new("");
    let admin = scene.gate.said_address("admin on");
    let rebound = |path: &str, host: &str, headers: &str| {
        let mut stream = TcpStream::connect(admin).expect("it listens");
        let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).expect("it is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    };
    for path in
        ["/", "/status", "/status/schema.json", "/history", "/events", "/explain", "/metrics", "/log", "/nowhere"]
    {
        let page = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Dest: image\r\n";
        for (host, headers) in [("evil.example:4291", ""), (&*admin.to_string(), page)] {
            let told = rebound(path, host, headers);
            assert!(told.starts_with("HTTP/1.1 403") && told.contains("allowed_hosts"), "{path}: {told}");
        }
    }
    for path in ["/healthz", "/readyz"] {
        assert!(rebound(path, "gate.lan", "").starts_with("HTTP/1.1 200"), "{path}");
    }
    let told = rebound("/status", "localhost:1", "Sec-Fetch-Site: same-origin\r\n");
    let isolated = "cross-origin-resource-policy: same-origin\r\n";
    assert!(told.starts_with("HTTP/1.1 200") && told.contains(isolated) && told.contains("nosniff"), "{told}");
    let link = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Dest: document\r\n";
    assert!(rebound("/", "127.0.0.1:4291", link).starts_with("HTTP/1.1 200"));
}

#[test]
fn a_file_that_was_moved_away_is_opened_anew_on_a_hangup_and_all_is_written_before_the_end() {
    let mut scene = Scene::new("access = \"json\"\naccess_file = \"FOLDER/access\"");
    scene.pass();
    scene.read("access", 1);
    fs::rename(scene.folder.path().join("access"), scene.folder.path().join("access.1")).expect("is moved");
    scene.gate.signal_with("-HUP");
    scene.gate.logs("opened anew");
    scene.pass();
    assert_eq!(scene.read("access", 1).lines().count(), 1);
    scene.pass();
    scene.gate.signal();
    assert_eq!(scene.gate.ended(), Some(0));
    assert_eq!((scene.read("access", 2).lines().count(), scene.read("access.1", 1).lines().count()), (2, 1));
}

#[test]
fn where_no_file_is_named_a_line_for_each_request_goes_to_standard_output() {
    let (folder, mock) = (TempDir::new().expect("a folder"), mock());
    let config = configured(folder.path(), "access = \"text\"");
    let upstream = format!("http://{}", mock.said_address("listening on"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    let command = command.env_clear().args(["serve", "--listen", "127.0.0.1:0", "--admin", "off"]);
    let command = command.args(["--config", &config, "--upstream", &upstream]);
    let mut gate = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    let mut said = BufReader::new(gate.stdout.take().expect("its output")).lines();
    let mut next = || said.next().expect("a line").expect("a text");
    let address = next().rsplit('/').next().expect("an address").parse().expect("an address");
    answer(address, "GET /v1/models", "", "");
    let line = next();
    gate.kill().expect("it runs");
    gate.wait().expect("it ends");
    assert!(line.contains(" 200 GET \"default\" passed total_ms="), "{line}");
}

#[test]
fn a_file_that_cannot_be_written_ends_the_gate_with_78() {
    let folder = TempDir::new().expect("a folder");
    let config = configured(folder.path(), "access = \"json\"\naccess_file = \"no/such/folder/access\"");
    let Ended { complained, code, .. } = tidegate(&["serve", "--listen", "127.0.0.1:0", "--config", &config], &[]);
    assert_eq!(code, Some(78), "{complained}");
    assert!(complained.contains("log.access_file no/such/folder/access cannot be written"), "{complained}");
}

#[test]
fn the_environment_says_where_traces_go_as_opentelemetry_has_it() {
    let all = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
    let traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://other/take");
    for (environment, to) in [
        (&[all][..], "traces    to http://collector:4318/v1/traces\n"),
        (&[all, traces], "traces    to https://other/take\n"),
    ] {
        let said = tidegate(&["check"], environment).said;
        assert!(said.contains(to), "{said}");
    }
    assert!(!tidegate(&["check"], &[]).said.contains("traces"));
    let Ended { complained, code, .. } = tidegate(&["check"], &[("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318")]);
    assert!(code == Some(2) && complained.contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{complained}");
}

#[test]
fn what_was_logged_is_simulated_as_it_came() {
    let scene = Scene::new("access = \"json\"\naccess_file = \"FOLDER/access.jsonl\"");
    (0..3).for_each(|_| scene.pass());
    scene.read("access.jsonl", 3);
    let log = scene.folder.path().join("access.jsonl").display().to_string();
    let Ended { said, complained, code } = tidegate(&["simulate", &log, "--json"], &[]);
    assert_eq!(code, Some(0), "{complained}");
    let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    let report = &said["reports"][0];
    assert_eq!((&report["whole"]["served"], &report["routes"][0]["name"]), (&3.into(), &"default".into()), "{report}");
}
