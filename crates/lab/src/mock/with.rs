use serde_json::{Map, Value};

/// An object with these fields added or replaced. Any other value counts as an empty object.
pub(super) fn with(object: Value, fields: &Value) -> Value {
    let mut object = if let Value::Object(object) = object { object } else { Map::new() };
    object.extend(fields.as_object().cloned().unwrap_or_default());
    Value::Object(object)
}
