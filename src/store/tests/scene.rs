use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::admission::{Admission, AdmissionRequest, PoolRules, Rules, Turn};
use crate::config::{Config, Pool, Source};
use crate::limit::{PoolId, Rate, SavedEstimate, SavedInstance, SavedLimit, Unit};
use crate::route::Ask;
use crate::store::names::Names;
use crate::store::{EVERY, Store};

pub(super) const CONFIG: &str = r#"
extends = "none"

[pools.posts]
requests = ["300/min"]

[pools.chat]
learn = true
key = ["body.model"]

[pools.threads]
requests = ["50/min"]
key = ["path.id"]

[[routes]]
match = "POST /v1/threads/{id}"
pools = ["threads"]

[[routes]]
match = "POST /v1/posts"
pools = ["posts"]

[[routes]]
match = "POST /v1/chat"
pools = ["chat"]
"#;

pub(super) fn config(text: &str) -> Config {
    Config::parse(&Source::Text("test".to_owned()), text).expect("a valid configuration")
}

pub(super) fn admission(config: &Config) -> Admission {
    let rules = PoolRules { max_waiting: 10, max_bytes: 0, max_wait: Duration::ZERO, refuse_when_full: false };
    let pools = config.pools.iter().map(|pool| (pool.limits.clone(), rules)).collect();
    Admission::start(Rules { pools, max_waiting: 10, weights: [].into(), ageing: EVERY })
}

pub(super) fn rate(text: &str) -> Rate {
    text.parse().expect("a rate")
}

pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn pool(config: &Config, name: &str, unit: Unit) -> PoolId {
    let is_meant = |pool: &Pool| pool.name == name && pool.limits.unit == unit;
    PoolId(config.pools.iter().position(is_meant).expect("a pool"))
}

/// What pools might have learned, a while ago.
pub(super) fn estimates(config: &Config) -> [SavedInstance; 3] {
    let ago = |secs| now().checked_sub(Duration::from_secs(secs)).expect("no test is at the beginning of time");
    let kept = |limit| SavedEstimate { limit, since: ago(90), heard: ago(60) };
    let lower = kept(SavedLimit::Lower { limit: rate("180/min") });
    let told = |limit| kept(SavedLimit::Reported { limit: rate(limit) });
    let chat = |unit, kept| SavedInstance { pool: pool(config, "chat", unit), key: "gpt-4o".into(), estimate: kept };
    [
        SavedInstance { pool: pool(config, "posts", Unit::Requests), key: "".into(), estimate: lower },
        chat(Unit::Requests, told("500/min")),
        chat(Unit::Tokens, told("30000/min")),
    ]
}

/// A gate with a file, which has learned something.
pub(super) struct Scene {
    pub(super) folder: TempDir,
    pub(super) path: PathBuf,
    pub(super) config: Config,
    pub(super) admission: Admission,
}

impl Scene {
    pub(super) fn new() -> Self {
        let scene = Self::unlearned();
        for estimate in estimates(&scene.config) {
            scene.admission.recall(&estimate).expect("it holds");
        }
        scene
    }

    /// A gate that has learned nothing.
    pub(super) fn unlearned() -> Self {
        let (folder, config) = (TempDir::new().expect("a folder"), config(CONFIG));
        let admission = admission(&config);
        Self { path: folder.path().join("state.json"), folder, config, admission }
    }

    pub(super) fn store(&self) -> Store {
        Store::open(&self.path, &self.config).expect("it can be written")
    }

    /// Saves what the gate of the scene knows, as it ends.
    pub(super) async fn save(&self) {
        self.store().save(&self.admission, true).await;
    }

    /// What a gate knows that starts with the file.
    pub(super) fn known_after_restart(&self, config: &Config) -> Vec<SavedInstance> {
        let again = admission(config);
        Store::open(&self.path, config).expect("it can be written").recall(&again, false);
        again.saved_estimates()
    }

    pub(super) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).expect("a folder");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name")).collect();
        names.retain(|name| name != "state.json.lock");
        names.sort();
        names
    }
}

impl Scene {
    /// The same folder, without the gate.
    pub(super) fn again(&self) -> Self {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("state.json");
        fs::copy(&self.path, &path).expect("a file");
        Self { path, folder, config: config(CONFIG), admission: admission(&self.config) }
    }

    pub(super) fn names_of(&self) -> Names {
        Names::new(&self.config)
    }

    pub(super) fn ask(&self, pool_name: &str, key: &str, cost: u32) -> Ask {
        let key = Some(key).filter(|key| !key.is_empty()).map(Into::into);
        Ask { pool: pool(&self.config, pool_name, Unit::Requests), key, cost: Some(cost) }
    }

    /// Sends so many through the gate of the scene; says how many went.
    pub(super) fn send(&self, pool_name: &str, key: &str, count: usize) -> usize {
        self.send_to(&self.admission, pool_name, key, count)
    }

    pub(super) fn send_to(&self, gate: &Admission, pool_name: &str, key: &str, count: usize) -> usize {
        let ask = self.ask(pool_name, key, 1);
        let sent =
            (0..count).map_while(|_| match gate.request(std::slice::from_ref(&ask), AdmissionRequest::default()) {
                Ok(Turn::Now(permit)) => {
                    let (place, in_flight) = permit.split();
                    place.sent();
                    drop(in_flight);
                    Some(())
                }
                _ => None,
            });
        sent.count()
    }

    /// What a window of a gate holds; nothing where there is no such instance.
    pub(super) fn used(&self, gate: &Admission, pool_name: &str, key: &str) -> Option<u64> {
        let pool = pool(&self.config, pool_name, Unit::Requests);
        let saved = gate.saved_state().instances.into_iter();
        let mut meant = saved.filter(|used| used.pool.pool == pool && &*used.pool.key == key);
        let windows = meant.next()?.pool.usage.windows;
        Some(windows.first().map_or(0, |window| window.spent.iter().map(|&(_, cost)| cost).sum()))
    }
}

/// What is logged by this test.
#[derive(Clone, Default)]
pub(super) struct Logged(Arc<Mutex<Vec<u8>>>);

impl Logged {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no panic").clone()).expect("a text")
    }
}

impl Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn log() -> (tracing::subscriber::DefaultGuard, Logged) {
    let logged = Logged::default();
    let writer = logged.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    (tracing::subscriber::set_default(subscriber), logged)
}
