use std::time::Duration;

use indexmap::IndexMap;
use serde::Serialize;

use super::foreign::ForeignUse;
use super::limit_set::LimitSet;
use super::refusal::MockRefusal;
use super::windows::ByWindow;
use crate::meter::millis;

/// The body of `/__mock/stats`. A window here is a minute, scaled as `--minute` says; the first starts with the first
/// request.
#[derive(Debug, Serialize)]
pub struct MockStats {
    /// Requests admitted.
    pub admitted: u64,
    /// Requests refused.
    pub denied: u64,
    /// Requests to endpoints that are gone.
    pub gone: u64,
    /// Milliseconds from the first arrival to the last.
    pub elapsed_ms: u64,
    /// Requests admitted, by window.
    pub admitted_by_window: ByWindow,
    /// Requests refused, by window.
    pub denied_by_window: ByWindow,
    /// Requests refused, by reason.
    pub denied_by_kind: IndexMap<MockRefusal, u64>,
    /// Every limit of every pool that a request took from.
    pub pools: Vec<PoolStats>,
    /// Every limit of every model that a request took from.
    pub models: Vec<PoolStats>,
}

/// One limit, of a pool or of a model.
#[derive(Debug, Serialize)]
pub struct PoolStats {
    /// The pool's name; else the model's, or that of its family.
    pub pool: String,
    /// The key of the pool's instance; for a model, the organization and project, where requests name them.
    pub key: Option<String>,
    /// The unit: `requests` or `tokens`.
    pub counts: &'static str,
    /// The limit without faults.
    pub limit: String,
    /// Milliseconds in its window, scaled.
    pub window_ms: u64,
    /// Requests admitted.
    pub admitted: u64,
    /// Requests refused, by this limit or another one.
    pub denied: u64,
    /// The most that arrived in any trailing window, refused or not.
    pub most_in_window: u32,
    /// What foreign traffic used.
    pub foreign: ForeignUse,
}

/// The requests so far, by outcome.
#[derive(Debug, Default)]
pub(super) struct MockCounts {
    pub(super) admitted: ByWindow,
    pub(super) denied: ByWindow,
    pub(super) by_kind: IndexMap<MockRefusal, u64>,
    pub(super) gone: u64,
    /// The time from the first to the last.
    pub(super) elapsed: Duration,
}

impl MockStats {
    pub(super) fn new(counts: &MockCounts, pools: Vec<PoolStats>, models: Vec<PoolStats>) -> Self {
        Self {
            admitted: counts.admitted.sum(),
            denied: counts.denied.sum(),
            gone: counts.gone,
            elapsed_ms: millis(counts.elapsed),
            admitted_by_window: counts.admitted.clone(),
            denied_by_window: counts.denied.clone(),
            denied_by_kind: counts.by_kind.clone(),
            pools,
            models,
        }
    }
}

impl PoolStats {
    /// The statistics of each limit of a set.
    pub(super) fn all<'b>(
        name: &'b str,
        key: Option<&'b str>,
        limit_set: &'b LimitSet,
    ) -> impl Iterator<Item = Self> + use<'b> {
        limit_set.limits.iter().map(move |limit| Self {
            pool: name.to_owned(),
            key: key.map(str::to_owned),
            counts: limit.measure.counts(),
            limit: limit.rate.to_string(),
            window_ms: millis(limit.meter.per()),
            admitted: limit_set.admitted,
            denied: limit_set.denied,
            most_in_window: limit.meter.most(),
            foreign: limit.foreign_use.clone(),
        })
    }
}
