use std::time::Duration;

use http::Method;

use super::passing::Tries;
use crate::admission::ClientId;
use crate::limit::PoolId;
use crate::route::RouteId;

/// What is known of a request at its end.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Which kind of request it was.
    pub route: RouteId,
    /// Its method.
    pub method: Method,
    /// Whose it was.
    pub client: ClientId,
    /// How it ended.
    pub ended: Ended,
    /// As the client was told; nothing if it left before.
    pub status: Option<u16>,
    /// The gate's own, where the answer was the gate's.
    pub code: Option<&'static str>,
    /// The pool that it was refused for, if it was one.
    pub pool: Option<PoolId>,
    /// Whose answer it was; nothing if the client left before.
    pub source: Option<Source>,
    /// How often it was sent.
    pub attempts: u32,
    /// All its waits for its turn together.
    pub wait: Duration,
    /// From when it was last sent to the last byte of the answer; nothing if it was never sent.
    pub upstream: Option<Duration>,
    /// From its head to its end.
    pub total: Duration,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ended {
    /// The client has an answer of the upstream, whatever that says.
    Passed,
    /// The gate did not send it.
    Refused,
    /// It was sent, or was to be, and there is no answer.
    Failed,
    /// The client left before its answer, or in the middle of it.
    Left,
}

/// Whose answer it is, as `x-tidegate-source` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The upstream's own.
    Upstream,
    /// The gate's.
    Tidegate,
    /// The upstream's to somebody who asked the same.
    Coalesced,
}

impl Outcome {
    /// Of a request whose client leaves now.
    pub(super) fn left(route: RouteId, method: Method, client: ClientId) -> Self {
        Self {
            route,
            method,
            client,
            ended: Ended::Left,
            status: None,
            code: None,
            pool: None,
            source: None,
            attempts: 0,
            wait: Duration::ZERO,
            upstream: None,
            total: Duration::ZERO,
        }
    }

    /// What it has been through.
    pub(super) fn tried(&mut self, tries: Tries) {
        (self.attempts, self.wait) = (tries.sent, tries.waited);
    }

    /// Whether there is nothing to say of it beyond that it passed, and well.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let is_well = self.status.is_some_and(|status| status < 400);
        self.ended == Ended::Passed && is_well && self.wait.is_zero() && self.attempts < 2
    }
}

impl Ended {
    /// Every way to end.
    pub const ALL: [Self; 4] = [Self::Passed, Self::Refused, Self::Failed, Self::Left];

    /// In one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Left => "left",
        }
    }
}

impl Source {
    /// In one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Tidegate => "tidegate",
            Self::Coalesced => "coalesced",
        }
    }
}
