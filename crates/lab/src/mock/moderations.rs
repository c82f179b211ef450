use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};

use super::json_body::JsonBody;
use super::state::MockState;

const CATEGORIES: [&str; 13] = [
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
];

/// `POST /v1/moderations`: nothing is ever flagged.
pub(super) async fn create(State(state): State<Arc<MockState>>, sent: JsonBody) -> Json<Value> {
    let each =
        |value: Value| CATEGORIES.map(|name| (name.to_owned(), value.clone())).into_iter().collect::<Map<_, _>>();
    let result = json!({
        "flagged": false, "categories": each(json!(false)), "category_scores": each(json!(0.0001)),
        "category_applied_input_types": each(json!(["text"])),
    });
    let results = vec![result; sent.array("input").len().max(1)];
    let model = sent.text("model").unwrap_or("omni-moderation-latest");
    Json(json!({ "id": state.id("modr-"), "model": model, "results": results }))
}
