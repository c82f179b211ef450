use indexmap::IndexMap;
use serde::Serialize;

use super::budget::Budget;
use super::refusals::Refusal;
use super::tally::{ByWindow, Tally};
use crate::meter::millis;

/// What `/__mock/stats` says. A window here is a minute, as long as `--minute` says; the first begins with the first
/// request.
#[derive(Debug, Serialize)]
pub struct Stats {
    /// Requests that were let in.
    pub admitted: u64,
    /// Requests that were refused.
    pub denied: u64,
    /// Requests to what is gone.
    pub gone: u64,
    /// From the first arrival to the last, in milliseconds.
    pub elapsed_ms: u64,
    /// Requests that were let in, in each window.
    pub admitted_by_window: ByWindow,
    /// Requests that were refused, in each window.
    pub denied_by_window: ByWindow,
    /// Requests that were refused, by the reason.
    pub denied_by_kind: IndexMap<Refusal, u64>,
    /// Every limit of every pool that a request has come for.
    pub pools: Vec<PoolStats>,
    /// Every limit of every model that a request has come for.
    pub models: Vec<PoolStats>,
}

/// One limit, of a pool or of a model.
#[derive(Debug, Serialize)]
pub struct PoolStats {
    /// The pool, as in the configuration; else the model, or the family of models that share the limit.
    pub pool: String,
    /// Which instance of it; of a model, whose organization and project, where they are named.
    pub key: Option<String>,
    /// What it counts.
    pub counts: &'static str,
    /// The limit, in fair weather.
    pub limit: String,
    /// How long its window is, scaled, in milliseconds.
    pub window_ms: u64,
    /// Requests that were let in.
    pub admitted: u64,
    /// Requests that were refused, by this pool or another of theirs.
    pub denied: u64,
    /// The most that arrived in any trailing window, refused or not.
    pub most_in_window: u32,
    /// What somebody else took.
    pub foreign: Others,
}

/// What somebody else took of a limit.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Others {
    /// What was let in, in each window.
    #[serde(rename = "admitted_by_window")]
    pub admitted: ByWindow,
    /// What found no room.
    pub dropped: u64,
}

impl Stats {
    pub(super) fn new(tally: &Tally, pools: Vec<PoolStats>, models: Vec<PoolStats>) -> Self {
        Self {
            admitted: tally.admitted.sum(),
            denied: tally.denied.sum(),
            gone: tally.gone,
            elapsed_ms: millis(tally.elapsed),
            admitted_by_window: tally.admitted.clone(),
            denied_by_window: tally.denied.clone(),
            denied_by_kind: tally.by_kind.clone(),
            pools,
            models,
        }
    }
}

impl PoolStats {
    /// What there is to say of each limit of a budget.
    pub(super) fn all<'b>(
        name: &'b str,
        key: Option<&'b str>,
        budget: &'b Budget,
    ) -> impl Iterator<Item = Self> + use<'b> {
        budget.caps.iter().map(move |cap| Self {
            pool: name.to_owned(),
            key: key.map(str::to_owned),
            counts: cap.measure.counts(),
            limit: cap.rate.to_string(),
            window_ms: millis(cap.meter.per()),
            admitted: budget.admitted,
            denied: budget.denied,
            most_in_window: cap.meter.most(),
            foreign: cap.others.clone(),
        })
    }
}
