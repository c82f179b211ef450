use serde_json::{Map, Value};
use smallvec::SmallVec;

use super::LimitFigures;
use super::quota;

/// What a body complains of, in whatever shape an upstream writes it (docs/upstream.md §7). What it does not say is empty.
#[derive(Clone, Debug, Default)]
pub(super) struct ErrorBody {
    /// Its `code`, and whatever else names the reason, the most exact last.
    pub(super) codes: SmallVec<[String; 2]>,
    /// Its `type`; with Google its `status`.
    pub(super) kind: String,
    pub(super) message: String,
    /// A text that is no error of an API, such as a page of an edge server: only the wait that it asks for is read.
    pub(super) page: String,
    /// The quota that is used up, where fields say so (Google).
    pub(super) quota: Option<LimitFigures>,
    /// The model whose quota it is (Google).
    pub(super) model: Option<Box<str>>,
    /// The whole, if it is JSON.
    pub(super) json: Value,
}

/// Where errors are, by the name of the field: as with OpenAI, FastAPI and Cloudflare.
const ERRORS: [&str; 3] = ["error", "detail", "errors"];

/// The fields of an error that name its reason: OpenAI; Anthropic, under `details`; OpenRouter, under `metadata`; Google,
/// under `details[]` (docs/upstream.md §7).
const CODES: [(&str, &str); 4] =
    [("", "code"), ("details", "error_code"), ("metadata", "error_type"), ("details", "reason")];

impl ErrorBody {
    /// Reads JSON, the first event of a stream, or a text.
    pub(super) fn read(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let text = text.trim_start_matches('\u{feff}').trim();
        match json(text).or_else(|| event(text)) {
            Some(json) => Self::of_json(json),
            // A page, or JSON that is cut off.
            None if text.starts_with(['<', '{', '[']) => Self { page: text.to_owned(), ..Self::default() },
            None => Self { message: text.to_owned(), ..Self::default() },
        }
    }

    /// Whether it is JSON: the API's own answer, and not that of a server before it.
    pub(super) fn is_structured(&self) -> bool {
        !self.json.is_null()
    }

    /// Some gateways put what they were answered into their own message, as JSON.
    fn of_json(json: Value) -> Self {
        let error = Self { json, ..Self::default() };
        let Some(whole) = first_object(&error.json) else { return error };
        let found = Self::of_object(whole);
        match json_in(&found.message) {
            Some(inner) => {
                let inner_error = first_object(&inner).map(Self::of_object).unwrap_or_default();
                Self { json: inner, ..inner_error }
            }
            None => Self { json: error.json, ..found },
        }
    }

    fn of_object(whole: &Map<String, Value>) -> Self {
        let mut error = Self::of_fields(whole);
        for value in ERRORS.iter().filter_map(|name| whole.get(*name)) {
            match first_object(value) {
                Some(fields) => error = Self::of_fields(fields).or(error),
                None => error.say(&text(value)),
            }
        }
        error
    }

    fn of_fields(fields: &Map<String, Value>) -> Self {
        let kind = ["type", "status"].iter().map(|name| text_at(fields, "", name)).find(|kind| !kind.is_empty());
        let mut error = Self { kind: kind.unwrap_or_default(), ..Self::default() };
        let codes = CODES.iter().map(|(under, name)| text_at(fields, under, name));
        error.codes = codes.filter(|code| !code.is_empty()).collect();
        error.say(&text_at(fields, "", "message"));
        error.say(&text_at(fields, "metadata", "raw"));
        (error.quota, error.model) = quota::of(fields);
        error
    }

    fn say(&mut self, text: &str) {
        if !text.is_empty() && !self.message.is_empty() {
            self.message.push('\n');
        }
        self.message.push_str(text);
    }

    /// With what `outer` says where this says nothing; both messages count.
    fn or(mut self, outer: Self) -> Self {
        if self.codes.is_empty() {
            self.codes = outer.codes;
        }
        if self.kind.is_empty() {
            self.kind = outer.kind;
        }
        self.say(&outer.message);
        self
    }
}

/// An object, or the first of an array (Google).
pub(super) fn first_object(value: &Value) -> Option<&Map<String, Value>> {
    match value {
        Value::Array(values) => values.iter().find_map(Value::as_object),
        _ => value.as_object(),
    }
}

/// JSON that is an object or an array: nothing else is an error.
fn json(text: &str) -> Option<Value> {
    if !text.starts_with(['{', '[']) {
        return None;
    }
    serde_json::from_str(text).ok()
}

fn json_in(message: &str) -> Option<Value> {
    json(message.trim()).filter(|json| first_object(json).is_some())
}

/// The first event of a stream that has JSON in it.
fn event(text: &str) -> Option<Value> {
    text.lines().filter_map(|line| line.strip_prefix("data:")).find_map(|data| json(data.trim()))
}

/// A field of an object, or of one that is within it or within the array there.
fn text_at(fields: &Map<String, Value>, under: &str, name: &str) -> String {
    if under.is_empty() {
        return fields.get(name).map(text).unwrap_or_default();
    }
    let found = match fields.get(under) {
        Some(Value::Object(inner)) => inner.get(name),
        Some(Value::Array(inner)) => inner.iter().filter_map(Value::as_object).find_map(|inner| inner.get(name)),
        _ => None,
    };
    found.map(text).unwrap_or_default()
}

/// Some upstreams write their codes as numbers.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}
