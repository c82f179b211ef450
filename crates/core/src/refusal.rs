//! What the gate says when it refuses a request: the code, the message and the figures. The gate, `tidegate explain` and the
//! simulator use the same.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::admission::Reason;
use crate::limit::PoolId;
use crate::settings::PoolSettings;

/// The code of a response that the gate makes itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// A queue, or a bound on memory or on requests in flight, is full.
    QueueFull,
    /// The request could not be sent before its deadline.
    WaitTooLong,
    /// The request costs more than its pool ever admits.
    NeverFits,
    /// The client is over its own quota.
    ClientQuota,
    /// The gate is stopping.
    Draining,
    /// No connection to the upstream, or no valid response.
    UpstreamUnreachable,
    /// The upstream did not respond in time.
    UpstreamTimeout,
    /// The request cannot be forwarded.
    BadRequest,
    /// A web page of another site sent the request.
    CrossSite,
    /// The client asked for a tunnel.
    NoTunnel,
    /// The response is no event stream, and the client has the head of one already.
    NoStream,
    /// A defect in the gate.
    InternalError,
}

impl Code {
    /// As the client sees it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "tidegate_queue_full",
            Self::WaitTooLong => "tidegate_wait_too_long",
            Self::NeverFits => "tidegate_never_fits",
            Self::ClientQuota => "tidegate_client_quota",
            Self::Draining => "tidegate_draining",
            Self::UpstreamUnreachable => "tidegate_upstream_unreachable",
            Self::UpstreamTimeout => "tidegate_upstream_timeout",
            Self::BadRequest => "tidegate_bad_request",
            Self::CrossSite => "tidegate_cross_site",
            Self::NoTunnel => "tidegate_no_tunnel",
            Self::NoStream => "tidegate_no_stream",
            Self::InternalError => "tidegate_internal_error",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Reason> for Code {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::QueueFull { .. } | Reason::TooManyBytes { .. } | Reason::NoQueue { .. } => Self::QueueFull,
            Reason::WaitTooLong { .. } => Self::WaitTooLong,
            Reason::NeverFits { .. } => Self::NeverFits,
            Reason::Draining => Self::Draining,
        }
    }
}

/// What a client reads of a refusal.
#[derive(Clone, Debug, PartialEq)]
pub struct RefusalText {
    /// The code.
    pub code: Code,
    /// One sentence for people.
    pub message: String,
    /// The figures in it, for programs.
    pub details: Value,
}

impl RefusalText {
    /// Why the scheduler refuses a request of one of these pools.
    #[must_use]
    pub fn new(reason: Reason, pools: &[PoolSettings]) -> Self {
        let name = |pool: PoolId| format!("pool '{}' ({})", pools[pool.0].name, pools[pool.0].limits_text());
        let details = |pool: PoolId, waiting: usize| json!({ "pool": pools[pool.0].name, "limit": pools[pool.0].limits_text(), "waiting": waiting });
        let (message, details) = match reason {
            Reason::QueueFull { pool: None, waiting, eta } => (
                format!(
                    "the queue is full: {waiting} wait in all, as many as may; your turn would come in {}.",
                    seconds(eta)
                ),
                with_eta(json!({ "waiting": waiting }), eta),
            ),
            Reason::QueueFull { pool: Some(pool), waiting, eta } => (
                format!(
                    "{} has {waiting} waiting, as many as may; your turn would come in {}.",
                    name(pool),
                    seconds(eta)
                ),
                with_eta(details(pool, waiting), eta),
            ),
            Reason::TooManyBytes { pool, bytes } => too_many_bytes(&pools[pool.0], bytes),
            Reason::NoQueue { pool, eta } => (
                format!("{} has no room for {}, and nobody waits for it.", name(pool), seconds(eta)),
                with_eta(details(pool, 0), eta),
            ),
            Reason::WaitTooLong { pool, waiting, ahead, eta, max_wait } => {
                let before = if ahead == waiting { String::new() } else { format!(", {ahead} of them before you") };
                let mut details = with_eta(details(pool, waiting), eta);
                details["position"] = json!(ahead + 1);
                let message = format!(
                    "{} has {waiting} waiting{before}; your turn would come in {}, and you wait at most {}.",
                    name(pool),
                    seconds(eta),
                    seconds(max_wait)
                );
                (message, details)
            }
            Reason::NeverFits { pool, limit, cost } => (
                format!("this request costs {cost}, more than {} ever admits at {limit}.", name(pool)),
                details(pool, 0),
            ),
            Reason::Draining => ("the gate is stopping; send it again to the one that follows.".to_owned(), json!({})),
        };
        Self { code: reason.into(), message, details }
    }
}

fn too_many_bytes(pool: &PoolSettings, bytes: u64) -> (String, Value) {
    let message = format!(
        "those who wait for pool '{}' hold {bytes} bytes of bodies, and this one's find no room below {}; a larger \
         max_bytes of the pool makes some.",
        pool.name, pool.max_bytes
    );
    let details = json!({
        "pool": pool.name, "limit": pool.limits_text(), "held_bytes": bytes, "max_bytes": pool.max_bytes,
    });
    (message, details)
}

fn with_eta(mut details: Value, eta: Duration) -> Value {
    details["eta_ms"] = json!(u64::try_from(eta.as_millis()).unwrap_or(u64::MAX));
    details
}

/// Rounded up: a wait of 0 s would be none.
fn seconds(time: Duration) -> String {
    format!("{} s", time.as_millis().div_ceil(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::Limits;

    const POOL: PoolId = PoolId(0);

    /// What a client reads of a refusal by a pool of one request a second and 2000 bytes.
    fn text(reason: Reason) -> RefusalText {
        let limits = Limits { requests: vec!["1/s".parse().expect("a rate")], ..Limits::default() };
        let pool = PoolSettings { max_bytes: 2_000, ..PoolSettings::new("posts", limits) };
        RefusalText::new(reason, &[pool])
    }

    #[test]
    fn wait_too_long_names_position_in_queue() {
        let (eta, max_wait) = (Duration::from_millis(4_200), Duration::from_secs(2));
        let RefusalText { code, message, details } =
            text(Reason::WaitTooLong { pool: POOL, waiting: 9, ahead: 4, eta, max_wait });
        let said = "pool 'posts' (1/s) has 9 waiting, 4 of them before you; your turn would come in 5 s, and you wait at most \
                    2 s.";
        assert_eq!((code, &*message), (Code::WaitTooLong, said));
        assert_eq!(details, json!({ "pool": "posts", "limit": "1/s", "waiting": 9, "position": 5, "eta_ms": 4_200 }));
        let message = text(Reason::WaitTooLong { pool: POOL, waiting: 4, ahead: 4, eta, max_wait }).message;
        assert!(message.contains("has 4 waiting; your turn would come"), "{message}");
    }

    #[test]
    fn body_without_room_names_bytes_and_setting() {
        let RefusalText { message, details, .. } = text(Reason::TooManyBytes { pool: POOL, bytes: 1_900 });
        let named = ["1900 bytes", "2000", "max_bytes"];
        assert!(named.iter().all(|named| message.contains(named)), "{message}");
        assert_eq!(details, json!({ "pool": "posts", "limit": "1/s", "held_bytes": 1_900, "max_bytes": 2_000 }));
    }
}
