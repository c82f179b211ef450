//! More connections than there is room for, and heads that are too long.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use super::DEFAULT;
use super::serving::Running;

/// So few files may the gate have open: room for 75 clients.
const FILES: u32 = 200;

fn connect(address: SocketAddr, first: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(first.as_bytes()).expect("it is sent");
    stream
}

fn ask(address: SocketAddr, path: &str, headers: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    let mut answer = String::new();
    // One that is refused early may be reset behind its answer.
    drop(connect(address, &request).read_to_string(&mut answer));
    answer
}

fn with_few_files() -> (Running, Running) {
    let mock = Running::start(&["mock", "--listen", "127.0.0.1:0"], 1);
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("ulimit -n {FILES}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_tidegate")]);
    let (upstream, any) = (format!("http://{}", mock.said_address("listening on")), "127.0.0.1:0");
    let flags = ["serve", "--config", DEFAULT, "--listen", any, "--admin", any, "--upstream", &upstream];
    (Running::start_by(command, &flags, 2), mock)
}

#[test]
fn idle_crowd_leaves_room_for_apps_and_probes() {
    let (mut gate, _mock) = with_few_files();
    let (apps, admin) = (gate.said_address("listening on"), gate.said_address("admin on"));
    for first in ["", "P", "GET /v1/models HTTP/1.1\r\nHo"] {
        let _crowd: Vec<TcpStream> = (0..FILES).map(|_| connect(apps, first)).collect();
        assert!(ask(apps, "/v1/models", "").starts_with("HTTP/1.1 200"), "beside a crowd that sent {first:?}");
        assert!(ask(admin, "/healthz", "").starts_with("HTTP/1.1 200"), "beside a crowd that sent {first:?}");
    }
    gate.logs("as many connections as there is room for");
}

#[test]
fn idle_crowd_at_the_admin_port_leaves_room_for_probes() {
    let (gate, _mock) = with_few_files();
    let admin = gate.said_address("admin on");
    for first in ["", "GET /status HTTP/1.1\r\nHo"] {
        let _crowd: Vec<TcpStream> = (0..FILES * 2).map(|_| connect(admin, first)).collect();
        assert!(ask(admin, "/healthz", "").starts_with("HTTP/1.1 200"), "beside a crowd that sent {first:?}");
        assert!(ask(gate.said_address("listening on"), "/v1/models", "").starts_with("HTTP/1.1 200"), "{first:?}");
    }
}

#[test]
fn head_that_is_too_long_is_refused() {
    let mock = Running::start(&["mock", "--listen", "127.0.0.1:0"], 1);
    let gate = Running::gate_with(mock.said_address("listening on"), DEFAULT);
    let long = |length: usize| format!("X-Long: {}\r\n", "x".repeat(length));
    for port in ["listening on", "admin on"] {
        let path = if port == "admin on" { "/status" } else { "/v1/models" };
        let passes = if port == "admin on" { 24 << 10 } else { 64 << 10 };
        assert!(ask(gate.said_address(port), path, &long(passes)).starts_with("HTTP/1.1 200"), "{port}");
        assert!(ask(gate.said_address(port), path, &long(256 << 10)).starts_with("HTTP/1.1 431"), "{port}");
    }
}
