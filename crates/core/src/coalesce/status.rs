use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;

/// The status of a thing that can be polled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolledStatus(Arc<str>);

/// What things are while their state is to change without their app's doing, as OpenAI's API specification names it for
/// runs, responses, batches, files, vector stores, videos and fine-tuning jobs.
const TO_CHANGE: [&str; 10] = [
    "cancelling",
    "finalizing",
    "in_progress",
    "pending",
    "processing",
    "queued",
    "running",
    "uploaded",
    "validating",
    "validating_files",
];

impl PolledStatus {
    /// The status of this name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self(name.into())
    }

    /// Of a JSON body that has one.
    #[must_use]
    pub fn read(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Thing<'a> {
            #[serde(borrow)]
            status: Cow<'a, str>,
        }
        serde_json::from_slice(body).ok().map(|Thing { status }| Self(status.into()))
    }

    /// Whether it will be another one without its app's doing.
    #[must_use]
    pub fn is_to_change(&self) -> bool {
        TO_CHANGE.contains(&&*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_of_itself_is_to_change() {
        let is_to_change = |body: &str| PolledStatus::read(body.as_bytes()).map(|status| status.is_to_change());
        assert_eq!(is_to_change(r#"{"id": "run_1", "status": "in_progress", "usage": null}"#), Some(true));
        assert_eq!(is_to_change(r#"{"status": "requires_action"}"#), Some(false), "its app must do something");
        assert_eq!(is_to_change(r#"{"status": "completed"}"#), Some(false));
        for body in
            ["", "queued", "[]", r#"{"data": [{"status": "queued"}]}"#, r#"{"status": 3}"#, r#"{"status": "queued""#]
        {
            assert_eq!(is_to_change(body), None, "{body}");
        }
    }
}
