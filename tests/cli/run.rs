//! `tidegate run`: real commands, how they end, and what of the gate they see.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::screen::Screen;
use super::serving::Running;
use super::{DEFAULT, Ended, tidegate};

/// Sends as many requests as its argument says, and ends with the status of the last.
const CLIENT: &str = "\
import os, sys, urllib.request\n\
for _ in range(int(sys.argv[1])):\n    \
    answer = urllib.request.urlopen(os.environ['OPENAI_BASE_URL'] + '/models')\n\
print(answer.status)\n";

/// Says which signals it gets; TERM ends it with 3.
const LISTENER: &str = "\
import signal, sys\n\
def hear(signum, _):\n    \
    print('got', signum, flush=True)\n    \
    if signum == signal.SIGTERM: sys.exit(3)\n\
for which in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1): signal.signal(which, hear)\n\
print('ready', flush=True)\n\
while True: signal.pause()\n";

fn mock() -> (Running, String) {
    let mock = Running::start(&["mock", "--listen", "127.0.0.1:0"], 1);
    let url = format!("http://{}", mock.said_address("listening on"));
    (mock, url)
}

/// Runs it before this upstream, to its end; where no other gate is.
fn run(upstream: &str, command: &[&str]) -> Ended {
    let free = ["run", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--upstream", upstream, "--"];
    tidegate(&[&free, command].concat(), &[("PATH", "/usr/local/bin:/usr/bin:/bin")])
}

/// The lines of the gate itself.
fn own_lines(complained: &str) -> Vec<&str> {
    complained.lines().filter_map(|line| line.strip_prefix("tidegate: ")).collect()
}

#[test]
fn requests_of_the_command_go_through_the_gate() {
    let (_mock, url) = mock();
    let Ended { said, complained, code } = run(&url, &["python3", "-c", CLIENT, "3"]);
    assert_eq!((&*said, code), ("200\n", Some(0)), "{complained}");
    let lines = own_lines(&complained);
    assert!(lines[0].starts_with("gate at http://127.0.0.1:"), "{complained}");
    assert!(lines[1].starts_with("3 requests in ") && lines[1].ends_with(": 3 answered"), "{complained}");
    assert!(lines[2].starts_with("0 waited instead of going over a limit; 0 met a refusal"), "{complained}");
    assert_eq!((lines[3], lines.len()), ("no limit held the command back for long", 4), "{complained}");
}

#[test]
fn output_and_exit_code_of_the_command_are_passed_on() {
    let Ended { said, complained, code } =
        run("http://127.0.0.1:1", &["sh", "-c", "cat; echo out; echo err >&2; exit 7", "--report"]);
    assert_eq!((&*said, code), ("out\n", Some(7)), "{complained}");
    assert!(complained.contains("\nerr\n"), "{complained}");
}

#[test]
fn command_without_requests_is_told_so() {
    let complained = run("http://127.0.0.1:1", &["true"]).complained;
    let lines = own_lines(&complained);
    let why = "no request came through the gate: the command does not use OPENAI_BASE_URL (http://127.0.0.1:";
    assert!(lines[1].starts_with(why) && lines[1].ends_with("/v1)."), "{complained}");
}

#[test]
fn report_prints_the_whole_diagnosis() {
    let (_mock, url) = mock();
    let arguments =
        ["run", "--listen", "127.0.0.1:0", "--upstream", &url, "--report", "--", "python3", "-c", CLIENT, "1"];
    let complained = tidegate(&arguments, &[("PATH", "/usr/bin:/bin"), ("TIDEGATE_ADMIN", "off")]).complained;
    assert!(
        complained.contains("Which limit is hit?\n") && complained.contains("tidegate: 1 request in"),
        "{complained}"
    );
}

#[test]
fn command_that_cannot_run_has_the_code_of_a_shell() {
    let missing = run("http://127.0.0.1:1", &["no-such-command-anywhere", "argument"]);
    assert_eq!(missing.code, Some(127), "{}", missing.complained);
    assert!(missing.complained.contains("error: no-such-command-anywhere is not found"), "{}", missing.complained);
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::set_permissions(file.path(), PermissionsExt::from_mode(0o644)).expect("it can be changed");
    let plain = run("http://127.0.0.1:1", &[file.path().to_str().expect("a path")]);
    assert_eq!(plain.code, Some(126), "{}", plain.complained);
    assert!(plain.complained.contains("cannot be executed: Permission denied"), "{}", plain.complained);
    assert_eq!(tidegate(&["run"], &[]).code, Some(2));
}

#[test]
fn command_that_a_signal_ends_has_128_and_its_number() {
    for (signal, code) in [("KILL", 137), ("SEGV", 139)] {
        let ended = run("http://127.0.0.1:1", &["sh", "-c", &format!("kill -{signal} $$")]);
        assert_eq!(ended.code, Some(code), "{}", ended.complained);
        assert_eq!(own_lines(&ended.complained).len(), 3, "{}", ended.complained);
    }
}

/// The listener in a session without a terminal.
fn listening() -> (Child, BufReader<std::process::ChildStdout>) {
    let mut command = Command::new("setsid");
    command.args([env!("CARGO_BIN_EXE_tidegate"), "run", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    command.args(["--", "python3", "-c", LISTENER]).env("TIDEGATE_CONFIG", DEFAULT).env_remove("OPENAI_BASE_URL");
    let mut run = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    let mut said = BufReader::new(run.stdout.take().expect("its output"));
    says(&mut said, "ready");
    (run, said)
}

#[track_caller]
fn says(said: &mut impl BufRead, what: &str) {
    let mut line = String::new();
    said.read_line(&mut line).expect("a text");
    assert_eq!(line.trim_end(), what);
}

fn kill(signal: &str, pid: &str) {
    assert!(Command::new("kill").args([signal, pid]).status().expect("kill runs").success());
}

#[test]
fn signals_are_passed_on_to_the_command() {
    let (mut run, mut said) = listening();
    let pid = run.id().to_string();
    for (signal, heard) in [("-INT", "got 2"), ("-USR1", "got 10"), ("-INT", "got 2"), ("-TERM", "got 15")] {
        kill(signal, &pid);
        says(&mut said, heard);
    }
    let mut rest = String::new();
    said.read_to_string(&mut rest).expect("a text");
    assert_eq!((run.wait().expect("it ends").code(), &*rest), (Some(3), ""));
}

#[test]
fn ctrl_c_reaches_the_command_once() {
    let command = ["run", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--", "python3", "-c", LISTENER];
    let mut screen = Screen::run(&command, 24, 100);
    screen.shows(&["ready"]);
    screen.types("\u{3}");
    screen.shows(&["got 2"]);
    // A second one would be said before this, as signals are passed on in order.
    kill("-USR1", &screen.pid());
    screen.shows(&["got 10"]);
    assert_eq!(screen.contents().matches("got 2").count(), 1, "{}", screen.contents());
    kill("-TERM", &screen.pid());
    screen.shows(&["got 15", "no request came through the gate"]);
}

#[test]
fn gate_that_runs_already_is_used() {
    let (mock, url) = mock();
    let gate = Running::gate_with(mock.said_address("listening on"), DEFAULT);
    let [listen, admin] = ["listening on", "admin on"].map(|what| gate.said_address(what).to_string());
    let at = ["run", "--listen", &listen, "--admin", &admin];
    let client = ["--", "python3", "-c", CLIENT, "2"];
    let path = [("PATH", "/usr/bin:/bin")];
    for _ in 0..2 {
        let Ended { said, complained, code } = tidegate(&[&at[..], &client].concat(), &path);
        assert_eq!((&*said, code), ("200\n", Some(0)), "{complained}");
        let lines = own_lines(&complained);
        assert_eq!(lines[0], format!("using the gate that runs at http://{listen} ({DEFAULT})"));
        assert!(lines[1].starts_with("2 requests in "), "{complained}");
    }
    let other =
        tidegate(&[&["run", "--admin", &admin, "--listen", &listen, "--upstream", &url][..], &client].concat(), &path);
    assert!(other.complained.contains("has another configuration and is not used"), "{}", other.complained);
}

#[test]
fn base_url_of_the_app_is_its_upstream() {
    let (_mock, url) = mock();
    let arguments = ["run", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--", "python3", "-c", CLIENT, "1"];
    let base_url = format!("{url}/v1");
    let ended = tidegate(&arguments, &[("PATH", "/usr/bin:/bin"), ("OPENAI_BASE_URL", &base_url)]);
    assert_eq!((&*ended.said, ended.code), ("200\n", Some(0)), "{}", ended.complained);
}

#[test]
fn dev_has_mock_and_gate_with_one_minute() {
    let any = "127.0.0.1:0";
    let dev = ["dev", "--minute", "6s", "--rpm", "60", "--tpm", "9000", "--listen", any, "--admin", any];
    let dev = Running::start(&dev, 3);
    let stats = format!("http://{}/__mock/stats", dev.said_address("mock on"));
    let [gate, admin] = ["listening on", "admin on"].map(|what| dev.said_address(what).to_string());
    let chat = "import sys, urllib.request\n\
        body = b'{\"model\": \"gpt-4o\", \"messages\": []}'\n\
        urllib.request.urlopen(urllib.request.Request('http://' + sys.argv[1] + '/v1/chat/completions', body))\n\
        print(urllib.request.urlopen(sys.argv[2]).read().decode())";
    let asked = Command::new("python3").args(["-c", chat, &gate, &stats]).output().expect("python3 runs");
    let stats: Value = serde_json::from_slice(&asked.stdout).expect("JSON");
    assert!(stats["models"].as_array().expect("models").iter().all(|limit| limit["window_ms"] == 6_000), "{stats:#}");
    let said = tidegate(&["explain", "POST", "/v1/threads", "--admin", &admin], &[]).said;
    assert!(said.contains("route    POST,PUT,PATCH /v1/threads/{*rest}"), "{said}");
    let status = get(&format!("http://{admin}/status"));
    let limits: Vec<&str> = status["pools"].as_array().expect("pools").iter().flat_map(limits).collect();
    for limit in ["300/6s", "200/6s", "60/6s", "9000/6s", "2000/6m"] {
        assert!(limits.contains(&limit), "no {limit} in {limits:?}");
    }
}

fn limits(pool: &Value) -> impl Iterator<Item = &str> {
    pool["limits"].as_array().expect("limits").iter().filter_map(|limit| limit["limit"].as_str())
}

fn get(url: &str) -> Value {
    let get = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())";
    let got = Command::new("python3").args(["-c", get, url]).output().expect("python3 runs");
    serde_json::from_slice(&got.stdout).expect("JSON")
}

#[test]
fn dev_runs_a_command_without_a_key() {
    let dev = ["dev", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--", "python3", "-c", CLIENT, "2"];
    let Ended { said, complained, code } = tidegate(&dev, &[("PATH", "/usr/bin:/bin")]);
    assert_eq!((&*said, code), ("200\n", Some(0)), "{complained}");
    assert!(
        complained.contains("tidegate: mock at http://127.0.0.1:") && complained.contains("2 requests in "),
        "{complained}"
    );
    let other = tidegate(&["dev", "--upstream", "http://127.0.0.1:1"], &[]);
    assert!(
        other.code == Some(2) && other.complained.contains("`dev` has an upstream of its own"),
        "{}",
        other.complained
    );
}
