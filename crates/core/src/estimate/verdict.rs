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
    /// How many refusals it rests on.
    pub refusals: u64,
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
    pub counts: Counts,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// Requests.
    Requests,
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
