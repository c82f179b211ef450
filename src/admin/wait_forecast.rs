use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

/// How a request would fare if it came now.
#[derive(Clone, Debug, Serialize)]
pub struct WaitForecast {
    /// What would become of it.
    pub verdict: FareOutcome,
    /// The same in words.
    pub text: String,
    /// About how long it would wait, in milliseconds.
    pub eta_ms: u64,
    /// For which pool the longest, as people speak of it.
    pub pool: Option<String>,
}

/// What would become of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FareOutcome {
    /// It goes at once.
    Goes,
    /// It waits for its turn.
    Waits,
    /// It is refused.
    Refused,
}

/// A refusal as a client sees it.
#[derive(Clone, Debug, Serialize)]
pub struct RefusalExample {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Value,
    /// It is what the request would meet now, and no example.
    pub now: bool,
}

/// To the second, or to the millisecond where it is shorter.
pub(super) fn span(ms: u64) -> String {
    let time = if ms < 1_000 { Duration::from_millis(ms) } else { Duration::from_secs(ms / 1_000) };
    humantime::format_duration(time).to_string()
}
