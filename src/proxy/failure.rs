use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::passing::Tries;
use crate::admission::{Reason, Refusal};
use crate::config::Pool;
use crate::limit::Rate;
use crate::refusal::Code;
use crate::upstream::{Exhausted, Failed, Unanswered};

/// When a client is told to come back, at the soonest and at the latest: what openai-python and openai-node obey
/// (docs/upstream.md §5.2).
const SOONEST: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_mins(1);

/// A request that got no answer of the upstream.
pub(super) struct Failure {
    pub(super) cause: Cause,
    pub(super) tries: Tries,
}

/// Why it got none.
pub(super) enum Cause {
    /// Admission said no.
    Refused(Box<Refusal>),
    /// The client sends more than it may.
    ClientQuota { rate: Rate, retry_after: Duration },
    /// As much is held of bodies as may be.
    Bodies(Exhausted),
    /// As many are under way as may be.
    UnderWay(Exhausted),
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
    pub(super) fn panicked() -> Self {
        Self { cause: Cause::Panicked, tries: Tries::default() }
    }

    /// The upstream has not answered.
    pub(super) async fn unanswered(Unanswered { failed, unread }: Unanswered, tries: Tries) -> Self {
        if let Some(unread) = unread {
            unread.hear_out().await;
        }
        Self { cause: Cause::Upstream(failed), tries }
    }
}

/// What a refusal looks like from outside: its status and its body.
#[must_use]
pub fn describe(refusal: &Refusal, pools: &[Pool]) -> (u16, Value) {
    let described = Cause::Refused(Box::new(*refusal)).describe(pools);
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

    /// Also says what is known of the upstream's own limit.
    fn with(mut self, learned: Option<Rate>) -> Self {
        if let Some(limit) = learned {
            self.message = format!("{} The upstream's own limit: {limit}.", self.message);
            self.details["learned"] = json!(limit.to_string());
        }
        self
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
                ..refused(refusal.reason, pools).with(refusal.learned)
            },
            Self::ClientQuota { rate, retry_after } => Described {
                details: json!({ "limit": rate.to_string() }),
                retry_after: Some((*retry_after).clamp(SOONEST, LATEST)),
                hopeless: *retry_after > LATEST,
                ..Described::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "tidegate_client_quota",
                    format!("this client may send {rate}, and has."),
                )
            },
            Self::Bodies(Exhausted { held, most }) => exhausted(
                format!(
                    "{held} bytes are held of bodies, and this request's finds no room below {most}; a larger [queue] \
                     max_bytes makes some."
                ),
                json!({ "held_bytes": held, "max_bytes": most }),
            ),
            Self::UnderWay(Exhausted { held, most }) => exhausted(
                format!("{held} requests are under way, as many as may; [queue] max_in_flight says so."),
                json!({ "in_flight": held, "max_in_flight": most }),
            ),
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

/// Nobody can say when there will be room again; so that not all come back at once, each is told another time.
fn exhausted(message: String, details: Value) -> Described {
    let retry_after = Duration::from_millis(fastrand::u64(1_000..=10_000));
    Described {
        details,
        retry_after: Some(retry_after),
        ..Described::new(StatusCode::TOO_MANY_REQUESTS, "tidegate_queue_full", message)
    }
}

fn refused(reason: Reason, pools: &[Pool]) -> Described {
    let status = match reason.code() {
        Code::Draining => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::TOO_MANY_REQUESTS,
    };
    Described {
        details: reason.details(pools),
        ..Described::new(status, reason.code().as_str(), reason.message(pools))
    }
}

fn unanswered(failed: &Failed) -> Described {
    let (status, code) = match failed {
        Failed::Unreachable(_) | Failed::Senseless(_) => (StatusCode::BAD_GATEWAY, "tidegate_upstream_unreachable"),
        Failed::Timeout(_) => (StatusCode::GATEWAY_TIMEOUT, "tidegate_upstream_timeout"),
        Failed::Stalled(_) | Failed::Slow(_) => (StatusCode::REQUEST_TIMEOUT, "tidegate_bad_request"),
        Failed::Target | Failed::Body => (StatusCode::BAD_REQUEST, "tidegate_bad_request"),
    };
    Described::new(status, code, format!("{failed}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Source};
    use crate::limit::PoolId;

    /// What a refusal by the pool of this configuration looks like.
    fn described(reason: Reason) -> (String, Value) {
        let text = "[pools.posts]\nrequests = [\"1/s\"]\nmax_bytes = 2000\n[[routes]]\nmatch = \"POST /v1/x\"\npools = [\"posts\"]";
        let config = Config::parse(&Source::Text("test".to_owned()), text).expect("a valid configuration");
        let refusal = Refusal { reason, retry_after: Duration::from_secs(1), pointless: false, learned: None };
        let (status, body) = describe(&refusal, &config.pools);
        assert_eq!((status, &body["error"]["type"]), (429, &json!("rate_limit_error")));
        (body["error"]["message"].as_str().expect("a text").to_owned(), body["error"]["tidegate"].clone())
    }

    const POOL: PoolId = PoolId(0);

    #[test]
    fn who_would_wait_too_long_is_told_its_place_in_the_line() {
        let (eta, max_wait) = (Duration::from_millis(4_200), Duration::from_secs(2));
        let (message, details) = described(Reason::WaitTooLong { pool: POOL, waiting: 9, ahead: 4, eta, max_wait });
        let said = "Tidegate: pool 'posts' (1/s) has 9 waiting, 4 of them before you; your turn would come in 5 s, and you wait at \
                    most 2 s.";
        assert_eq!(message, said);
        assert_eq!(details, json!({ "pool": "posts", "limit": "1/s", "waiting": 9, "position": 5, "eta_ms": 4_200 }));
        let (message, _) = described(Reason::WaitTooLong { pool: POOL, waiting: 4, ahead: 4, eta, max_wait });
        assert!(message.contains("has 4 waiting; your turn would come"), "{message}");
    }

    #[test]
    fn whose_body_finds_no_room_is_told_how_much_is_held_and_what_would_help() {
        let (message, details) = described(Reason::TooManyBytes { pool: POOL, bytes: 1_900 });
        assert!(
            message.contains("1900 bytes") && message.contains("2000") && message.contains("max_bytes"),
            "{message}"
        );
        assert_eq!(details, json!({ "pool": "posts", "limit": "1/s", "held_bytes": 1_900, "max_bytes": 2_000 }));
    }
}
