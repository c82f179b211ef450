use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::alone::alone;
use clap::Parser;
use serde::Deserialize;
use tidegate::admin::{AdminState, CauseName, PoolStatus, Status};
use tidegate::config::{Config, DEFAULT, Source};
use tidegate::gate::Gate;
use tidegate_lab::mock::{Mock, Options};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::crowd::{self, Crowd, Way};
use super::sockets::{self, Sockets};
use crate::bare::Bare;
use crate::clock::{Clock, in_time, real_sleep};

/// What the network takes at least, and how much more by chance, there and back each; and where chance starts.
const NETWORK: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(20));
const SEED: u64 = 1;

/// On sockets, so many requests must be over before the gate is believed.
const SEEN: u64 = 5;

/// On sockets, the time goes in steps of this length, each some moments of the machine's after the last.
const STEP: Duration = Duration::from_millis(50);
const GLANCE: Duration = Duration::from_millis(1);

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
    cause: CauseName,
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

    /// The one in the file of this name.
    pub(crate) fn named(name: &str) -> Self {
        Self::read(&Path::new("tests/scenarios").join(name).with_extension("toml"))
    }

    /// Plays it without sockets, on a clock that goes from one event to the next: the same in every run.
    pub(crate) fn play(self) -> Outcome {
        let mut runtime = Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build().expect("a runtime");
        runtime.block_on(async {
            let way = Bare::new(config(self.gate.as_ref()), &self.mock(), NETWORK, SEED);
            let watched = way.watched();
            let _crowds = self.start(&Arc::new(way));
            sleep(self.asked_after).await;
            self.outcome(&watched)
        })
    }

    /// Plays it on real sockets, until so many requests are over and the case is named rightly; load cannot change that it
    /// will be.
    pub(crate) async fn play_on_sockets(self, clock: &Clock) -> Outcome {
        let upstream = sockets::serve(self.mock()).await;
        let mut config = config(self.gate.as_ref());
        config.upstream.set_url(&format!("http://{upstream}")).expect("a URL");
        let gate = Gate::start(&config).expect("a gate");
        let watched = AdminState::new(&config, gate.clone());
        let _crowds = self.start(&Arc::new(Sockets::to(gate).await));
        let is_seen = || {
            let outcome = self.outcome(&watched);
            (outcome.status.totals.released >= SEEN && outcome.is_right()).then_some(outcome)
        };
        in_time(&self.name, async {
            loop {
                if let Some(outcome) = is_seen() {
                    return outcome;
                }
                clock.step(STEP).await;
                real_sleep(GLANCE).await;
            }
        })
        .await
    }

    fn start(&self, way: &Arc<impl Way>) -> Vec<JoinSet<()>> {
        self.crowd.iter().map(|crowd| crowd.start(way)).collect()
    }

    fn outcome(&self, watched: &AdminState) -> Outcome {
        Outcome { name: self.name.clone(), expected: self.expect.clone(), status: watched.status() }
    }

    fn mock(&self) -> Mock {
        let line = ["mock"].into_iter().map(str::to_owned).chain(self.mock.clone());
        let mut options = MockLine::parse_from(line).options;
        options.script = self.script.as_ref().map(|script| script.parse().expect("a script"));
        Mock::new(&config(self.upstream.as_ref().or(self.gate.as_ref())).settings(), options)
    }
}

impl Outcome {
    pub(crate) fn is_right(&self) -> bool {
        self.instance().is_some_and(|pool| pool.diagnosis.cause == self.expected.cause)
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
        self.status.pools.iter().filter(is_meant).max_by_key(|status| status.diagnosis.evidence.requested)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self { name, expected, .. }, right) = (self, if self.is_right() { "right" } else { "WRONG" });
        write!(f, "{right} {name:<36} {:?} of {}: ", expected.cause, expected.pool)?;
        match self.instance() {
            Some(pool) => f.write_str(&pool.diagnosis.text),
            None => f.write_str("there is no such instance"),
        }
    }
}

fn config(text: Option<&String>) -> Config {
    let text = text.map_or(DEFAULT, String::as_str);
    Config::parse(&Source::Text("scenario".to_owned()), &alone(text)).unwrap_or_else(|error| panic!("{error}"))
}
