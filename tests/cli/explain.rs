//! What would become of a request: why its route wins, and how it would fare at a gate that runs.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use super::serving::Running;
use super::{DEFAULT, comes, heard, tidegate};

/// The pool of one kind of request, and one for all kinds.
fn config(posts: &str) -> String {
    format!(
        "extends = \"none\"\n[queue]\nmax_wait = \"100h\"\n[pools.posts]\nrequests = [\"1/5h\"]\n{posts}\n[pools.all]\nrequests = [\"900/min\"]\n\
         [[routes]]\nmatch = \"POST /v1/threads\"\npools = [\"posts\", \"all\"]\n\
         [[routes]]\nmatch = \"* /v1/{{*rest}}\"\npools = [\"all\"]\n"
    )
}

const REQUEST: &str = "POST /v1/threads HTTP/1.1\r\nHost: gate\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";

/// A gate that lets one request pass in five hours, which has passed.
struct Busy {
    _upstream: Running,
    gate: Running,
    admin: SocketAddr,
    config: tempfile::NamedTempFile,
}

impl Busy {
    fn new(posts: &str) -> Self {
        let upstream = Running::start(&["mock", "--listen", "127.0.0.1:0"], 1);
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), config(posts)).expect("is written");
        let gate = Running::gate_with(upstream.said_address("listening on"), file.path().to_str().expect("a path"));
        gate.ask(REQUEST).read_to_string(&mut String::new()).expect("an answer");
        Self { _upstream: upstream, admin: gate.said_address("admin on"), gate, config: file }
    }

    /// Somebody waits, as long as this is kept.
    fn with_one_waiting(&self) -> TcpStream {
        let waits = self.gate.ask(REQUEST);
        comes(|| get(self.admin, "/status"), |status| status["waiting"] == 1);
        waits
    }

    fn explain(&self, arguments: &[&str], environment: &[(&str, &str)]) -> String {
        let config = ["explain", "--config", self.config.path().to_str().expect("a path")];
        heard(&[&config[..], arguments].concat(), environment).said
    }
}

fn get(address: SocketAddr, path: &str) -> Value {
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    assert!(head.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    serde_json::from_str(body).expect("JSON")
}

#[test]
fn explain_says_why_the_route_goes_before_the_others() {
    let said = tidegate(&["explain", "POST", "/v1/threads/runs", "--admin", "off"], &[]).said;
    let lines = "route    POST /v1/threads/runs\n         \
                 before POST,PUT,PATCH /v1/threads/{*rest}: in segment 3, runs goes before {*rest}\n";
    assert!(said.starts_with(lines), "{said}");
    assert!(said.ends_with("live     no gate was asked, as its admin port is off\n"), "{said}");
}

#[test]
fn explain_looks_for_a_host_where_a_url_has_one_and_never_in_the_query() {
    let run = "/v1/threads/t/runs/r";
    for target in [
        format!("{run}?next=https://e/v1/files"),
        format!("https://api.openai.com{run}?next=https://e/v1/files"),
        format!("https://api.openai.com{run}#://x"),
    ] {
        let said = tidegate(&["explain", "GET", &target, "--admin", "off"], &[]).said;
        assert!(said.starts_with("route    GET /v1/threads/{thread_id}/runs/{run_id}\n"), "{target}: {said}");
    }
}

#[test]
fn explain_says_what_a_disguised_path_is_to_others() {
    let said = tidegate(&["explain", "POST", "/v1/threads/x%2Fruns", "--admin", "off"], &[]).said;
    let other = "some servers would read the path as POST,PUT,PATCH /v1/threads/{*rest}: it takes that too\n";
    assert!(said.starts_with("route    POST /v1/threads/{thread_id}/runs\n") && said.contains(other), "{said}");
}

#[test]
fn explain_says_how_a_request_would_fare_now() {
    let busy = Busy::new("");
    let (_waits, admin) = (busy.with_one_waiting(), busy.admin.to_string());
    let said = busy.explain(&["POST", "/v1/threads", "--admin", &admin], &[]);
    let now = said.lines().find(|line| line.starts_with("now      it would wait about ")).unwrap_or_default();
    assert!(now.ends_with(" for posts, where 1 waits, of the same client"), "{said}");
    assert!(said.contains("refusal  429 tidegate_wait_too_long, for example:\n"), "{said}");
    assert!(said.contains("         1 of 1/5h used, 0 in flight, 1 waiting; room in "), "{said}");
    let free = busy.explain(&["GET", "/v1/else"], &[("TIDEGATE_ADMIN", &admin)]);
    assert!(free.contains("now      it would go at once\nlive     all: "), "{free}");
    assert!(!said.contains("config   "), "{said}");
    std::fs::write(busy.config.path(), config("max_waiting = 7")).expect("is written");
    let other = busy.explain(&["POST", "/v1/threads", "--admin", &admin], &[]);
    assert!(other.contains("config   the gate that runs has another one, "), "{other}");
}

#[test]
fn explain_says_that_a_request_would_be_refused_now() {
    for (posts, patience, is_crowded, refusal) in [
        ("", "1s", true, "429 tidegate_wait_too_long, now:\n         Tidegate: pool 'posts' (1/5h) has 1 waiting;"),
        ("max_waiting = 1", "100h", true, "429 tidegate_queue_full, now:\n         Tidegate: pool 'posts'"),
        ("when_full = \"refuse\"", "100h", false, "429 tidegate_queue_full, now:\n         Tidegate: pool 'posts'"),
    ] {
        let busy = Busy::new(posts);
        let _waits = is_crowded.then(|| busy.with_one_waiting());
        let patience = format!("x-tidegate-max-wait: {patience}");
        let said = busy.explain(&["POST", "/v1/threads", "-H", &patience, "--admin", &busy.admin.to_string()], &[]);
        assert!(said.contains(&format!("refusal  {refusal}")), "{posts}: {said}");
        assert!(said.contains("\nnow      it would be refused\n"), "{posts}: {said}");
    }
}

#[test]
fn the_gate_explains_the_same_on_its_admin_port() {
    let busy = Busy::new("");
    let _waits = busy.with_one_waiting();
    let told = get(busy.admin, "/explain?method=POST&path=/v1/threads%3Fx=1&model=gpt-4o");
    let arguments = ["POST", "/v1/threads", "--model", "gpt-4o", "--json", "--admin", &busy.admin.to_string()];
    let said: Value = serde_json::from_str(&busy.explain(&arguments, &[])).expect("JSON");
    for field in ["route", "over", "client", "priority", "max_wait_ms", "refusal"] {
        assert_eq!(told[field], said[field], "{field}");
    }
    assert_eq!(told["over"][0]["route"], "* /v1/{*rest}");
    for explained in [told, said] {
        assert_eq!((&explained["now"]["verdict"], &explained["now"]["pool"]), (&"waits".into(), &"posts".into()));
        let [posts, all] = [0, 1].map(|pool| explained["pools"][pool].clone());
        assert_eq!(
            (&posts["pool"], &posts["waiting"], &posts["used"][0]["used"]),
            (&"posts".into(), &1.into(), &1.into())
        );
        assert!(posts["eta_ms"].as_u64().is_some_and(|eta| eta > 10_000), "{posts:#}");
        assert_eq!((&all["pool"], &all["eta_ms"]), (&"all".into(), &0.into()));
    }
}

#[test]
fn what_can_never_go_is_told_without_a_gate() {
    let body = format!(r#"{{"file_ids": [{}0]}}"#, "0, ".repeat(2_000));
    let explain = ["explain", "POST", "/v1/vector_stores", "--body", &body, "--admin", "off", "--config", DEFAULT];
    let said = tidegate(&explain, &[]).said;
    assert!(said.contains("refusal  429 tidegate_never_fits, for example:\n"), "{said}");
}
