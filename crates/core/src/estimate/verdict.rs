use std::time::Duration;

use super::subject::KeyKind;
use crate::route::RouteId;

/// What is believed about the limit of a pool instance.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// What is the matter.
    pub case: LimitCase,
    /// Which requests it concerns.
    pub scope: LimitScope,
    /// The limit, where there is one.
    pub limit: Option<LimitFigure>,
    /// How sure that is.
    pub certainty: Certainty,
    /// The probability of the case and the scope, given the evidence.
    pub probability: f64,
    /// What it rests on.
    pub evidence: EvidenceCount,
    /// What to do about it.
    pub action: LimitAction,
}

/// How much an estimate rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EvidenceCount {
    /// Accepted by the upstream.
    pub accepted: u64,
    /// Refused by it.
    pub refused: u64,
    /// At so many different times.
    pub episodes: u32,
}

/// What to do about a limit; [`Estimator::check`](super::Estimator::check) does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitAction {
    /// Nothing beside what is configured.
    Nothing,
    /// A pool of exactly this scope, one for each value of its key, that lets so much go in a window, evenly.
    Pace(LimitFigure),
    /// A pool of exactly this scope, one for each value of its key, that lets so many be in flight.
    Cap(u32),
    /// Pacing cannot help: send again what is refused, with backoff, and keep the configured rate.
    SendAgain,
    /// Let one request go now and then until one is accepted.
    Await,
    /// Do not send again: a person must act.
    HandBack,
}

/// What may be the matter with a pool instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LimitCase {
    /// The upstream takes what is sent.
    WithinLimits,
    /// Nothing has been answered, or what was refused has more than one explanation.
    NotEnoughEvidence,
    /// All that is configured is used.
    OwnLimit,
    /// The upstream's limit is lower than configured.
    LowerLimit,
    /// The upstream refuses bursts, and takes the configured rate evenly.
    Bursts,
    /// The upstream limits what is in flight.
    InFlight,
    /// Somebody else takes from the same limit.
    Shared,
    /// The upstream refuses some requests, whatever is sent.
    Throttled,
    /// The upstream refuses everything for a while.
    Incident,
    /// A person must act: quota, credit, a spend limit.
    Billing,
    /// There is nothing any more where these requests go.
    Gone,
    /// The upstream allows more than is configured.
    ConfiguredTooLow,
    /// The upstream does not answer.
    Unreachable,
    /// The upstream answers with errors, for example 401.
    Rejected,
}

/// Which requests a limit counts together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LimitScope {
    /// What they have in common.
    pub kind: ScopeKind,
    /// The route, if it is of one.
    pub route: Option<RouteId>,
    /// The key of which each value has a limit of its own.
    pub key: Option<KeyKind>,
}

/// What requests have in common that a limit counts together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScopeKind {
    /// The pool.
    Pool,
    /// A route in it.
    Route,
    /// Each value of a key.
    Key,
    /// All pools.
    Upstream,
}

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitFigure {
    /// How many.
    pub max: u32,
    /// In which window; none for what is in flight.
    pub window: Option<Duration>,
    /// Of what.
    pub counts: LimitUnit,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitUnit {
    /// Requests.
    Requests,
    /// Tokens.
    Tokens,
    /// What is sent and not over yet.
    InFlight,
}

/// How sure an estimate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// It is not.
    None,
    /// More likely than all else.
    Fair,
    /// At least 98 of 100 such estimates are right.
    High,
}
