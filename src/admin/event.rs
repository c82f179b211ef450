use serde::{Deserialize, Serialize};

use super::clock::TwoClocks;
use super::config_view::ConfigView;
use super::diagnosis::CauseName;
use super::pool::{counts, label};
use super::wording::Wording;
use crate::admission::{InstanceState, RefusalBurst, Snapshot};

/// Refusals of the upstream for one reason, of what was under way together.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EventStatus {
    /// When the first came back, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// The pool instance that they are put down to, as people speak of it.
    pub pool: String,
    /// Which instance it is; nothing where the pool has only one.
    pub key: Option<String>,
    /// How many.
    pub refusals: u32,
    /// What they mean, as in `[upstream.refusals]`.
    pub refusal_cause: String,
    /// What is the matter with that instance by now.
    pub cause: CauseName,
    /// The same in a sentence or two.
    pub text: String,
}

/// How many are told. A guess: some minutes of trouble.
const TOLD: usize = 100;

impl EventStatus {
    /// The last of the last hour, the newest last.
    pub(super) fn all(config: &ConfigView, snapshot: &Snapshot, clock: TwoClocks) -> Vec<Self> {
        let of = |state| -> Vec<_> { bursts(state).map(|burst| (burst.began, burst, state)).collect() };
        let mut all: Vec<_> = snapshot.instances.iter().flat_map(of).collect();
        all.sort_by_key(|&(began, ..)| began);
        let told = &all[all.len().saturating_sub(TOLD)..];
        told.iter().map(|(_, burst, state)| Self::new(config, state, burst, clock)).collect()
    }

    fn new(config: &ConfigView, state: &InstanceState, burst: &RefusalBurst, clock: TwoClocks) -> Self {
        let pool = &config.pools[state.pool.0];
        let wording = Wording { pool, routes: &config.routes, state, now: clock.now };
        Self {
            at_ms: clock.ms_at(burst.began),
            pool: label(&pool.name, &state.key, counts(pool)),
            key: (!state.key.is_empty()).then(|| state.key.to_string()),
            refusals: burst.refusals,
            refusal_cause: burst.cause.to_string(),
            cause: (&state.diagnosis.cause).into(),
            text: wording.text(),
        }
    }
}

fn bursts(state: &InstanceState) -> impl Iterator<Item = &RefusalBurst> {
    state.evidence.bursts.iter()
}
