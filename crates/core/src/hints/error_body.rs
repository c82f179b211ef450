use serde::Deserialize;
use serde_json::{Map, Value};

/// What a body complains of. What it does not say is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ErrorBody {
    pub(super) code: String,
    /// Its `type`.
    pub(super) kind: String,
    pub(super) message: String,
}

/// The places of a body where complaints are, as the upstreams have them.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorFields {
    error: Value,
    code: Value,
    r#type: Value,
    message: Value,
}

impl ErrorBody {
    /// What the body of a refusal says; nothing where it cannot be read.
    pub(super) fn of(body: &[u8]) -> Option<Self> {
        let body: ErrorFields = serde_json::from_slice(body).ok()?;
        Some(match body.error {
            Value::Object(fields) => Self::from_fields(&fields),
            Value::String(message) => Self { message, ..Self::default() },
            _ => body.by_itself(),
        })
    }

    fn from_fields(fields: &Map<String, Value>) -> Self {
        let field = |name| fields.get(name).map(text).unwrap_or_default();
        Self { code: field("code"), kind: field("type"), message: field("message") }
    }
}

impl ErrorFields {
    fn by_itself(&self) -> ErrorBody {
        ErrorBody { code: text(&self.code), kind: text(&self.r#type), message: text(&self.message) }
    }
}

/// Some upstreams write their codes as numbers.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}
