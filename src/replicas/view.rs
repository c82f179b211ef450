use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::time;

use crate::config::SharedStore;
use crate::replica::{PARTS, ShareState};

/// What is seen of a gate's part in a shared account. It is cheap to clone; all clones are the same.
#[derive(Clone, Debug)]
pub struct ReplicaView(Arc<Mutex<Seen>>);

#[derive(Clone, Debug)]
struct Seen {
    gate: String,
    url: String,
    group: String,
    state: ShareState,
    promise: u64,
    gates: u64,
    heard: Option<Instant>,
    turns: u64,
    failures: u64,
    slowest: Duration,
}

/// How the limits are shared with other gates.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ReplicaStatus {
    /// This gate's name in the store: another one at each start.
    pub gate: String,
    /// Where the store is.
    pub url: String,
    /// The gates that share the limits have this in common.
    pub group: String,
    /// `leasing`; `joining` before the first answer; without the store `cut`, which sends nothing, `share`, or `open`.
    pub state: String,
    /// How many gates share the limits, this one included.
    pub gates: u64,
    /// The part of each limit that is this gate's without the store, in per cent.
    pub outage_share_percent: f64,
    /// How long ago the store answered, in milliseconds; null if it never has.
    pub heard_ms_ago: Option<u64>,
    /// Calls to the store since the start, those that failed included.
    pub turns: u64,
    /// Those that failed.
    pub failures: u64,
    /// The slowest call that was answered, in microseconds.
    pub slowest_turn_us: u64,
}

impl ReplicaView {
    pub(super) fn new(gate: String, store: &SharedStore) -> Self {
        Self(Arc::new(Mutex::new(Seen {
            gate,
            url: store.url.to_string(),
            group: store.group.clone(),
            state: ShareState::Joining,
            promise: 0,
            gates: 1,
            heard: None,
            turns: 0,
            failures: 0,
            slowest: Duration::ZERO,
        })))
    }

    pub(super) fn turned(&self, took: Duration, is_answered: bool) {
        self.with(|seen| {
            seen.turns += 1;
            seen.failures += u64::from(!is_answered);
            if is_answered {
                seen.slowest = seen.slowest.max(took);
            }
        });
    }

    pub(super) fn follow(&self, state: ShareState, promise: u64, gates: u64, heard: Option<Instant>) {
        self.with(|seen| (seen.state, seen.promise, seen.gates, seen.heard) = (state, promise, gates, heard));
    }

    /// For `/status`.
    #[must_use]
    pub fn status(&self) -> ReplicaStatus {
        let now = time::Instant::now().into_std();
        self.with(|seen| ReplicaStatus {
            gate: seen.gate.clone(),
            url: seen.url.clone(),
            group: seen.group.clone(),
            state: word(seen.state).to_owned(),
            gates: seen.gates,
            outage_share_percent: f64::from(u32::try_from(seen.promise * 10_000 / PARTS).unwrap_or(0)) / 100.0,
            heard_ms_ago: seen.heard.map(|at| whole(now.saturating_duration_since(at).as_millis())),
            turns: seen.turns,
            failures: seen.failures,
            slowest_turn_us: whole(seen.slowest.as_micros()),
        })
    }

    fn with<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(super) fn word(state: ShareState) -> &'static str {
    match state {
        ShareState::Joining => "joining",
        ShareState::Leasing => "leasing",
        ShareState::Cut => "cut",
        ShareState::OnShare => "share",
        ShareState::Open => "open",
    }
}

fn whole(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
