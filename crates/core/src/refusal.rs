//! Why the gate refuses a request: one type, for the gate, `explain` and `simulate`.
//!
//! A [`Reason`] says what is the matter, with its figures; its [`Code`] is what programs read, its
//! [`message`](Reason::message) what people read. The gate turns a [`Refusal`] into HTTP.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::limit::{PoolId, Rate};
use crate::settings::PoolSettings;

/// Why a request will not go, and when it is worth coming back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// How long the client should stay away: 1 to 60 s, another time for each refused request.
    pub retry_after: Duration,
    /// Coming back, even as often as an official SDK does, cannot help.
    pub pointless: bool,
    /// The upstream's own limit, if one was learned of the pool that the request would wait for.
    pub learned: Option<Rate>,
}

/// What the gate's own answers carry in `error.code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// No more requests, or no more bytes, may wait.
    QueueFull,
    /// The request cannot be sent before its deadline.
    WaitTooLong,
    /// The request costs more than its pool ever admits.
    NeverFits,
    /// The client has used its own quota.
    ClientQuota,
    /// The gate is stopping.
    Draining,
    /// No connection to the upstream.
    UpstreamUnreachable,
    /// The upstream did not answer in time.
    UpstreamTimeout,
    /// The request is malformed, or its body did not arrive.
    BadRequest,
    /// A page of another site sent the request.
    CrossSite,
    /// The client asks for a tunnel.
    NoTunnel,
    /// The upstream's answer cannot follow the event stream that has begun.
    NoStream,
    /// The request was meant for another host.
    Misdirected,
    /// The request has passed this gate before.
    Loop,
    /// The shared state cannot be reached.
    StoreUnreachable,
    /// A defect in the gate.
    InternalError,
}

/// Why a request will not go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No more requests may wait.
    QueueFull {
        /// For which pool; none where it is the queue as a whole.
        pool: Option<PoolId>,
        /// How many wait.
        waiting: usize,
        /// When its turn would have come.
        eta: Duration,
    },
    /// The waiting requests use all the memory that they may.
    TooManyBytes {
        /// Of which pool.
        pool: PoolId,
        /// How much they use.
        bytes: u64,
    },
    /// No request may wait for this pool, and it has no room.
    NoQueue {
        /// Which.
        pool: PoolId,
        /// When its turn would have come.
        eta: Duration,
    },
    /// Its turn would come, or would have come, after its deadline.
    WaitTooLong {
        /// For which pool.
        pool: PoolId,
        /// How many wait for it.
        waiting: usize,
        /// How many of them would go first.
        ahead: usize,
        /// When its turn would come, as far as the rates say.
        eta: Duration,
        /// How long it may wait.
        max_wait: Duration,
    },
    /// It costs more than the pool ever admits.
    NeverFits {
        /// Which pool.
        pool: PoolId,
        /// The limit that is too small.
        limit: Rate,
        /// What the request costs.
        cost: u32,
    },
    /// The gate is stopping.
    Draining,
}

/// How long another gate takes to start. A guess: the shortest time that `Retry-After` can say (RFC 9110 §10.2.3).
const RESTART: Duration = Duration::from_secs(1);

impl Refusal {
    /// The gate is stopping; another one may be there in a moment.
    pub const DRAINING: Self = Self { reason: Reason::Draining, retry_after: RESTART, pointless: false, learned: None };
}

impl Code {
    /// Every code there is.
    pub const ALL: [Self; 15] = [
        Self::QueueFull,
        Self::WaitTooLong,
        Self::NeverFits,
        Self::ClientQuota,
        Self::Draining,
        Self::UpstreamUnreachable,
        Self::UpstreamTimeout,
        Self::BadRequest,
        Self::CrossSite,
        Self::NoTunnel,
        Self::NoStream,
        Self::Misdirected,
        Self::Loop,
        Self::StoreUnreachable,
        Self::InternalError,
    ];

    /// As answers, logs and metrics write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
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
            Self::Misdirected => "tidegate_misdirected",
            Self::Loop => "tidegate_loop",
            Self::StoreUnreachable => "tidegate_store_unreachable",
            Self::InternalError => "tidegate_internal_error",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Reason {
    /// What programs read.
    #[must_use]
    pub fn code(self) -> Code {
        match self {
            Self::QueueFull { .. } | Self::TooManyBytes { .. } | Self::NoQueue { .. } => Code::QueueFull,
            Self::WaitTooLong { .. } => Code::WaitTooLong,
            Self::NeverFits { .. } => Code::NeverFits,
            Self::Draining => Code::Draining,
        }
    }

    /// For which pool, if it is one.
    #[must_use]
    pub fn pool(self) -> Option<PoolId> {
        match self {
            Self::QueueFull { pool, .. } => pool,
            Self::TooManyBytes { pool, .. }
            | Self::NoQueue { pool, .. }
            | Self::WaitTooLong { pool, .. }
            | Self::NeverFits { pool, .. } => Some(pool),
            Self::Draining => None,
        }
    }

    /// What people read.
    #[must_use]
    pub fn message(self, pools: &[PoolSettings]) -> String {
        let named = |pool: PoolId| {
            let PoolSettings { name, limits, .. } = &pools[pool.0];
            let of =
                if limits.share.is_whole() { String::new() } else { format!(", {} of the account's", limits.share) };
            format!("pool '{name}' ({}{of})", pools[pool.0].limits_text())
        };
        match self {
            Self::QueueFull { pool, waiting, eta } => {
                let eta = seconds(eta);
                match pool {
                    None => format!(
                        "the queue is full: {waiting} wait in all, as many as may; your turn would come in {eta}."
                    ),
                    Some(pool) => {
                        format!("{} has {waiting} waiting, as many as may; your turn would come in {eta}.", named(pool))
                    }
                }
            }
            Self::TooManyBytes { pool, bytes } => format!(
                "those who wait for pool '{}' hold {bytes} bytes of bodies, and this one's find no room below {}; a \
                 larger max_bytes of the pool makes some.",
                pools[pool.0].name, pools[pool.0].max_bytes
            ),
            Self::NoQueue { pool, eta } => {
                format!("{} has no room for {}, and nobody waits for it.", named(pool), seconds(eta))
            }
            Self::WaitTooLong { pool, waiting, ahead, eta, max_wait } => {
                let before = if ahead == waiting { String::new() } else { format!(", {ahead} of them before you") };
                let (pool, eta, max_wait) = (named(pool), seconds(eta), seconds(max_wait));
                format!(
                    "{pool} has {waiting} waiting{before}; your turn would come in {eta}, and you wait at most {max_wait}."
                )
            }
            Self::NeverFits { pool, limit, cost } => {
                format!("this request costs {cost}, more than {} ever admits at {limit}.", named(pool))
            }
            Self::Draining => "the gate is stopping; send it again to the one that follows.".to_owned(),
        }
    }

    /// The figures, as `error.tidegate` carries them.
    #[must_use]
    pub fn details(self, pools: &[PoolSettings]) -> Value {
        let of_pool = |pool: PoolId| {
            let PoolSettings { name, limits, .. } = &pools[pool.0];
            let mut details = json!({ "pool": name, "limit": pools[pool.0].limits_text() });
            if !limits.share.is_whole() {
                details["share"] = json!(limits.share.to_string());
            }
            details
        };
        let mut details = self.pool().map_or_else(|| json!({}), of_pool);
        let mut say = |name: &str, value: Value| details[name] = value;
        match self {
            Self::QueueFull { waiting, eta, .. } => {
                say("waiting", json!(waiting));
                say("eta_ms", json!(millis(eta)));
            }
            Self::TooManyBytes { pool, bytes } => {
                say("held_bytes", json!(bytes));
                say("max_bytes", json!(pools[pool.0].max_bytes));
            }
            Self::NoQueue { eta, .. } => {
                say("waiting", json!(0));
                say("eta_ms", json!(millis(eta)));
            }
            Self::WaitTooLong { waiting, ahead, eta, .. } => {
                say("waiting", json!(waiting));
                say("position", json!(ahead + 1));
                say("eta_ms", json!(millis(eta)));
            }
            Self::NeverFits { .. } => say("waiting", json!(0)),
            Self::Draining => {}
        }
        details
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Rounded up: a turn in 0 s would be now.
fn seconds(time: Duration) -> String {
    format!("{} s", time.as_millis().div_ceil(1_000))
}
