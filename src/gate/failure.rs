use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use crate::admission::{Reason, Refusal};
use crate::client::Stranger;
use crate::config::Pool;
use crate::limit::{PoolId, Rate};
use crate::refusal::Code;
use crate::upstream::{Exhausted, Failed, Obstacle, Unanswered};

/// When a client is told to come back, at the soonest and at the latest: what openai-python and openai-node obey
/// (docs/upstream.md §5.2).
const SOONEST: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_mins(1);

/// Why a request gets no response of the upstream.
pub(super) enum Failure {
    /// Admission refused it.
    Refused(Box<Refusal>),
    /// Its client sends more than it may.
    ClientQuota { rate: Rate, retry_after: Duration },
    /// The buffer for bodies is full.
    Bodies(Exhausted),
    /// As many requests are in flight as may be.
    InFlight(Exhausted),
    /// The upstream did not respond.
    Upstream(Failed),
    /// The upstream's response cannot follow the head of an event stream that the client has already got.
    NoStream { status: StatusCode, said: String },
    /// The client takes the gate for a proxy that it can tunnel through.
    Tunnel,
    /// The client takes the gate for a proxy, and means another server.
    Misdirected,
    /// The request has passed this gate before.
    Loop,
    /// A web page may have sent it, and would spend the key that the gate adds.
    Stranger(Stranger),
    /// Servers read its path in more ways than the gate can count.
    Disguised,
    /// It asks to go no further than the gate.
    LastHop,
    /// Its client has left. No one reads the response.
    Left,
    /// A defect in the gate.
    Panicked,
}

/// As an OpenAI SDK reads it.
pub(super) struct ErrorResponse {
    pub(super) status: StatusCode,
    pub(super) code: Code,
    message: String,
    details: Value,
    pub(super) retry_after: Option<Duration>,
    /// Coming back early cannot help.
    pub(super) is_hopeless: bool,
}

/// What a refusal looks like from outside: its status and its body.
#[must_use]
pub fn describe(refusal: &Refusal, pools: &[Pool]) -> (u16, Value) {
    let error = Failure::refused(*refusal).response(pools);
    (error.status.as_u16(), error.json())
}

impl ErrorResponse {
    pub(super) fn body(&self) -> Bytes {
        self.json().to_string().into()
    }

    fn json(&self) -> Value {
        let kind = if self.status == StatusCode::TOO_MANY_REQUESTS { "rate_limit_error" } else { "server_error" };
        let error = json!({
            "message": format!("Tidegate: {}", self.message), "type": kind, "param": null, "code": self.code.as_str(),
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
        Self { status, code, message: message.into(), details: json!({}), retry_after: None, is_hopeless: false }
    }
}

impl Failure {
    pub(super) fn refused(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }

    /// The upstream did not respond. A client that is still sending its body would not read the answer.
    pub(super) async fn unanswered(Unanswered { failed, unread, .. }: Unanswered) -> Self {
        if let Some(unread) = unread {
            unread.drain().await;
        }
        Self::Upstream(failed)
    }

    /// Whether it is the gate's own decision that the request is not sent.
    pub(super) fn is_refusal(&self) -> bool {
        !matches!(self, Self::Upstream(_) | Self::NoStream { .. } | Self::Left | Self::Panicked)
    }

    /// What on the upstream's side kept the request from a response, if that is why it has none.
    pub(super) fn obstacle(&self) -> Option<Obstacle> {
        match self {
            Self::Upstream(failed) => failed.obstacle(),
            Self::NoStream { .. } => Some(Obstacle::Broken),
            _ => None,
        }
    }

    /// Whether a web page may read it, whichever sent the request.
    pub(super) fn is_public(&self) -> bool {
        !matches!(self, Self::Stranger(_))
    }

    /// The pool that refused it, if one did.
    pub(super) fn pool(&self) -> Option<PoolId> {
        if let Self::Refused(refusal) = self { refusal.reason.pool() } else { None }
    }

    /// The one place that turns a failure into what the client gets.
    pub(super) fn response(&self, pools: &[Pool]) -> ErrorResponse {
        match self {
            Self::Refused(refusal) => ErrorResponse {
                retry_after: Some(refusal.retry_after),
                is_hopeless: refusal.pointless,
                ..refused(refusal.reason, pools).with(refusal.learned)
            },
            Self::ClientQuota { rate, retry_after } => ErrorResponse {
                details: json!({ "limit": rate.to_string() }),
                retry_after: Some((*retry_after).clamp(SOONEST, LATEST)),
                is_hopeless: *retry_after > LATEST,
                ..ErrorResponse::new(
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
            Self::InFlight(Exhausted { held, most }) => exhausted(
                format!("{held} requests are under way, as many as may; [queue] max_in_flight says so."),
                json!({ "in_flight": held, "max_in_flight": most }),
            ),
            Self::Upstream(failed) => unanswered(failed),
            Self::NoStream { status, said } => ErrorResponse::new(
                StatusCode::BAD_GATEWAY,
                Code::NoStream,
                format!("the upstream answered {status} and no event stream: {said}"),
            ),
            Self::Tunnel | Self::Misdirected | Self::Loop => self.astray(),
            Self::Stranger(stranger) => ErrorResponse::new(
                StatusCode::FORBIDDEN,
                Code::CrossSite,
                format!("the gate adds its key to requests (upstream.api_key_env), but not to this one: {stranger}."),
            ),
            Self::Disguised => ErrorResponse::new(
                StatusCode::BAD_REQUEST,
                Code::BadRequest,
                "its path mixes encoded slashes, backslashes, dot segments, parameters or white space, which servers read \
                 differently; write it plainly.",
            ),
            Self::LastHop => ErrorResponse::new(
                StatusCode::NOT_IMPLEMENTED,
                Code::BadRequest,
                "Max-Forwards is 0, and the gate itself answers neither TRACE nor OPTIONS.",
            ),
            Self::Left => unanswered(&Failed::Body),
            Self::Panicked => ErrorResponse::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                Code::InternalError,
                "a defect in the gate ended this request; its log says where.",
            ),
        }
    }

    /// What was sent here by a setting that is wrong, and helps to mend it.
    fn astray(&self) -> ErrorResponse {
        let (status, code, message) = match self {
            Self::Tunnel => (StatusCode::METHOD_NOT_ALLOWED, Code::NoTunnel, TUNNEL),
            Self::Misdirected => (StatusCode::MISDIRECTED_REQUEST, Code::Misdirected, MISDIRECTED),
            _ => (StatusCode::LOOP_DETECTED, Code::Loop, LOOP),
        };
        ErrorResponse { is_hopeless: true, ..ErrorResponse::new(status, code, message) }
    }
}

const TUNNEL: &str = "CONNECT asks for a tunnel, and nothing in a tunnel can be paced. Set OPENAI_BASE_URL to this address with \
                      /v1 (as in http://127.0.0.1:4290/v1) instead of HTTPS_PROXY.";
const MISDIRECTED: &str = "the request names another server, as if this were its proxy, and goes to none. Set OPENAI_BASE_URL \
                           to this address with /v1 (as in http://127.0.0.1:4290/v1) instead of HTTP_PROXY.";
const LOOP: &str = "the request has come back to this gate: its upstream leads to itself in a loop. Set upstream.url to the \
                    server that answers.";

/// Nobody can say when there will be room again; so that not all come back at once, each is told another time.
fn exhausted(message: String, details: Value) -> ErrorResponse {
    let retry_after = Duration::from_millis(fastrand::u64(1_000..=10_000));
    ErrorResponse {
        details,
        retry_after: Some(retry_after),
        ..ErrorResponse::new(StatusCode::TOO_MANY_REQUESTS, Code::QueueFull, message)
    }
}

fn refused(reason: Reason, pools: &[Pool]) -> ErrorResponse {
    let status = match reason.code() {
        Code::Draining => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::TOO_MANY_REQUESTS,
    };
    ErrorResponse { details: reason.details(pools), ..ErrorResponse::new(status, reason.code(), reason.message(pools)) }
}

fn unanswered(failed: &Failed) -> ErrorResponse {
    let (status, code) = match failed {
        Failed::Unreachable(..) | Failed::Senseless(_) => (StatusCode::BAD_GATEWAY, Code::UpstreamUnreachable),
        Failed::Timeout(_) | Failed::Untaken(_) => (StatusCode::GATEWAY_TIMEOUT, Code::UpstreamTimeout),
        Failed::Stalled(_) | Failed::Slow(_) => (StatusCode::REQUEST_TIMEOUT, Code::BadRequest),
        Failed::Target | Failed::Body => (StatusCode::BAD_REQUEST, Code::BadRequest),
    };
    ErrorResponse::new(status, code, format!("{failed}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Source};
    use crate::limit::PoolId;

    /// What a refusal by the pool of this configuration looks like.
    fn error(reason: Reason) -> (String, Value) {
        let text = "extends = \"none\"\n[pools.posts]\nrequests = [\"1/s\"]\nmax_bytes = 2000\n[[routes]]\nmatch = \"POST /v1/x\"\npools = [\"posts\"]";
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
        let (message, details) = error(Reason::WaitTooLong { pool: POOL, waiting: 9, ahead: 4, eta, max_wait });
        let said = "Tidegate: pool 'posts' (1/s) has 9 waiting, 4 of them before you; your turn would come in 5 s, and you wait at \
                    most 2 s.";
        assert_eq!(message, said);
        assert_eq!(details, json!({ "pool": "posts", "limit": "1/s", "waiting": 9, "position": 5, "eta_ms": 4_200 }));
        let (message, _) = error(Reason::WaitTooLong { pool: POOL, waiting: 4, ahead: 4, eta, max_wait });
        assert!(message.contains("has 4 waiting; your turn would come"), "{message}");
    }

    #[test]
    fn whose_body_finds_no_room_is_told_how_much_is_held_and_what_would_help() {
        let (message, details) = error(Reason::TooManyBytes { pool: POOL, bytes: 1_900 });
        assert!(
            message.contains("1900 bytes") && message.contains("2000") && message.contains("max_bytes"),
            "{message}"
        );
        assert_eq!(details, json!({ "pool": "posts", "limit": "1/s", "held_bytes": 1_900, "max_bytes": 2_000 }));
    }
}
