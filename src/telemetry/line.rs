use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};
use time::OffsetDateTime;

/// What is told of a request at its end.
#[derive(Clone, Debug, Serialize)]
pub struct AccessLine<'a> {
    /// When its head had come.
    #[serde(serialize_with = "moment")]
    pub at: SystemTime,
    /// Its method, if it is one that there is; else `_OTHER`.
    pub method: &'a str,
    /// As it is written in the configuration.
    pub route: &'a str,
    /// The label of its client.
    pub client: String,
    /// Its name, if the configuration gives it one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    /// How it ended, in one word.
    pub ended: &'static str,
    /// As the client was told; nothing if it left before.
    pub status: Option<u16>,
    /// The gate's own, where the answer was the gate's.
    pub code: Option<&'static str>,
    /// Whose answer it was.
    pub source: Option<&'static str>,
    /// All its waits for its turn together.
    #[serde(rename = "wait_ms", serialize_with = "millis")]
    pub wait: Duration,
    /// From when it was last sent to the last byte of the answer.
    #[serde(rename = "upstream_ms", serialize_with = "optional_millis")]
    pub upstream: Option<Duration>,
    /// How often it was sent.
    pub attempts: u32,
    /// From its head to its end.
    #[serde(rename = "total_ms", serialize_with = "millis")]
    pub total: Duration,
    /// The pools of its route.
    pub pools: Vec<&'a str>,
    /// The model, if one of its pools has an instance for each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What it was estimated to cost, if one of its pools counts tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u32>,
    /// Before whom it went; nothing if it never came to that.
    pub priority: Option<&'static str>,
}

impl AccessLine<'_> {
    /// As an object, on one line.
    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// As people read it, and as `cut`, `grep` and logfmt do: when, what came of it, what it was, and the rest by name.
impl fmt::Display for AccessLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, route, client, ended, attempts, .. } = self;
        let status = self.status.map_or("-".to_owned(), |status| status.to_string());
        write!(f, "{} {status} {method} \"{route}\" {ended}", timestamp(self.at))?;
        write!(f, " total_ms={} wait_ms={}", self.total.as_millis(), self.wait.as_millis())?;
        optional(f, "upstream_ms", self.upstream.map(|time| time.as_millis()))?;
        write!(f, " attempts={attempts}")?;
        optional(f, "source", self.source)?;
        optional(f, "code", self.code)?;
        write!(f, " client={client}")?;
        optional(
            f,
            "name",
            self.name.map(|name| if name.contains(' ') { format!("{name:?}") } else { name.to_owned() }),
        )?;
        optional(f, "pools", (!self.pools.is_empty()).then(|| self.pools.join(",")))?;
        optional(f, "model", self.model.as_deref())?;
        optional(f, "tokens", self.tokens)?;
        optional(f, "priority", self.priority)
    }
}

fn optional(f: &mut fmt::Formatter<'_>, name: &str, value: Option<impl fmt::Display>) -> fmt::Result {
    value.map_or(Ok(()), |value| write!(f, " {name}={value}"))
}

/// RFC 3339, in UTC, to the millisecond.
fn timestamp(at: SystemTime) -> String {
    let at = OffsetDateTime::from(at);
    let ((year, month, day), (hour, minute, second, milli)) = (at.to_calendar_date(), at.to_hms_milli());
    let month = u8::from(month);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

fn moment<S: Serializer>(at: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&timestamp(*at))
}

fn millis<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

#[expect(clippy::ref_option, reason = "serde hands it over like this")]
fn optional_millis<S: Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => millis(time, to),
        None => to.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> AccessLine<'static> {
        AccessLine {
            at: SystemTime::UNIX_EPOCH + Duration::from_micros(1_795_610_740_123_900),
            method: "POST",
            route: "POST /v1/responses",
            client: "client-0123456789abcdef".to_owned(),
            name: None,
            ended: "refused",
            status: Some(429),
            code: Some("tidegate_wait_too_long"),
            source: Some("tidegate"),
            wait: Duration::ZERO,
            upstream: None,
            attempts: 0,
            total: Duration::from_micros(1_800),
            pools: vec!["models", "account"],
            model: Some("gpt-4o".into()),
            tokens: Some(22),
            priority: Some("normal"),
        }
    }

    #[test]
    fn a_line_of_text_says_what_is_known_and_leaves_out_what_is_not() {
        let said = "2026-11-25T12:45:40.123Z 429 POST \"POST /v1/responses\" refused total_ms=1 wait_ms=0 attempts=0 \
                    source=tidegate code=tidegate_wait_too_long client=client-0123456789abcdef pools=models,account \
                    model=gpt-4o tokens=22 priority=normal";
        assert_eq!(refused().to_string(), said);
        let left = AccessLine { status: None, source: None, code: None, ended: "left", pools: Vec::new(), ..refused() };
        assert!(left.to_string().starts_with("2026-11-25T12:45:40.123Z - POST \"POST /v1/responses\" left total_ms=1"));
        assert!(!left.to_string().contains("pools="));
    }

    #[test]
    fn a_line_of_json_has_the_same_under_the_same_names() {
        let said = r#"{"at":"2026-11-25T12:45:40.123Z","method":"POST","route":"POST /v1/responses","client":"client-0123456789abcdef","ended":"refused","status":429,"code":"tidegate_wait_too_long","source":"tidegate","wait_ms":0,"upstream_ms":null,"attempts":0,"total_ms":1,"pools":["models","account"],"model":"gpt-4o","tokens":22,"priority":"normal"}"#;
        assert_eq!(refused().json(), said);
        let unkeyed = AccessLine { model: None, tokens: None, ..refused() };
        assert!(!unkeyed.json().contains("model\"") && !unkeyed.json().contains("tokens"));
    }
}
