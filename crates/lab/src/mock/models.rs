use axum::Json;
use axum::extract::Path;
use serde_json::{Value, json};

use super::api_error::ApiError;
use super::collection::ApiResult;

const MODELS: [&str; 9] = [
    "gpt-5",
    "gpt-5-mini",
    "gpt-4.1",
    "gpt-4o",
    "gpt-4o-mini",
    "gpt-realtime",
    "omni-moderation-latest",
    "text-embedding-3-large",
    "text-embedding-3-small",
];

pub(super) async fn list() -> Json<Value> {
    Json(json!({ "object": "list", "data": MODELS.map(model) }))
}

pub(super) async fn find(Path(id): Path<String>) -> ApiResult {
    if MODELS.contains(&id.as_str()) { Ok(Json(model(&id))) } else { Err(ApiError::no_model(&id)) }
}

fn model(id: &str) -> Value {
    json!({ "id": id, "object": "model", "created": 1_715_367_049, "owned_by": "system" })
}
