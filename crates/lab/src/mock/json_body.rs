use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, Request};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::api_error::ApiError;

/// The JSON object in a request's body; empty for an empty body.
#[derive(Debug, Default)]
pub(super) struct JsonBody(pub(super) Map<String, Value>);

impl JsonBody {
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.0.get(field)?.as_str()
    }

    pub(super) fn required(&self, field: &str) -> Result<&str, ApiError> {
        self.text(field).ok_or_else(|| ApiError::bad_request(format!("Missing required parameter: '{field}'.")))
    }

    pub(super) fn array(&self, field: &str) -> &[Value] {
        self.0.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    pub(super) fn flag(&self, field: &str) -> bool {
        self.0.get(field).and_then(Value::as_bool).unwrap_or_default()
    }

    /// A whole number from 1 to `most`.
    pub(super) fn number(&self, field: &str, default: u64, most: u64) -> Result<u64, ApiError> {
        match self.0.get(field).filter(|value| !value.is_null()) {
            None => Ok(default),
            Some(value) => value.as_u64().filter(|number| (1..=most).contains(number)).ok_or_else(|| {
                ApiError::bad_request(format!("Invalid value for '{field}': expected a whole number from 1 to {most}."))
            }),
        }
    }

    /// `object` with the values that the client sent for its fields.
    pub(super) fn over(&self, mut object: Value) -> Value {
        for (field, default) in object.as_object_mut().into_iter().flatten() {
            if let Some(value) = self.0.get(field).filter(|value| !value.is_null()) {
                *default = value.clone();
            }
        }
        object
    }

    /// The tokens of the input (an estimate), of the output, and of both.
    pub(super) fn usage(&self, words: usize) -> (usize, usize, usize) {
        let input = tokens_of(&self.0);
        (input, words, input + words)
    }
}

impl<S: Sync> FromRequest<S> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let body = to_bytes(request.into_body(), usize::MAX).await;
        parse(&body.map_err(|error| ApiError::bad_request(error.to_string()))?)
    }
}

/// The object in a body or in a WebSocket message.
pub(super) fn parse(text: &Bytes) -> Result<JsonBody, ApiError> {
    let text: &[u8] = if text.is_empty() { b"{}" } else { text };
    let sent = serde_json::from_slice(text);
    sent.map(JsonBody)
        .map_err(|error| ApiError::bad_request(format!("We could not parse the JSON body of your request: {error}.")))
}

/// A rough count of tokens: four bytes each.
pub(super) fn tokens_of(sent: &impl Serialize) -> usize {
    serde_json::to_string(sent).unwrap_or_default().len().div_ceil(4)
}

/// The tokens of a call, in the fields that most endpoints have.
pub(super) fn usage_json((input, output, total): (usize, usize, usize)) -> Value {
    json!({ "prompt_tokens": input, "completion_tokens": output, "total_tokens": total })
}
