use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use crate::admission::{Reason, Refusal};
use crate::config::Pool;
use crate::limit::{PoolId, Rate};
use crate::upstream::{Failed, Unanswered};

/// A request that got no answer of the upstream.
pub(super) struct Failure {
    pub(super) cause: Cause,
    pub(super) waited: Duration,
}

/// Why it got none.
pub(super) enum Cause {
    /// Admission said no.
    Refused(Refusal),
    /// The client sends more than it may.
    ClientQuota { rate: Rate, retry_after: Duration },
    /// There was no answer.
    Upstream(Failed),
    /// The answer is none that can follow the head which the client has had.
    NoStream { status: StatusCode, said: String },
    /// The client takes the gate for a proxy that it can tunnel through.
    Connect,
    /// A page of another site would spend the key that the gate adds.
    CrossSite,
    /// A defect in the gate. It is this request's end, not that of its connection.
    Panicked,
}

/// As an OpenAI SDK reads it.
pub(super) struct Described {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    message: String,
    details: Value,
    pub(super) retry_after: Option<Duration>,
    /// Coming back early cannot help.
    pub(super) hopeless: bool,
}

impl Failure {
    pub(super) const PANICKED: Self = Self { cause: Cause::Panicked, waited: Duration::ZERO };

    /// The upstream has not answered.
    pub(super) async fn unanswered(Unanswered { failed, unread }: Unanswered, waited: Duration) -> Self {
        if let Some(unread) = unread {
            unread.hear_out().await;
        }
        Self { cause: Cause::Upstream(failed), waited }
    }
}

/// What a refusal looks like from outside: its status and its body.
#[must_use]
pub fn describe(refusal: &Refusal, pools: &[Pool]) -> (u16, Value) {
    let described = Cause::Refused(*refusal).describe(pools);
    (described.status.as_u16(), described.json())
}

impl Described {
    pub(super) fn body(&self) -> Bytes {
        self.json().to_string().into()
    }

    fn json(&self) -> Value {
        let kind = if self.status == StatusCode::TOO_MANY_REQUESTS { "rate_limit_error" } else { "server_error" };
        let error = json!({
            "message": format!("Tidegate: {}", self.message), "type": kind, "param": null, "code": self.code,
            "tidegate": self.details,
        });
        json!({ "error": error })
    }

    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), details: json!({}), retry_after: None, hopeless: false }
    }
}

impl Cause {
    /// The one place that says what each failure looks like from outside.
    pub(super) fn describe(&self, pools: &[Pool]) -> Described {
        match self {
            Self::Refused(refusal) => Described {
                retry_after: Some(refusal.retry_after),
                hopeless: refusal.pointless,
                ..refused(refusal.reason, pools)
            },
            Self::ClientQuota { rate, retry_after } => Described {
                details: json!({ "limit": rate.to_string() }),
                retry_after: Some((*retry_after).clamp(Duration::from_secs(1), Duration::from_mins(1))),
                ..Described::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "tidegate_client_quota",
                    format!("this client may send {rate}, and has."),
                )
            },
            Self::Upstream(failed) => unanswered(failed),
            Self::NoStream { status, said } => Described::new(
                StatusCode::BAD_GATEWAY,
                "tidegate_no_stream",
                format!("the upstream answered {status} and no event stream: {said}"),
            ),
            Self::Connect => Described::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "tidegate_no_tunnel",
                "CONNECT asks for a tunnel, and nothing in a tunnel can be paced. Set OPENAI_BASE_URL to this address \
                 with /v1 (as in http://127.0.0.1:4290/v1) instead of HTTPS_PROXY.",
            ),
            Self::CrossSite => Described::new(
                StatusCode::FORBIDDEN,
                "tidegate_cross_site",
                "the gate adds the key to what it sends (upstream.api_key_env), and does not do so for web pages.",
            ),
            Self::Panicked => Described::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "tidegate_internal_error",
                "a defect in the gate ended this request; its log says where.",
            ),
        }
    }
}

fn refused(reason: Reason, pools: &[Pool]) -> Described {
    let name = |pool: PoolId| format!("pool '{}' ({})", pools[pool.0].name, pools[pool.0].limits_text());
    let details = |pool: PoolId, waiting: usize| json!({ "pool": pools[pool.0].name, "limit": pools[pool.0].limits_text(), "waiting": waiting });
    let too_many = |code, message: String| Described::new(StatusCode::TOO_MANY_REQUESTS, code, message);
    match reason {
        Reason::QueueFull { pool: None, waiting } => Described {
            details: json!({ "waiting": waiting }),
            ..too_many("tidegate_queue_full", format!("the queue is full: {waiting} wait in all."))
        },
        Reason::QueueFull { pool: Some(pool), waiting } => Described {
            details: details(pool, waiting),
            ..too_many("tidegate_queue_full", format!("{} has {waiting} waiting, as many as may.", name(pool)))
        },
        Reason::TooManyBytes { pool, bytes } => Described {
            details: pool.map_or_else(|| json!({}), |pool| details(pool, 0)),
            ..too_many("tidegate_queue_full", format!("the queue is full: those who wait hold {bytes} bytes."))
        },
        Reason::NoQueue { pool, eta } => Described {
            details: with_eta(details(pool, 0), eta),
            ..too_many(
                "tidegate_queue_full",
                format!("{} has no room for {}, and nobody waits for it.", name(pool), seconds(eta)),
            )
        },
        Reason::WaitTooLong { pool, waiting, ahead: _, eta, max_wait } => Described {
            details: with_eta(details(pool, waiting), eta),
            ..too_many(
                "tidegate_wait_too_long",
                format!(
                    "{} has {waiting} waiting; your turn would come in {}, and you wait at most {}.",
                    name(pool),
                    seconds(eta),
                    seconds(max_wait)
                ),
            )
        },
        Reason::NeverFits { pool, limit, cost } => Described {
            details: details(pool, 0),
            ..too_many(
                "tidegate_never_fits",
                format!("this request costs {cost}, more than {} ever admits at {limit}.", name(pool)),
            )
        },
        Reason::Draining => Described::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "tidegate_draining",
            "the gate is stopping; send it again to the one that follows.",
        ),
    }
}

fn unanswered(failed: &Failed) -> Described {
    let (status, code) = match failed {
        Failed::Unreachable(_) | Failed::Senseless(_) => (StatusCode::BAD_GATEWAY, "tidegate_upstream_unreachable"),
        Failed::Timeout(_) => (StatusCode::GATEWAY_TIMEOUT, "tidegate_upstream_timeout"),
        Failed::Target | Failed::Body => (StatusCode::BAD_REQUEST, "tidegate_bad_request"),
    };
    Described::new(status, code, format!("{failed}."))
}

fn with_eta(mut details: Value, eta: Duration) -> Value {
    details["eta_ms"] = json!(u64::try_from(eta.as_millis()).unwrap_or(u64::MAX));
    details
}

/// Rounded up: a turn promised in 0 s would be now.
fn seconds(time: Duration) -> String {
    format!("{} s", time.as_millis().div_ceil(1_000))
}
