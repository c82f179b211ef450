//! Commands whose output nobody reads: a pipe into `head`, a log shipper that has died. None of them panics; what prints
//! ends well, and what serves goes on.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use super::serving::Running;
use super::{DEFAULT, tidegate};

/// A writing end whose reading end is gone.
fn unread() -> Stdio {
    let (_, writer) = io::pipe().expect("a pipe");
    writer.into()
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.env_clear().env("TIDEGATE_CONFIG", DEFAULT).args(arguments).stdin(Stdio::null());
    command
}

/// A minute of one worker.
const SCENARIO: &str = "duration = \"1m\"\n[[streams]]\nrequest = \"POST /v1/threads\"\nworkers = 1\npause = \"20s\"\n";

/// Every command that ends by itself, with the code that it ends with. It takes the admin address of a gate, and a scenario.
fn commands<'a>(admin: &'a str, scenario: &'a str) -> Vec<(Vec<&'a str>, i32)> {
    let commands: [(&[&str], i32); 32] = [
        (&["--help"], 0),
        (&["--version"], 0),
        (&["help"], 0),
        (&[], 2),
        (&["no-such-command"], 2),
        (&["init"], 0),
        (&["init", "--help"], 0),
        (&["completions", "bash"], 0),
        (&["completions", "elvish"], 0),
        (&["completions", "fish"], 0),
        (&["completions", "powershell"], 0),
        (&["completions", "zsh"], 0),
        (&["check"], 0),
        (&["check", "--config", "no/such.toml"], 78),
        (&["check", "--config", "tests/config/invalid/several.toml"], 78),
        (&["check", "--upstream", "ftp://x"], 2),
        (&["explain", "POST", "/v1/threads", "--admin", "off"], 0),
        (&["explain", "POST", "/v1/threads", "--admin", "off", "--json"], 0),
        (&["simulate", scenario], 0),
        (&["simulate", scenario, "--json"], 0),
        (&["simulate", scenario, "--search", "workers", "--within", "0s"], 0),
        (&["simulate", "no/such.toml"], 2),
        (&["serve", "--config", "no/such.toml"], 78),
        (&["dev", "--config", "no/such.toml"], 78),
        (&["run", "--config", "no/such.toml", "--", "true"], 78),
        (&["mock", "--config", "no/such.toml"], 78),
        (&["demo", "--requests", "4"], 0),
        (&["top", "--once", "--admin", admin], 0),
        (&["top", "--admin", "127.0.0.1:1"], 1),
        (&["diagnose", "--admin", admin], 0),
        (&["diagnose", "--json", "--admin", admin], 0),
        (&["healthcheck", "--admin", admin], 0),
    ];
    commands.into_iter().map(|(arguments, code)| (arguments.to_vec(), code)).collect()
}

fn gate_of(mock: &Running) -> (Running, String) {
    let gate = Running::gate_with(mock.said_address("listening on"), DEFAULT);
    let admin = gate.said_address("admin on").to_string();
    (gate, admin)
}

fn scenario() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), SCENARIO).expect("is written");
    file
}

fn mock() -> Running {
    Running::start(&["mock", "--listen", "127.0.0.1:0"], 1)
}

#[test]
fn every_command_is_tried_unread() {
    let help = tidegate(&["--help"], &[]).said;
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // Others are continued there.
    let listed = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let listed: Vec<&str> = listed.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(listed.len() > 10, "{help}");
    let tried = commands("", "");
    let is_tried = |name: &str| tried.iter().any(|(arguments, _)| arguments.first() == Some(&name));
    let left: Vec<&&str> = listed.iter().filter(|name| !is_tried(name)).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn unread_output_ends_a_command_quietly() {
    let mock = mock();
    let ((_gate, admin), scenario) = (gate_of(&mock), scenario());
    for (arguments, code) in commands(&admin, scenario.path().to_str().expect("a path")) {
        let ended = command(&arguments).stdout(unread()).output().expect("it runs");
        let complained = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {complained}");
        assert_eq!(complained.is_empty(), code == 0, "{arguments:?}: {complained}");
    }
}

#[test]
fn unread_complaints_leave_the_exit_code() {
    let mock = mock();
    let ((_gate, admin), scenario) = (gate_of(&mock), scenario());
    for (arguments, code) in commands(&admin, scenario.path().to_str().expect("a path")) {
        let ended = command(&arguments).stderr(unread()).output().expect("it runs");
        assert_eq!(ended.status.code(), Some(code), "{arguments:?}");
        assert_eq!(ended.stdout.is_empty(), code != 0, "{arguments:?}");
        let ended = command(&arguments).stdout(unread()).stderr(unread()).status().expect("it runs");
        assert_eq!(ended.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn a_demo_ends_with_its_reader() {
    // A minute of an hour: it would never end by itself.
    let mut demo = command(&["demo", "--requests", "40", "--limit", "30", "--minute", "1h"]);
    let mut demo = demo.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut said = BufReader::new(demo.stdout.take().expect("its output"));
    said.read_line(&mut String::new()).expect("a line");
    drop(said);
    let ended = demo.wait_with_output().expect("it ends");
    assert_eq!((ended.status.code(), &*String::from_utf8_lossy(&ended.stderr)), (Some(0), ""));
}

/// A gate that logs every request on both of its outputs.
fn talkative(mock: &Running, folder: &tempfile::TempDir, output: Stdio, log: Stdio) -> Child {
    let config = folder.path().join("tidegate.toml");
    let text = "[server]\nlisten = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n[log]\naccess = \"text\"\n";
    std::fs::write(&config, text).expect("is written");
    let upstream = format!("http://{}", mock.said_address("listening on"));
    let config = config.to_str().expect("a path");
    let mut gate = command(&["serve", "--config", config, "--upstream", &upstream, "--log", "tidegate=debug"]);
    gate.stdout(output).stderr(log).spawn().expect("it starts")
}

fn ask(address: &str) {
    let mut stream = std::net::TcpStream::connect(address).expect("it listens");
    let request = "GET /v1/models HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

fn terminate(child: &Child) {
    let kill = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(kill.expect("kill runs").success());
}

#[test]
fn a_gate_goes_on_when_its_log_is_unread() {
    let (mock, folder) = (mock(), tempfile::TempDir::new().expect("a folder"));
    let mut gate = talkative(&mock, &folder, Stdio::piped(), unread());
    let mut said = BufReader::new(gate.stdout.take().expect("its output")).lines();
    let mut next = || said.next().expect("a line").expect("a text");
    let address = next().replace("listening on http://", "");
    next();
    for _ in 0..3 {
        ask(&address);
        // Its line in the access log comes last.
        assert!(next().contains(" 200 GET "));
    }
    terminate(&gate);
    assert_eq!(gate.wait().expect("it ends").code(), Some(0));
}

#[test]
fn a_gate_goes_on_when_its_access_log_is_unread() {
    let (mock, folder) = (mock(), tempfile::TempDir::new().expect("a folder"));
    let mut gate = talkative(&mock, &folder, Stdio::piped(), Stdio::piped());
    let mut said = BufReader::new(gate.stdout.take().expect("its output")).lines();
    let address = said.next().expect("a line").expect("a text").replace("listening on http://", "");
    said.next().expect("a line").expect("a text");
    drop(said);
    (0..3).for_each(|_| ask(&address));
    terminate(&gate);
    let ended = gate.wait_with_output().expect("it ends");
    let logged = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(0), "{logged}");
    assert_eq!(logged.matches("the access log cannot be written").count(), 1, "{logged}");
}

#[test]
fn a_gate_serves_though_nobody_reads_anything() {
    let (mock, folder) = (mock(), tempfile::TempDir::new().expect("a folder"));
    let mut gate = talkative(&mock, &folder, Stdio::piped(), Stdio::piped());
    let mut said = BufReader::new(gate.stdout.take().expect("its output")).lines();
    let address = said.next().expect("a line").expect("a text").replace("listening on http://", "");
    drop((said, gate.stderr.take()));
    (0..3).for_each(|_| ask(&address));
    terminate(&gate);
    assert_eq!(gate.wait().expect("it ends").code(), Some(0));
}

#[test]
fn a_stand_in_goes_on_unread() {
    let mut mock = Running::start(&["mock", "--listen", "127.0.0.1:0"], 1);
    mock.unread();
    (0..3).for_each(|_| ask(&mock.said_address("listening on").to_string()));
    mock.signal();
    assert_eq!(mock.ended(), Some(0));
}

#[test]
fn log_that_is_not_read_holds_up_no_request() {
    let mut command = command(&["serve", "--listen", "127.0.0.1:0", "--admin", "off", "--log", "trace"]);
    command.args(["--upstream", "http://127.0.0.1:9"]);
    let mut gate = Running::of(&mut command, 1);
    let address = gate.said_address("listening on");
    // Each tells the log of more than 100 bytes, and a pipe takes 64 KB.
    for _ in 0..1_000 {
        let mut client = std::net::TcpStream::connect(address).expect("it listens");
        client.write_all(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("is sent");
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    }
    gate.logs("tidegate_upstream_unreachable");
}
