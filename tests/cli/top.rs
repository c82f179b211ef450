//! The live view, in a real terminal before a gate under load, and as one picture in a pipe.

use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use super::screen::Screen;
use super::serving::Running;
use super::{Ended, comes, heard, tidegate};

const CONFIG: &str = "extends = \"none\"\n[queue]\nmax_wait = \"20h\"\n[pools.posts]\nrequests = [\"20/10h\"]\n[pools.gets]\nrequests = [\"900/min\"]\n\
    [[routes]]\nmatch = \"POST /v1/threads\"\npools = [\"posts\"]\n[[routes]]\nmatch = \"GET /v1/{*rest}\"\npools = [\"gets\"]\n";

const REQUEST: &str = "POST /v1/threads HTTP/1.1\r\nHost: gate\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";

/// A gate at which thirty have asked for what it lets twenty have.
struct Loaded {
    upstream: Running,
    gate: Running,
    admin: SocketAddr,
    config: tempfile::NamedTempFile,
    clients: Vec<TcpStream>,
}

impl Loaded {
    fn new() -> Self {
        let upstream = Running::start(&["mock", "--listen", "127.0.0.1:0"], 1);
        let config = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(config.path(), CONFIG).expect("is written");
        let gate = gate(&upstream, &config, "127.0.0.1:0");
        let clients = (0..30).map(|_| gate.ask(REQUEST)).collect();
        Self { upstream, admin: gate.said_address("admin on"), gate, config, clients }
    }
}

fn gate(upstream: &Running, config: &tempfile::NamedTempFile, admin: &str) -> Running {
    let upstream = format!("http://{}", upstream.said_address("listening on"));
    let config = config.path().to_str().expect("a path");
    let listen = "127.0.0.1:0";
    Running::start(&["serve", "--config", config, "--listen", listen, "--admin", admin, "--upstream", &upstream], 2)
}

#[test]
fn top_shows_the_pools_follows_the_keys_and_the_window_and_gives_the_terminal_back() {
    let Loaded { upstream, gate: first, admin, config, clients: _waiting } = Loaded::new();
    let mut screen = Screen::run(&["top", "--admin", &format!("http://{admin}")], 30, 110);
    screen.shows(&["10 waiting", "posts ", "██████████ 20/20/10h", " at its limit", "10 of client-", "gets "]);
    assert_order(&screen, "posts ", "gets ");
    screen.types("2");
    screen.shows(&["Route ", "POST /v1/threads", "by requests"]);
    screen.types("1/get");
    screen.shows(&["/get▏"]);
    screen.wait("only gets", |screen| !screen.contents().contains("posts "));
    screen.types("\r\u{1b}");
    screen.shows(&["posts ", "gets ", "q quit"]);
    screen.resize(12, 60);
    screen.shows(&["posts ", "20/20/10h", "q quit"]);
    screen.resize(30, 110);
    drop(first);
    screen.shows(&["the gate is gone, trying again", "posts ", "cannot be reached"]);
    let _second = gate(&upstream, &config, &admin.to_string());
    screen.wait("the gate that is back", |screen| {
        let shown = screen.contents();
        !shown.contains("is gone") && shown.contains("0 waiting") && shown.contains("0/20/10h")
    });
    screen.types("q");
    screen.ends_and_gives_the_terminal_back(0);
}

#[test]
fn a_signal_and_ctrl_c_give_the_terminal_back() {
    let loaded = Loaded::new();
    let top = ["top", "--admin", &loaded.admin.to_string()];
    for signal in ["-TERM", "-INT"] {
        let mut screen = Screen::run(&top, 24, 100);
        screen.shows(&["posts "]);
        let pid = screen.pid();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("kill runs").success());
        screen.ends_and_gives_the_terminal_back(0);
    }
    let mut screen = Screen::run(&top, 24, 100);
    screen.shows(&["posts "]);
    screen.types("\u{3}");
    screen.ends_and_gives_the_terminal_back(0);
    drop(loaded.gate);
}

#[test]
fn top_in_a_pipe_is_one_picture() {
    let loaded = Loaded::new();
    let admin = loaded.admin.to_string();
    let picture = |arguments: &[&str]| {
        let Ended { said, complained, code } = heard(arguments, &[("TIDEGATE_ADMIN", &admin)]);
        assert!(code == Some(0) && !said.contains('\u{1b}'), "{said}{complained}");
        said
    };
    picture(&["top"]);
    let said = comes(|| picture(&["top", "--once"]), |said| said.contains(" 20/20/10h "));
    for part in
        [&*format!("tidegate at {admin} · up "), "\nPools\n", "\nposts ", "\nRoutes\n", "\nposts: At your own limit: "]
    {
        assert!(said.contains(part), "no {part:?} in\n{said}");
    }
}

#[test]
fn top_without_a_gate_says_so_to_a_pipe() {
    let Ended { said, complained, code } = tidegate(&["top", "--admin", "127.0.0.1:1"], &[]);
    assert_eq!((&*said, code), ("", Some(1)));
    assert!(complained.contains("http://127.0.0.1:1/status cannot be reached"), "{complained}");
}

#[track_caller]
fn assert_order(screen: &Screen, first: &str, second: &str) {
    let shown = screen.contents();
    let at = |name: &str| shown.lines().position(|line| line.starts_with(name));
    assert!(at(first) < at(second) && at(first).is_some(), "{shown}");
}
