use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::diagnosis::{CauseName, Sureness, millis};
use crate::admission::{Cause, InstanceState, ReachedLimit};
use crate::config::Pool;
use crate::limit::{Rate, Unit};

/// What is believed of a pool instance, for programs; the words are in its diagnosis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EstimateStatus {
    /// What is the matter.
    pub case: CauseName,
    /// Which requests it concerns.
    pub scope: ScopeStatus,
    /// The limit that is meant, where there is one.
    pub limit: Option<FoundLimit>,
    /// How sure that is.
    pub confidence: Sureness,
    /// What it rests on.
    pub evidence: EvidenceSum,
}

/// Which requests a limit counts together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ScopeStatus {
    /// What they have in common.
    pub kind: ScopeName,
    /// The route, where the limit is of one.
    pub route: Option<String>,
    /// The key of which each value has a limit of its own: `path.thread_id`, `account`, `body.model`.
    pub key: Option<String>,
}

/// What requests have in common that a limit counts together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ScopeName {
    /// The pool instance.
    Pool,
    /// A route in it.
    Route,
    /// Each value of a key.
    Key,
    /// All pools together.
    Upstream,
}

/// A limit, as programs read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FoundLimit {
    /// How much there may be.
    pub max: u64,
    /// In how long; null for what is in flight.
    pub window_ms: Option<u64>,
    /// Of what.
    pub counts: CountedUnit,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CountedUnit {
    /// Requests.
    Requests,
    /// Tokens of a model.
    Tokens,
    /// Requests that are sent and not over yet.
    InFlight,
}

/// What an estimate rests on, in requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EvidenceSum {
    /// The upstream accepted.
    pub accepted: u64,
    /// It refused.
    pub refused: u64,
    /// At so many different times.
    pub episodes: u32,
}

impl EstimateStatus {
    pub(super) fn new(pool: &Pool, state: &InstanceState) -> Self {
        let evidence = &state.evidence;
        Self {
            case: (&state.diagnosis.cause).into(),
            scope: ScopeStatus { kind: ScopeName::Pool, route: None, key: None },
            limit: FoundLimit::of(pool, &state.diagnosis.cause),
            confidence: state.diagnosis.confidence.into(),
            evidence: EvidenceSum {
                accepted: evidence.accepted,
                refused: evidence.refused.by_upstream,
                episodes: u32::try_from(evidence.bursts.len()).unwrap_or(u32::MAX),
            },
        }
    }
}

impl FoundLimit {
    fn of(pool: &Pool, cause: &Cause) -> Option<Self> {
        match *cause {
            Cause::Bursts { limit, .. }
            | Cause::LowerLimit { limit, .. }
            | Cause::OwnLimit { limit: ReachedLimit::Window { limit, .. } } => Some(Self::rate(pool, limit)),
            Cause::OwnLimit { limit: ReachedLimit::InFlight(max) } => {
                Some(Self { max: max.into(), window_ms: None, counts: CountedUnit::InFlight })
            }
            Cause::OwnLimit { limit: ReachedLimit::Exhausted { figures, .. } } => {
                let counts = CountedUnit::from(figures.unit);
                figures.limit.map(|max| Self { max, window_ms: Some(millis(figures.per)), counts })
            }
            _ => None,
        }
    }

    fn rate(pool: &Pool, limit: Rate) -> Self {
        let per: Duration = limit.per();
        Self { max: limit.amount().into(), window_ms: Some(millis(per)), counts: pool.limits.unit.into() }
    }
}

impl From<Unit> for CountedUnit {
    fn from(unit: Unit) -> Self {
        match unit {
            Unit::Requests => Self::Requests,
            Unit::Tokens => Self::Tokens,
        }
    }
}
