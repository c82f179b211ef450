use std::fmt;
use std::future::pending;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use clap::Parser;
use serde::Deserialize;
use tidegate::admin::{self, CaseName, PoolStatus, Status, Watched};
use tidegate::config::{Config, DEFAULT, Source};
use tidegate::mock::{Mock, Options};
use tidegate::proxy::{self, Gate};
use tokio::net::TcpListener;

use super::crowd::{self, Crowd};

/// A scenario, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// As its file is called.
    #[serde(skip)]
    pub(crate) name: String,
    /// The gate's configuration; the built-in one if nothing.
    gate: Option<String>,
    /// What the upstream enforces; as the gate is configured if nothing.
    upstream: Option<String>,
    /// Options of the stand-in.
    #[serde(default)]
    mock: Vec<String>,
    /// How its weather changes.
    script: Option<String>,
    /// Who sends what.
    crowd: Vec<Crowd>,
    /// When the gate is asked what it makes of it.
    #[serde(with = "crowd::time")]
    pub(crate) asked_after: Duration,
    expect: Expected,
}

/// What is true.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    case: CaseName,
    pool: String,
    /// What the key of the instance contains.
    #[serde(default)]
    key: String,
    #[serde(default = "requests")]
    counts: String,
}

fn requests() -> String {
    "requests".to_owned()
}

/// What the gate made of it.
pub(crate) struct Outcome {
    pub(crate) name: String,
    expected: Expected,
    status: Status,
}

#[derive(Parser)]
struct MockLine {
    #[command(flatten)]
    options: Options,
}

impl Scenario {
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).expect("a text");
        let scenario: Self = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { name: path.file_stem().expect("a name").to_string_lossy().into_owned(), ..scenario }
    }

    pub(crate) async fn play(self) -> Outcome {
        let upstream = self.serve_upstream().await;
        let (gate, admin) = self.serve_gate(upstream).await;
        let crowds: Vec<_> = self.crowd.iter().map(|crowd| crowd.clone().start(gate)).collect();
        tokio::time::sleep(self.asked_after).await;
        let status = crowd::get(admin, "/status").await;
        drop(crowds);
        let status = serde_json::from_slice(&status).expect("a status");
        Outcome { name: self.name, expected: self.expect, status }
    }

    async fn serve_upstream(&self) -> SocketAddr {
        let line = ["mock"].into_iter().map(str::to_owned).chain(self.mock.clone());
        let mut options = MockLine::parse_from(line).options;
        options.script = self.script.as_ref().map(|script| script.parse().expect("a script"));
        let mock = Mock::new(&config(self.upstream.as_ref().or(self.gate.as_ref())), options);
        let (listener, address) = listen().await;
        tokio::spawn(mock.run(listener, pending()));
        address
    }

    /// Where apps find the gate, and where people do.
    async fn serve_gate(&self, upstream: SocketAddr) -> (SocketAddr, SocketAddr) {
        let mut config = config(self.gate.as_ref());
        config.upstream.set_url(&format!("http://{upstream}")).expect("a URL");
        let gate = Gate::start(&config).expect("a gate");
        let watched = Watched::new(&config, gate.clone());
        let ((listener, address), (admin_listener, admin)) = (listen().await, listen().await);
        tokio::spawn(proxy::run(gate, listener, Duration::ZERO, pending()));
        tokio::spawn(admin::run(watched, admin_listener, pending()));
        (address, admin)
    }
}

impl Outcome {
    pub(crate) fn is_right(&self) -> bool {
        self.instance().is_some_and(|pool| pool.diagnosis.case == self.expected.case)
    }

    /// Everything that the gate says of the instance.
    pub(crate) fn evidence(&self) -> serde_json::Value {
        serde_json::to_value(self.instance()).expect("JSON")
    }

    fn instance(&self) -> Option<&PoolStatus> {
        let Expected { pool, key, counts, .. } = &self.expected;
        let is_meant = |status: &&PoolStatus| {
            status.name == *pool && status.counts == *counts && status.key.as_deref().unwrap_or_default().contains(key)
        };
        self.status.pools.iter().filter(is_meant).max_by_key(|status| status.diagnosis.evidence.asked)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self { name, expected, .. }, right) = (self, if self.is_right() { "right" } else { "WRONG" });
        write!(f, "{right} {name:<36} {:?} of {}: ", expected.case, expected.pool)?;
        match self.instance() {
            Some(pool) => f.write_str(&pool.diagnosis.text),
            None => f.write_str("there is no such instance"),
        }
    }
}

fn config(text: Option<&String>) -> Config {
    let text = text.map_or(DEFAULT, String::as_str);
    Config::parse(&Source::Text("scenario".to_owned()), text).unwrap_or_else(|error| panic!("{error}"))
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}
