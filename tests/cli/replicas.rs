//! Several gates on one account, as processes, with a real Redis and `mock` as the judge. The window is hours, so that it does not
//! matter how long any of this takes.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

use super::serving::Running;
use super::{Ended, comes, tidegate};
use crate::redis_server::RedisServer;

const LIMIT: u64 = 300;

struct Account {
    folder: TempDir,
    redis: RedisServer,
    mock: Running,
}

impl Account {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let judge = write(&folder, "judge.toml", "");
        let mock = ["mock", "--listen", "127.0.0.1:0", "--window", "sliding", "--config", &judge];
        Self { mock: Running::start(&mock, 1), redis: RedisServer::start(), folder }
    }

    fn gate(&self, name: &str, more: &str) -> Running {
        let store = format!("[store]\npath = \"off\"\nurl = \"{}\"\n{more}\n", self.redis.url());
        let config = write(&self.folder, name, &store);
        let upstream = format!("http://{}", self.mock.said_address("listening on"));
        let any = "127.0.0.1:0";
        Running::start(&["serve", "--listen", any, "--admin", any, "--upstream", &upstream, "--config", &config], 2)
    }

    fn counted(&self) -> [u64; 2] {
        let stats = get(self.mock.said_address("listening on"), "/__mock/stats");
        ["admitted", "denied"].map(|count| stats[count].as_u64().expect("a count"))
    }
}

fn write(folder: &TempDir, name: &str, more: &str) -> String {
    let path = folder.path().join(name);
    let pool = format!("[pools.posts]\nrequests = [\"{LIMIT}/2h\"]\n");
    let route = "[[routes]]\nmatch = \"POST /v1/threads\"\npools = [\"posts\"]\n";
    fs::write(&path, ["extends = \"none\"\n", more, &*pool, route].concat()).expect("a file");
    path.to_str().expect("a text").to_owned()
}

fn ask(address: SocketAddr, request: &str) -> String {
    let mut answer = String::new();
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_string(&mut answer)).expect("an answer");
    answer
}

fn get(address: SocketAddr, path: &str) -> Value {
    let answer = ask(address, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    let (_, body) = answer.split_once("\r\n\r\n").expect("an answer");
    serde_json::from_str(body).expect("JSON")
}

fn status(gate: &Running) -> Value {
    get(gate.said_address("admin on"), "/status")["replicas"].clone()
}

const POST: &str = "POST /v1/threads HTTP/1.1\r\nHost: o\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";

/// Sends one after the other until the gate refuses.
fn burst(gate: SocketAddr) {
    while ask(gate, POST).starts_with("HTTP/1.1 200") {}
}

#[test]
fn three_gates_use_one_limit_and_no_more() {
    let account = Account::new();
    let gates: Vec<_> = ["a.toml", "b.toml", "c.toml"].iter().map(|name| account.gate(name, "")).collect();
    comes(
        || gates.iter().map(|gate| status(gate)["gates"].clone()).collect::<Vec<_>>(),
        |seen| seen.iter().all(|count| *count == 3),
    );
    let addresses = gates.iter().flat_map(|gate| [gate.said_address("listening on"); 4]);
    let clients: Vec<_> = addresses.map(|address| thread::spawn(move || burst(address))).collect();
    clients.into_iter().for_each(|client| client.join().expect("no panic"));
    let [taken, refused] = account.counted();
    assert!(refused == 0 && taken >= LIMIT * 98 / 100, "{taken} were taken, and {refused} refused");
}

/// What the store knew is gone, and the gates tell it.
#[test]
fn emptied_store_learns_what_was_sent() {
    let mut account = Account::new();
    let gates: Vec<_> = ["a.toml", "b.toml"].iter().map(|name| account.gate(name, "")).collect();
    comes(|| status(&gates[0])["gates"].clone(), |seen| *seen == 2);
    for gate in &gates {
        (0..100).for_each(|_| assert!(ask(gate.said_address("listening on"), POST).starts_with("HTTP/1.1 200")));
    }
    account.redis.kill();
    account.redis.start_again();
    gates.iter().for_each(|gate| burst(gate.said_address("listening on")));
    let [taken, refused] = account.counted();
    assert!(refused == 0 && taken >= LIMIT * 98 / 100, "{taken} were taken, and {refused} refused");
}

/// A gate that stops gives back what it has, and the other uses it.
#[test]
fn gate_that_stops_gives_back_its_places() {
    let account = Account::new();
    let mut first = account.gate("a.toml", "");
    let second = account.gate("b.toml", "");
    comes(|| status(&second)["gates"].clone(), |seen| *seen == 2);
    assert!(ask(first.said_address("listening on"), POST).starts_with("HTTP/1.1 200"));
    first.signal();
    assert_eq!(first.ended(), Some(0));
    burst(second.said_address("listening on"));
    assert_eq!(account.counted(), [LIMIT, 0]);
}

#[test]
fn password_in_the_url_is_refused_and_not_repeated() {
    let folder = TempDir::new().expect("a folder");
    let config = write(&folder, "a.toml", "[store]\nurl = \"redis://:SECRET@localhost:6379\"\n");
    let Ended { complained, said, code, .. } = tidegate(&["check", "--config", &config], &[]);
    assert_eq!(code, Some(78), "{complained}");
    assert!(complained.contains("password_env") && !(complained + &said).contains("SECRET"));
}
