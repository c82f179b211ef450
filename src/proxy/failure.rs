use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::passing::Tries;
use crate::admission::{Reason, Refusal};
use crate::config::Pool;
use crate::limit::Rate;
use crate::refusal::{Code, RefusalText};
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

    fn new(status: StatusCode, code: Code, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.as_str(),
            message: message.into(),
            details: json!({}),
            retry_after: None,
            hopeless: false,
        }
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
                    Code::ClientQuota,
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
                Code::NoStream,
                format!("the upstream answered {status} and no event stream: {said}"),
            ),
            Self::Connect => Described::new(
                StatusCode::METHOD_NOT_ALLOWED,
                Code::NoTunnel,
                "CONNECT asks for a tunnel, and nothing in a tunnel can be paced. Set OPENAI_BASE_URL to this address \
                 with /v1 (as in http://127.0.0.1:4290/v1) instead of HTTPS_PROXY.",
            ),
            Self::CrossSite => Described::new(
                StatusCode::FORBIDDEN,
                Code::CrossSite,
                "the gate adds the key to what it sends (upstream.api_key_env), and does not do so for web pages.",
            ),
            Self::Panicked => Described::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                Code::InternalError,
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
        ..Described::new(StatusCode::TOO_MANY_REQUESTS, Code::QueueFull, message)
    }
}

fn refused(reason: Reason, pools: &[Pool]) -> Described {
    let RefusalText { code, message, details } = RefusalText::new(reason, pools);
    let is_stopping = code == Code::Draining;
    let status = if is_stopping { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::TOO_MANY_REQUESTS };
    Described { details, ..Described::new(status, code, message) }
}

fn unanswered(failed: &Failed) -> Described {
    let (status, code) = match failed {
        Failed::Unreachable(_) | Failed::Senseless(_) => (StatusCode::BAD_GATEWAY, Code::UpstreamUnreachable),
        Failed::Timeout(_) => (StatusCode::GATEWAY_TIMEOUT, Code::UpstreamTimeout),
        Failed::Stalled(_) | Failed::Slow(_) => (StatusCode::REQUEST_TIMEOUT, Code::BadRequest),
        Failed::Target | Failed::Body => (StatusCode::BAD_REQUEST, Code::BadRequest),
    };
    Described::new(status, code, format!("{failed}."))
}
