use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::wording::Wording;
use crate::admission::{Cause, Confidence, InstanceState, RefusalBurst};
use crate::config::Pool;
use crate::limit::{EstimateView, LearnedUsage};
use crate::route::Table;

/// What is the matter with a pool instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DiagnosisStatus {
    /// Which cause it is.
    pub cause: CauseName,
    /// How sure that is.
    pub confidence: Sureness,
    /// The same in a sentence or two, with the numbers it rests on.
    pub text: String,
    /// What to do, if there is anything.
    pub advice: Option<String>,
    /// What it rests on.
    pub evidence: EvidenceStatus,
}

/// A cause; of two the later is the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CauseName {
    /// What is allowed suffices.
    WithinLimits,
    /// Nobody can say.
    NotEnoughEvidence,
    /// The upstream allows more than is configured, and requests wait for the configured figure.
    ConfiguredTooLow,
    /// All that is allowed is used.
    OwnLimit,
    /// The upstream refuses bursts.
    Bursts,
    /// The upstream's limit is lower than configured, or the configuration has none.
    LowerLimit,
    /// The upstream limits what is in flight.
    InFlight,
    /// Another program uses the same allotment.
    Shared,
    /// The upstream throttles, or has too much to do.
    Throttled,
    /// The upstream refuses everything for a while.
    Incident,
    /// The upstream answers with errors, for example 401.
    Rejected,
    /// The upstream does not answer.
    Unreachable,
    /// The endpoint is gone.
    Gone,
    /// Quota, credit or a spend limit.
    Billing,
}

/// How sure a cause is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Sureness {
    /// It is not.
    None,
    /// It was seen two or three times.
    Fair,
    /// It was seen more often, was counted here, or the upstream says so itself.
    High,
}

/// What was seen in the last minute or two, in requests, and the last refusals of the upstream.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EvidenceStatus {
    /// Asked for it.
    pub requested: u64,
    /// Had to wait for it.
    pub waited: u64,
    /// Were refused by the gate.
    pub turned_away: u64,
    /// Were accepted by the upstream.
    pub accepted: u64,
    /// Were accepted since the upstream last refused.
    pub accepted_since: u64,
    /// How much was used at most when one of those was accepted.
    pub peak: u64,
    /// Who asks most.
    pub requesters: Vec<RequesterStatus>,
    /// What the upstream refused in the last hour, the last of it last; those that were under way together are one.
    pub refusal_bursts: Vec<RefusalBurstStatus>,
}

/// Who asks.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RequesterStatus {
    /// Whose requests, by its label.
    pub client: String,
    /// Of which kind.
    pub route: String,
    /// How many.
    pub requests: u64,
}

/// Refusals of the upstream for one reason, of what was under way together.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RefusalBurstStatus {
    /// How long ago the first came back.
    pub ago_ms: u64,
    /// How many.
    pub refusals: u32,
    /// What they mean, as in `[upstream.refusals]`.
    pub cause: String,
    /// What was used by then.
    pub used: u64,
    /// Of how much.
    pub limit: Option<String>,
}

/// What has been learned of a pool instance, and is in force beside the configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LearnedStatus {
    /// What the upstream's limit is taken for: `unknown`, `lower`, `even`, `shared` or `reported`.
    pub estimate: Option<String>,
    /// The limit, where that is known.
    pub limit: Option<String>,
    /// The same as so many a second.
    pub limit_per_s: Option<f64>,
    /// How long that has been believed.
    pub for_ms: Option<u64>,
    /// It is known from before the start, and no answer has spoken of it since.
    pub recalled: bool,
    /// How long nobody goes.
    pub not_for_ms: Option<u64>,
    /// How often the upstream has refused.
    pub refusals: u64,
    /// How long ago it last did.
    pub refused_ago_ms: Option<u64>,
    /// What was used by then.
    pub used_then: u64,
}

/// How many who ask are named. A guess: as many as a sentence or a list bears.
const NAMED: usize = 10;

impl DiagnosisStatus {
    pub(super) fn new(pool: &Pool, routes: &Table, state: &InstanceState, now: Instant) -> Self {
        let wording = Wording { pool, routes, state, now };
        Self {
            cause: (&state.diagnosis.cause).into(),
            confidence: state.diagnosis.confidence.into(),
            text: wording.text(),
            advice: wording.advice(),
            evidence: EvidenceStatus::new(pool, routes, state, now),
        }
    }
}

impl EvidenceStatus {
    fn new(pool: &Pool, routes: &Table, state: &InstanceState, now: Instant) -> Self {
        let evidence = &state.evidence;
        let requesters = evidence.requesters.iter().take(NAMED).map(|(requester, requests)| RequesterStatus {
            client: requester.client.to_string(),
            route: routes.route(requester.route).name.clone(),
            requests: *requests,
        });
        Self {
            requested: evidence.requested,
            waited: evidence.waited,
            turned_away: evidence.turned_away,
            accepted: evidence.accepted,
            accepted_since: evidence.accepted_since,
            peak: evidence.peak,
            requesters: requesters.collect(),
            refusal_bursts: evidence.bursts.iter().map(|burst| RefusalBurstStatus::new(pool, burst, now)).collect(),
        }
    }
}

impl RefusalBurstStatus {
    fn new(pool: &Pool, burst: &RefusalBurst, now: Instant) -> Self {
        Self {
            ago_ms: millis(now.saturating_duration_since(burst.began)),
            refusals: burst.refusals,
            cause: burst.cause.to_string(),
            used: burst.level.used,
            limit: burst.level.limit.map(|limit| pool.rate_text(limit)),
        }
    }
}

impl LearnedStatus {
    pub(super) fn new(pool: &Pool, learned: &LearnedUsage, now: Instant) -> Self {
        let ago = |at: Instant| millis(now.saturating_duration_since(at));
        let (estimate, limit) = match learned.estimate {
            None => (None, None),
            Some(EstimateView::Unknown) => (Some("unknown"), None),
            Some(EstimateView::Lower { limit }) => (Some("lower"), Some(limit)),
            Some(EstimateView::Smooth { limit, .. }) => (Some("even"), Some(limit)),
            Some(EstimateView::Shared) => (Some("shared"), None),
            Some(EstimateView::Reported { limit, .. }) => (Some("reported"), Some(limit)),
        };
        Self {
            estimate: estimate.map(str::to_owned),
            limit: limit.map(|limit| pool.rate_text(limit.rounded())),
            limit_per_s: limit.map(|limit| f64::from(limit.amount()) / limit.per().as_secs_f64()),
            for_ms: learned.since.map(ago),
            recalled: learned.recalled,
            not_for_ms: learned.not_until.map(|until| millis(until.saturating_duration_since(now))),
            refusals: learned.refusals,
            refused_ago_ms: learned.refused_at.map(ago),
            used_then: learned.used_then,
        }
    }
}

impl CauseName {
    /// Every cause there is.
    pub const ALL: [Self; 14] = [
        Self::WithinLimits,
        Self::NotEnoughEvidence,
        Self::ConfiguredTooLow,
        Self::OwnLimit,
        Self::Bursts,
        Self::LowerLimit,
        Self::InFlight,
        Self::Shared,
        Self::Throttled,
        Self::Incident,
        Self::Rejected,
        Self::Unreachable,
        Self::Gone,
        Self::Billing,
    ];

    /// As it is written in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::WithinLimits => "within_limits",
            Self::NotEnoughEvidence => "not_enough_evidence",
            Self::ConfiguredTooLow => "configured_too_low",
            Self::OwnLimit => "own_limit",
            Self::Bursts => "bursts",
            Self::LowerLimit => "lower_limit",
            Self::InFlight => "in_flight",
            Self::Shared => "shared",
            Self::Throttled => "throttled",
            Self::Incident => "incident",
            Self::Rejected => "rejected",
            Self::Unreachable => "unreachable",
            Self::Gone => "gone",
            Self::Billing => "billing",
        }
    }
}

impl From<&Cause> for CauseName {
    fn from(cause: &Cause) -> Self {
        match cause {
            Cause::WithinLimits => Self::WithinLimits,
            Cause::NotEnoughEvidence { .. } => Self::NotEnoughEvidence,
            Cause::OwnLimit { .. } => Self::OwnLimit,
            Cause::Bursts { .. } => Self::Bursts,
            Cause::LowerLimit { .. } => Self::LowerLimit,
            Cause::Shared { .. } => Self::Shared,
            Cause::Throttled { .. } => Self::Throttled,
            Cause::Gone { .. } => Self::Gone,
            Cause::Billing { .. } => Self::Billing,
        }
    }
}

impl From<Confidence> for Sureness {
    fn from(confidence: Confidence) -> Self {
        match confidence {
            Confidence::None => Self::None,
            Confidence::Fair => Self::Fair,
            Confidence::High => Self::High,
        }
    }
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
