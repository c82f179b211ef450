use memchr::memmem;
use serde::Deserialize;
use serde_json::{Map, Value};

/// What a body complains of. What it does not say is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Complaint {
    pub(super) code: String,
    /// Its `type`.
    pub(super) kind: String,
    pub(super) message: String,
}

/// The places of a body where complaints are, as the upstreams have them.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    error: Value,
    last_error: Value,
    response: Value,
    code: Value,
    r#type: Value,
    message: Value,
}

impl Complaint {
    /// What the body of a refusal says; nothing where it cannot be read.
    pub(super) fn of(body: &[u8]) -> Option<Self> {
        let body: Body = serde_json::from_slice(body).ok()?;
        Some(match body.error {
            Value::Object(fields) => Self::from_fields(&fields),
            Value::String(message) => Self { message, ..Self::default() },
            _ => body.by_itself(),
        })
    }

    /// What a body complains of that came with a 200: an object with an error in it, or a stream of events.
    pub(super) fn hidden_in(body: &[u8]) -> Option<Self> {
        if body.trim_ascii_start().starts_with(b"{") {
            return Self::in_object(body);
        }
        let data = body.split(|&byte| byte == b'\n').filter_map(|line| line.strip_prefix(b"data:"));
        data.filter(|data| memmem::find(data, b"error").is_some()).find_map(Self::in_object)
    }

    /// A response has its `error`, a run its `last_error`, and an event the response, or the complaint itself.
    fn in_object(object: &[u8]) -> Option<Self> {
        let body: Body = serde_json::from_slice(object).ok()?;
        let places = [&body.error, &body.last_error, &body.response["error"]];
        let fields = places.into_iter().find_map(Value::as_object).map(Self::from_fields);
        fields.or_else(|| (body.r#type == "error").then(|| body.by_itself()))
    }

    fn from_fields(fields: &Map<String, Value>) -> Self {
        let field = |name| fields.get(name).map(text).unwrap_or_default();
        Self { code: field("code"), kind: field("type"), message: field("message") }
    }
}

impl Body {
    fn by_itself(&self) -> Complaint {
        Complaint { code: text(&self.code), kind: text(&self.r#type), message: text(&self.message) }
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
