use std::iter;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::config_view::ConfigView;
use super::diagnosis::{CauseName, DiagnosisStatus, LearnedStatus, millis};
use super::estimate::EstimateStatus;
use super::rank::{Cost, Rank};
use crate::admission::{InstanceState, RecentWaits, Waiters};
use crate::client::Clients;
use crate::config::Pool;
use crate::limit::{Rate, Unit};

/// One pool instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PoolStatus {
    /// As it is called in the configuration.
    pub name: String,
    /// Which instance of the pool; nothing where it has only one.
    pub key: Option<String>,
    /// What it counts: `requests`, or `tokens` of a model.
    pub counts: String,
    /// The routes that take from it, as they are written in the configuration.
    pub routes: Vec<String>,
    /// Each limit as it is configured, and what of it is used.
    pub limits: Vec<LimitStatus>,
    /// The limit that is nearest to its end, configured or learned; nothing where none is known.
    pub in_force: Option<InForceStatus>,
    /// Granted and not sent yet (cost).
    pub reserved: u64,
    /// Granted and not over yet (requests).
    pub in_flight: u32,
    /// How many may be at most.
    pub max_in_flight: Option<u32>,
    /// How many requests wait for it.
    pub waiting: usize,
    /// How many of them wait for this instance itself, and not for another that they need as well.
    pub held: usize,
    /// How long the first of those has waited.
    pub oldest_ms: Option<u64>,
    /// What the others wait for, where that is the same pool and key: `requests` or `tokens`.
    pub waits_for: Option<String>,
    /// The same by priority.
    pub waiting_by: WaitingBy,
    /// The same by client, who has most first; the first ten.
    pub waiting_for: Vec<WaitingFor>,
    /// How long one that comes now would wait: of a client with nothing in line or, if `?client=LABEL` was asked for, of that
    /// one, behind its own.
    pub eta_ms: u64,
    /// How long the requests that went in the last minute had waited for it.
    pub waits: WaitsStatus,
    /// In how long the first goes who waits here; nothing where nobody does, or he waits for what is in flight.
    pub head_goes_in_ms: Option<u64>,
    /// How many requests the gate has refused for its sake, for as long as it has been there.
    pub refused: u64,
    /// How many the upstream has refused.
    pub upstream_refused: u64,
    /// How long it has kept those who wait for longer than they were told, or nobody goes as the upstream refused.
    pub stalled_ms: Option<u64>,
    /// What has been learned of it, and is in force beside the configuration.
    pub learned: Option<LearnedStatus>,
    /// Its place in the order of what matters, in which `worst` is as well: 0 matters most.
    pub rank: usize,
    /// How many requests failed because of it in the last minutes.
    pub failures: u64,
    /// What is believed of it, for programs.
    #[serde(flatten)]
    pub estimate: EstimateStatus,
    /// What is the matter with it, in words.
    pub diagnosis: DiagnosisStatus,
}

/// One limit of a pool instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LimitStatus {
    /// As it is written.
    pub limit: String,
    /// How much each window may hold.
    pub max: u32,
    /// How long a window is.
    pub window_ms: u64,
    /// What the trailing window holds.
    pub used: u64,
}

/// The limit that decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct InForceStatus {
    /// As people say it: `300/min`, `200000 tokens/min`, `50 in flight`.
    pub limit: String,
    /// How much there is.
    pub max: u64,
    /// How much of it is used.
    pub used: u64,
}

/// How long the requests that went in the last minute had waited; parts of them as bounds, which are up to a third longer
/// than it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WaitsStatus {
    /// How many went.
    pub requests: u64,
    /// One half waited no longer.
    pub p50_ms: u64,
    /// All but a twentieth waited no longer.
    pub p95_ms: u64,
    /// The longest wait.
    pub max_ms: u64,
}

/// How many wait, by priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WaitingBy {
    /// Before everything else.
    pub high: usize,
    /// As most.
    pub normal: usize,
    /// After the others.
    pub low: usize,
}

/// How many wait of one client.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WaitingFor {
    /// By its label.
    pub client: String,
    /// How many of its requests.
    pub requests: usize,
    /// How long its next request would wait, behind those; only for the first three.
    pub next_ms: Option<u64>,
}

impl PoolStatus {
    /// Whether there is something to be said of it.
    #[must_use]
    pub fn is_finding(&self) -> bool {
        match self.diagnosis.cause {
            CauseName::WithinLimits => self.cost().is_worth_a_word(),
            CauseName::NotEnoughEvidence => self.diagnosis.advice.is_some() || self.cost().is_worth_a_word(),
            _ => true,
        }
    }

    /// What it costs.
    pub(super) fn cost(&self) -> Cost {
        Cost { waiting: self.held, oldest_ms: self.oldest_ms.unwrap_or_default(), failures: self.failures }
    }

    /// Who waits, in a few words: `18 wait`, or `18 wait for tokens`; nothing where none does.
    #[must_use]
    pub fn line(&self) -> Option<String> {
        let waits = match self.waiting {
            0 => return None,
            1 => "1 waits".to_owned(),
            many => format!("{many} wait"),
        };
        match &self.waits_for {
            Some(other) if self.held == 0 => Some(format!("{waits} for {other}")),
            None if self.held == 0 => Some(format!("{waits} for another pool")),
            _ => Some(waits),
        }
    }

    /// Says of each instance for what those wait that need it and do not wait for it: another one with its name and key.
    pub(super) fn tell_siblings(pools: &mut [Self]) {
        let held = |pool: &&Self| pool.held > 0;
        let holders: Vec<_> =
            pools.iter().filter(held).map(|pool| (pool.name.clone(), pool.key.clone(), pool.counts.clone())).collect();
        for pool in pools.iter_mut().filter(|pool| pool.waiting > pool.held) {
            let other = holders
                .iter()
                .find(|(name, key, counts)| *name == pool.name && *key == pool.key && *counts != pool.counts);
            pool.waits_for = other.map(|(_, _, counts)| counts.clone());
        }
    }

    /// How much it matters.
    pub(super) fn weight(&self) -> Rank {
        Rank::new(self.cost(), self.diagnosis.cause, self.in_force.as_ref().map_or(0, InForceStatus::thousandths))
    }

    /// As people speak of it: the pool, which instance of it, and what it counts where that is not requests.
    #[must_use]
    pub fn label(&self) -> String {
        label(&self.name, self.key.as_deref().unwrap_or_default(), &self.counts)
    }

    pub(super) fn new(config: &ConfigView, state: &InstanceState, now: Instant) -> Self {
        let pool = &config.pools[state.pool.0];
        let left = |until: Instant| millis(until.saturating_duration_since(now));
        Self {
            name: pool.name.clone(),
            key: (!state.key.is_empty()).then(|| state.key.to_string()),
            counts: counts(pool).to_owned(),
            routes: config.routes_of[state.pool.0].clone(),
            limits: state.usage.windows.iter().map(|&(limit, used)| LimitStatus::new(limit, used)).collect(),
            in_force: InForceStatus::new(pool, state),
            reserved: state.usage.reserved,
            in_flight: state.usage.in_flight,
            max_in_flight: pool.limits.in_flight.map(Into::into),
            waiting: state.waiting,
            held: state.waiters.held,
            waits_for: None,
            oldest_ms: state.waiters.oldest.map(|oldest| millis(now.saturating_duration_since(oldest))),
            waiting_by: WaitingBy::from(&state.waiters),
            waiting_for: waiting_for(state),
            eta_ms: millis(state.eta),
            waits: state.waits.into(),
            head_goes_in_ms: state.head_goes.map(left),
            refused: state.evidence.refused.by_gate,
            upstream_refused: state.evidence.refused.by_upstream,
            stalled_ms: state.stalled_since.map(|since| millis(now.saturating_duration_since(since))),
            learned: state.usage.learned.as_ref().map(|learned| LearnedStatus::new(pool, learned, now)),
            rank: 0,
            failures: Cost::of(state, now).failures,
            estimate: EstimateStatus::new(pool, state),
            diagnosis: DiagnosisStatus::new(pool, &config.routes, state, now),
        }
    }
}

/// As people speak of a pool instance.
pub(super) fn label(name: &str, key: &str, counts: &str) -> String {
    let parts = key.split(' ').filter(|part| !part.is_empty() && *part != "-");
    let key: String = parts.flat_map(|part| [" ", part]).collect();
    let counts = if counts == "requests" { String::new() } else { format!(" ({counts})") };
    format!("{name}{key}{counts}")
}

/// What a pool counts.
pub(super) fn counts(pool: &Pool) -> &'static str {
    if pool.limits.unit == Unit::Tokens { "tokens" } else { "requests" }
}

impl LimitStatus {
    fn new(limit: Rate, used: u64) -> Self {
        Self { limit: limit.to_string(), max: limit.amount(), window_ms: millis(limit.per()), used }
    }
}

impl InForceStatus {
    /// Of a rate and what may be in flight it is the one that is used more.
    pub(super) fn new(pool: &Pool, state: &InstanceState) -> Option<Self> {
        let by_rate = state.fill.map(|fill| Self {
            limit: pool.rate_text(fill.limit.rounded()),
            max: fill.limit.amount().into(),
            used: fill.used,
        });
        let in_flight = pool.limits.in_flight.map(|most| Self {
            limit: format!("{most} in flight"),
            max: u32::from(most).into(),
            used: state.usage.in_flight.into(),
        });
        by_rate.into_iter().chain(in_flight).max_by(|one, other| one.ratio().total_cmp(&other.ratio()))
    }

    /// How much of it is used, in thousandths.
    pub(super) fn thousandths(&self) -> u64 {
        self.used * 1_000 / self.max.max(1)
    }

    /// Which part of it is used, where 1 is all.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        let number = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        number(self.used) / number(self.max.max(1))
    }
}

impl From<RecentWaits> for WaitsStatus {
    fn from(RecentWaits { requests, p50, p95, longest }: RecentWaits) -> Self {
        Self { requests, p50_ms: millis(p50), p95_ms: millis(p95), max_ms: millis(longest) }
    }
}

impl From<&Waiters> for WaitingBy {
    fn from(standing: &Waiters) -> Self {
        let [high, normal, low] = standing.by;
        Self { high, normal, low }
    }
}

fn waiting_for(state: &InstanceState) -> Vec<WaitingFor> {
    let next = state.next_of.iter().map(|&next| Some(millis(next))).chain(iter::repeat(None));
    let waits = state.waiters.of.iter().zip(next);
    waits
        .map(|(&(client, requests), next_ms)| WaitingFor { client: Clients::label(client), requests, next_ms })
        .collect()
}

/// A wait, as `/history` and `/events` say it.
pub(super) fn eta_ms(eta: Duration) -> u32 {
    u32::try_from(eta.as_millis()).unwrap_or(u32::MAX)
}
