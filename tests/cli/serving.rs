//! What serves until it is told to stop.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;

use super::{DEFAULT, Ended, heard, tidegate};

#[test]
fn a_gate_that_serves_is_well_and_one_that_is_gone_is_not() {
    let gate = Running::gate(unused_address());
    let admin = gate.said_address("admin on");
    let Ended { said, code, .. } = heard(&["healthcheck"], &[("TIDEGATE_ADMIN", &admin.to_string())]);
    assert_eq!((&*said, code), ("well\n", Some(0)));
    drop(gate);
    let Ended { complained, code, .. } = tidegate(&["healthcheck", "--admin", &format!("http://{admin}")], &[]);
    assert_eq!(code, Some(1), "{complained}");
    assert!(complained.contains(&admin.to_string()), "{complained}");
}

#[test]
fn a_gate_that_is_told_to_stop_lets_an_answer_end_and_ends_well() {
    let upstream = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut gate = Running::gate(upstream.local_addr().expect("an address"));
    let mut client = gate.ask("GET /v1/models HTTP/1.1\r\nHost: gate\r\n\r\n");
    let (mut server, _) = upstream.accept().expect("the gate");
    let request = BufReader::new(&server).lines().map_while(Result::ok);
    assert!(request.take_while(|line| !line.is_empty()).count() > 0, "a request");
    gate.signal();
    gate.logs("stopping");
    server.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlast").expect("an answer");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("last"), "{answer}");
    assert_eq!(gate.ended(), Some(0));
}

/// Clients are served by the threads of the gate in turn.
#[test]
fn idle_upstream_connection_serves_every_client() {
    let upstream = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let gate = Running::gate(upstream.local_addr().expect("an address"));
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    thread::spawn(move || {
        for connection in upstream.incoming().map_while(Result::ok) {
            counted.fetch_add(1, Ordering::Relaxed);
            thread::spawn(move || answer_each(&connection));
        }
    });
    for _ in 0..6 {
        let mut client = gate.ask("GET /v1/models HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n");
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("an answer");
        assert!(answer.ends_with("well"), "{answer}");
    }
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

fn answer_each(mut connection: &TcpStream) {
    for line in BufReader::new(connection).lines().map_while(Result::ok) {
        if line.is_empty() {
            connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nwell").expect("the gate");
        }
    }
}

#[test]
fn a_second_signal_ends_the_gate_at_once() {
    let upstream = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut gate = Running::gate(upstream.local_addr().expect("an address"));
    let _client = gate.ask("GET /v1/models HTTP/1.1\r\nHost: gate\r\n\r\n");
    let _server = upstream.accept().expect("the gate");
    gate.signal();
    gate.logs("stopping");
    gate.signal();
    gate.logs("ended at once");
    assert_eq!(gate.ended(), Some(1));
}

#[test]
fn a_hangup_leaves_a_gate_without_access_file_serving() {
    let upstream = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut gate = Running::gate(upstream.local_addr().expect("an address"));
    let mut client = gate.ask("GET /v1/models HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n");
    let (mut server, _) = upstream.accept().expect("the gate");
    let request = BufReader::new(&server).lines().map_while(Result::ok);
    assert!(request.take_while(|line| !line.is_empty()).count() > 0, "a request comes before its answer");
    for _ in 0..2 {
        gate.signal_with("-HUP");
        gate.logs("the configuration is reloaded: nothing has changed");
    }
    server.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlast").expect("an answer");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("an answer");
    assert!(answer.ends_with("last"), "{answer}");
    gate.signal();
    assert_eq!(gate.ended(), Some(0));
}

#[test]
fn a_hangup_ends_the_stand_in() {
    let mut mock = Running::start(&["mock", "--listen", "127.0.0.1:0"], 1);
    mock.signal_with("-HUP");
    assert_eq!(mock.child.wait().expect("it ends").signal(), Some(1));
}

#[test]
fn the_stand_in_tells_what_has_arrived() {
    let mock = Running::start(&["mock", "--listen", "127.0.0.1:0"], 1);
    let mut answer = String::new();
    let mut client = mock.ask("GET /__mock/stats HTTP/1.1\r\nHost: mock\r\nConnection: close\r\n\r\n");
    client.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let stats: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(stats["denied"], 0);
}

#[test]
fn the_stand_in_changes_its_weather_when_it_is_told_to() {
    let mock = Running::start(&["mock", "--listen", "127.0.0.1:0", "--rpm", "60"], 1);
    let post = |path: &str, body: &str| {
        let length = body.len();
        let head = format!("POST {path} HTTP/1.1\r\nHost: mock\r\nConnection: close\r\nContent-Length: {length}");
        let mut answer = String::new();
        mock.ask(&format!("{head}\r\n\r\n{body}")).read_to_string(&mut answer).expect("an answer");
        answer
    };
    assert!(post("/v1/threads", "{}").starts_with("HTTP/1.1 200"));
    assert!(post("/__mock/step", r#"{"gone": true, "scale": 0.5}"#).starts_with("HTTP/1.1 200"));
    let gone = post("/v1/threads", "{}");
    assert!(gone.starts_with("HTTP/1.1 404") && gone.contains("Invalid URL (POST /v1/threads)"), "{gone}");
    let chat = post("/v1/chat/completions", r#"{"model": "gpt-4o", "messages": []}"#);
    assert!(chat.starts_with("HTTP/1.1 200") && chat.contains("x-ratelimit-remaining-requests: 29\r\n"), "{chat}");
    let wrong = post("/__mock/step", r#"{"scale": 0}"#);
    assert!(wrong.starts_with("HTTP/1.1 400") && wrong.contains("a scale is a number above 0"), "{wrong}");
}

/// A command that serves until it is told to stop, or until the test is over.
pub(super) struct Running {
    child: Child,
    said: Vec<String>,
    /// Nothing once nobody reads it any more.
    log: Option<BufReader<ChildStderr>>,
}

impl Running {
    fn gate(upstream: SocketAddr) -> Self {
        Self::gate_with(upstream, DEFAULT)
    }

    /// A gate with the configuration in this file.
    pub(super) fn gate_with(upstream: SocketAddr, config: &str) -> Self {
        let (upstream, any) = (format!("http://{upstream}"), "127.0.0.1:0");
        Self::start(&["serve", "--config", config, "--listen", any, "--admin", any, "--upstream", &upstream], 2)
    }

    /// Starts it, and reads the lines that say it is ready.
    pub(super) fn start(arguments: &[&str], lines: usize) -> Self {
        Self::start_by(Command::new(env!("CARGO_BIN_EXE_tidegate")), arguments, lines)
    }

    /// The same by a command that ends in the program.
    pub(super) fn start_by(mut command: Command, arguments: &[&str], lines: usize) -> Self {
        Self::of(command.env_clear().env("TIDEGATE_CONFIG", DEFAULT).args(arguments), lines)
    }

    /// The same of a command that is ready.
    pub(super) fn of(command: &mut Command, lines: usize) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let said = BufReader::new(child.stdout.take().expect("its output")).lines().take(lines);
        let said = said.collect::<Result<_, _>>().expect("a text");
        let log = child.stderr.take().map(BufReader::new);
        Self { child, said, log }
    }

    /// The address in the line `WHAT http://ADDRESS`.
    pub(super) fn said_address(&self, what: &str) -> SocketAddr {
        let lines = self.said.iter();
        let mut addresses = lines.filter_map(|line| line.strip_prefix(what)?.strip_prefix(" http://")?.parse().ok());
        addresses.next().unwrap_or_else(|| panic!("no {what:?} in {:?}", self.said))
    }

    pub(super) fn ask(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.said_address("listening on")).expect("it listens");
        stream.write_all(request.as_bytes()).expect("it is sent");
        stream
    }

    /// Reads its log up to the line that has this.
    pub(super) fn logs(&mut self, what: &str) {
        self.logs_until(what);
    }

    /// The same, with all that it has logged so far.
    pub(super) fn logs_until(&mut self, what: &str) -> String {
        let (mut text, log) = (String::new(), self.log.as_mut().expect("a log that is read"));
        while !text.contains(what) {
            let count = log.read_line(&mut text).expect("a text");
            assert!(count > 0, "it ended without {what:?} in its log: {text}");
        }
        text
    }

    /// From now on nobody reads its log.
    pub(super) fn unread(&mut self) {
        self.log = None;
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn signal(&self) {
        self.signal_with("-TERM");
    }

    pub(super) fn signal_with(&self, signal: &str) {
        let kill = Command::new("kill").arg(signal).arg(self.child.id().to_string()).status();
        assert!(kill.expect("kill runs").success());
    }

    pub(super) fn ended(&mut self) -> Option<i32> {
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already cannot be killed.
        drop(self.child.kill());
        self.ended();
    }
}

/// Where nobody listens.
fn unused_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}
