//! The program as it is run, with everything on that tells of anything.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::Shown;
use crate::clock::in_time;

/// Whose keys go to the upstream, and how.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Each app's, over HTTP/1.1.
    KeysOfApps,
    /// The gate's, over HTTP/2.
    KeyOfItsOwn,
    /// Each app's, to an upstream that repeats whatever it is told, mostly in errors.
    Echoes,
}

/// A gate before a stand-in, with its log at its wordiest, an access log, and a collector that it sends its spans to.
pub(crate) struct Running {
    pub(crate) kind: Kind,
    pub(crate) address: SocketAddr,
    admin: SocketAddr,
    gate: Child,
    mock: Option<Child>,
    output: Vec<(&'static str, JoinHandle<String>)>,
    spans: Arc<Mutex<Vec<u8>>>,
    folder: TempDir,
}

/// As an upstream answers.
const STATUSES: [u16; 7] = [200, 429, 401, 404, 503, 400, 500];

impl Running {
    pub(crate) async fn start(kind: Kind) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (collector, spans) = collector().await;
        let mut mock = (kind != Kind::Echoes).then(|| spawn(&["mock", "--listen", "127.0.0.1:0", "--rpm", "60"]));
        let upstream = match &mut mock {
            Some(mock) => address(mock, "listening on").0,
            None => echo().await,
        };
        let config = config(kind, &folder, collector);
        let (url, any) = (format!("http://{upstream}"), "127.0.0.1:0");
        let flags = ["--config", &config, "--listen", any, "--admin", any, "--upstream", &url, "--log", "trace"];
        let mut gate = spawn(&[&["serve"][..], &flags].concat());
        let log = gate.stderr.take().expect("its log");
        let (listening, mut said) = address(&mut gate, "listening on");
        let mut line = String::new();
        said.read_line(&mut line).expect("a line");
        let admin = line.trim().rsplit('/').next().expect("an address").parse().expect("an address");
        let output = vec![("the log", read(log)), ("standard output", read(said))];
        let output = output.into_iter().chain([("what it says at its start", thread::spawn(move || line))]).collect();
        Self { kind, address: listening, admin, gate, mock, output, spans, folder }
    }

    /// What the pages of the admin port say to somebody who has the key in his headers, his body and his query.
    pub(crate) async fn pages(&self, key: &str) -> Shown {
        if self.kind == Kind::KeysOfApps {
            self.remembers("assistants-runs").await;
        }
        let mut shown = Shown::new();
        for (path, method, body) in [
            ("/status", "GET", ""),
            ("/metrics", "GET", ""),
            ("/history", "GET", ""),
            ("/events", "GET", ""),
            ("/", "GET", ""),
            ("/explain?method=POST&path=/v1/responses", "GET", ""),
            ("/healthz", "GET", ""),
            ("/readyz", "GET", ""),
            ("/log", "PUT", "canary=loud"),
            ("/nowhere", "POST", "canary"),
        ] {
            let page = self.page(method, path, key, body).await;
            shown.push((path.split('?').next().expect("a path"), page));
        }
        shown
    }

    async fn page(&self, method: &str, path: &str, key: &str, body: &str) -> String {
        let mark = if path.contains('?') { '&' } else { '?' };
        let head = format!("{method} {path}{mark}api_key={key} HTTP/1.1\r\nHost: {}\r\nConnection: close", self.admin);
        let request = format!("{head}\r\nAuthorization: Bearer {key}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let mut stream = TcpStream::connect(self.admin).await.expect("it listens");
        stream.write_all(request.as_bytes()).await.expect("it is sent");
        let mut page = Vec::new();
        // Whoever sends events does not end.
        let is_over = |page: &[u8]| path == "/events" && String::from_utf8_lossy(page).contains("event: status");
        let reading = async { while !is_over(&page) && stream.read_buf(&mut page).await.expect("it reads") > 0 {} };
        in_time(path, reading).await;
        String::from_utf8_lossy(&page).into_owned()
    }

    /// The history has a point every few seconds.
    async fn remembers(&self, pool: &str) {
        let remembered = async { while !self.page("GET", "/history", "", "").await.contains(pool) {} };
        in_time("the history", remembered).await;
    }

    /// Ends it, and gives what it has written down.
    pub(crate) fn end(&mut self) -> Shown {
        let kill = Command::new("kill").arg("-TERM").arg(self.gate.id().to_string()).status();
        assert!(kill.expect("kill runs").success());
        assert!(self.gate.wait().expect("it ends").success());
        let texts = self.output.drain(..).map(|(name, thread)| (name, thread.join().expect("a text")));
        let mut shown: Shown = texts.collect();
        for (name, file) in [("the access log", "access"), ("the state", "state")] {
            shown.push((name, fs::read_to_string(self.folder.path().join(file)).expect("a file")));
        }
        let spans = self.spans.lock().expect("no panic");
        shown.push(("the spans", String::from_utf8_lossy(&spans).into_owned()));
        shown
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for child in [Some(&mut self.gate), self.mock.as_mut()].into_iter().flatten() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// The built-in configuration, with everything on, a pool that few get past, and few requests for each client.
fn config(kind: Kind, folder: &TempDir, collector: SocketAddr) -> String {
    let file = |name: &str| folder.path().join(name).display().to_string();
    let upstream = match kind {
        Kind::KeysOfApps | Kind::Echoes => "",
        Kind::KeyOfItsOwn => "api_key_env = \"THE_KEY\"\nhttp2_connections = 1\n",
    };
    let upstream = format!("[upstream]\n{upstream}");
    let store = format!("[store]\npath = \"{}\"\n", file("state"));
    let log =
        format!("[log]\naccess = \"json\"\naccess_file = \"{}\"\notlp = \"http://{collector}\"\n", file("access"));
    let text = fs::read_to_string("config/default.toml").expect("a file");
    let text =
        text.replacen("[upstream]\n", &upstream, 1).replacen("[log]\n", &log, 1).replacen("[store]\n", &store, 1);
    let text = text.replacen("[queue]\n", "[queue]\nlog_wait = \"1s\"\n", 1);
    let text = text.replacen("[clients]\n", "[clients]\nquota = \"350/h\"\n", 1);
    let slow = "\n[pools.slow]\nrequests = [\"1/3s\"]\n[[routes]]\nmatch = \"POST /v1/slow\"\npools = [\"slow\"]\nkeepalive = \"1s\"\n";
    let rare = "\n[pools.rare]\nrequests = [\"1/h\"]\n[[routes]]\nmatch = \"POST /v1/rare\"\npools = [\"rare\"]\n";
    fs::write(file("tidegate.toml"), text + slow + rare).expect("is written");
    file("tidegate.toml")
}

/// An upstream that says what it was told: in headers, in words, and in the place of codes.
async fn echo() -> SocketAddr {
    let count = Arc::new(AtomicUsize::new(0));
    let answer = async move |headers: HeaderMap, body: String| {
        let status = STATUSES[count.fetch_add(1, Ordering::Relaxed) % STATUSES.len()];
        let key = headers.get("authorization").and_then(|key| key.to_str().ok()).unwrap_or_default().to_owned();
        let error = json!({ "message": format!("{key}: {body}"), "type": key, "code": key, "param": key });
        let limits = ["x-request-id", "x-ratelimit-limit-requests", "x-ratelimit-reset-tokens", "openai-organization"];
        let told: HeaderMap =
            limits.iter().map(|name| (name.parse().expect("a name"), key.parse().expect("a value"))).collect();
        (StatusCode::from_u16(status).expect("a status"), told, json!({ "error": error }).to_string())
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(axum::serve(listener, Router::new().fallback(answer)).into_future());
    address
}

async fn collector() -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    let spans = Arc::<Mutex<Vec<u8>>>::default();
    let taken = Arc::clone(&spans);
    let take = post(async move |body: Bytes| taken.lock().expect("no panic").extend_from_slice(&body));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(axum::serve(listener, Router::new().route("/v1/traces", take)).into_future());
    (address, spans)
}

fn spawn(arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    let command = command.env_clear().env("THE_KEY", "sk-canary-of-the-gate").args(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

/// The address in its first line, and the rest of what it says.
fn address(child: &mut Child, what: &str) -> (SocketAddr, BufReader<impl Read + use<>>) {
    let mut said = BufReader::new(child.stdout.take().expect("its output"));
    let mut line = String::new();
    said.read_line(&mut line).expect("a line");
    let address = line.trim().strip_prefix(what).and_then(|rest| rest.strip_prefix(" http://")?.parse().ok());
    (address.unwrap_or_else(|| panic!("no {what:?} in {line:?}")), said)
}

fn read(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut text = Vec::new();
        from.read_to_end(&mut text).expect("it is read");
        String::from_utf8_lossy(&text).into_owned()
    })
}
