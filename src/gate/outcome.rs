use std::time::Duration;

use http::Method;

use crate::admission::ClientId;
use crate::limit::PoolId;
use crate::route::{RouteId, method_name};
use crate::upstream::Obstacle;

/// A request at its end.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its route.
    pub route: RouteId,
    /// Its method.
    pub method: Method,
    /// Its client.
    pub client: ClientId,
    /// How it ended.
    pub end: End,
    /// The status the client got; none if the client left before.
    pub status: Option<u16>,
    /// The gate's error code, if the gate answered.
    pub code: Option<&'static str>,
    /// The pool that refused it, if one did.
    pub pool: Option<PoolId>,
    /// What kept it from a complete response of the upstream, if something there did.
    pub obstacle: Option<Obstacle>,
    /// Whose answer it got; none if the client left before.
    pub source: Option<Source>,
    /// How often it was sent.
    pub attempts: u32,
    /// All its waits in the queue together.
    pub wait: Duration,
    /// From the last time it was sent to the last byte of the response; none if it never was sent.
    pub upstream: Option<Duration>,
    /// From its head to its end.
    pub total: Duration,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// The client got a response of the upstream, whatever its status.
    Passed,
    /// The gate did not send it.
    Refused,
    /// It was sent, or about to be, and there is no response.
    Failed,
    /// The client left before the response was complete.
    Left,
}

/// Whose answer it is, as `x-tidegate-source` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The upstream's, to this request.
    Upstream,
    /// The gate's.
    Tidegate,
    /// The upstream's, to another request for the same.
    Coalesced,
}

impl Outcome {
    /// Of a request whose client leaves at once.
    pub(super) fn of(route: RouteId, method: Method, client: ClientId) -> Self {
        Self {
            route,
            method,
            client,
            end: End::Left,
            status: None,
            code: None,
            pool: None,
            obstacle: None,
            source: None,
            attempts: 0,
            wait: Duration::ZERO,
            upstream: None,
            total: Duration::ZERO,
        }
    }

    /// Whether the log has nothing to say but that it passed.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let is_success = self.status.is_some_and(|status| status < 400);
        self.end == End::Passed && is_success && self.wait.is_zero() && self.attempts < 2
    }

    pub(super) fn log(&self, route: &str) {
        let (method, status, code) = (method_name(self.method.as_str()), self.status, self.code);
        let (wait_ms, total_ms) = (millis(self.wait), millis(self.total));
        let attempts = (self.attempts > 1).then_some(self.attempts);
        match self.end {
            End::Passed if self.is_plain() => tracing::debug!(method, route, status, total_ms, "passed"),
            End::Passed => tracing::info!(method, route, status, wait_ms, attempts, total_ms, "passed"),
            End::Refused | End::Failed => {
                tracing::info!(method, route, status, code, wait_ms, attempts, total_ms, "not passed");
            }
            End::Left => tracing::info!(method, route, status, total_ms, "the client left"),
        }
    }
}

impl End {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Passed, Self::Refused, Self::Failed, Self::Left];

    /// As metrics and logs name it.
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
    /// As `x-tidegate-source` says.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Tidegate => "tidegate",
            Self::Coalesced => "coalesced",
        }
    }
}

/// In whole milliseconds, as headers and logs have it.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
