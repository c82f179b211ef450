use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::api_error::ApiError;
use super::collection::ApiResult;
use super::json_body::JsonBody;
use super::state::MockState;

/// `POST /v1/assistants`.
pub(super) async fn create(State(state): State<Arc<MockState>>, sent: JsonBody) -> ApiResult {
    let assistant = sent.over(json!({
        "id": state.id("asst_"), "object": "assistant", "created_at": state.now(), "name": null, "description": null,
        "model": sent.required("model")?, "instructions": null, "tools": [], "tool_resources": {}, "metadata": {},
        "temperature": 1.0, "top_p": 1.0, "response_format": "auto", "reasoning_effort": null,
    }));
    Ok(Json(state.put("/v1/assistants", assistant)))
}

/// `POST /v1/threads`.
pub(super) async fn create_thread(State(state): State<Arc<MockState>>, sent: JsonBody) -> ApiResult {
    new_thread(&state, &sent).map(Json)
}

pub(super) fn new_thread(state: &MockState, sent: &JsonBody) -> Result<Value, ApiError> {
    let thread = sent.over(json!({
        "id": state.id("thread_"), "object": "thread", "created_at": state.now(), "metadata": {},
        "tool_resources": {},
    }));
    let thread = state.put("/v1/threads", thread);
    let id = thread["id"].as_str().unwrap_or_default();
    for message in sent.array("messages") {
        add_message(state, id, &JsonBody(message.as_object().cloned().unwrap_or_default()))?;
    }
    Ok(thread)
}

/// `POST /v1/threads/{thread_id}/messages`.
pub(super) async fn create_message(
    State(state): State<Arc<MockState>>,
    Path(thread): Path<String>,
    sent: JsonBody,
) -> ApiResult {
    state.find("/v1/threads", &thread)?;
    add_message(&state, &thread, &sent).map(Json)
}

pub(super) fn add_message(state: &MockState, thread: &str, sent: &JsonBody) -> Result<Value, ApiError> {
    let content = match sent.0.get("content") {
        Some(Value::String(text)) => json!([text_part(text)]),
        Some(Value::Array(parts)) => parts.iter().map(stored_part).collect(),
        _ => return Err(ApiError::bad_request("Missing required parameter: 'content'.")),
    };
    let role = sent.required("role")?;
    Ok(state.put(&messages(thread), message(state, thread, role, &content)))
}

/// A complete message.
pub(super) fn message(state: &MockState, thread: &str, role: &str, content: &Value) -> Value {
    let now = state.now();
    json!({
        "id": state.id("msg_"), "object": "thread.message", "created_at": now, "thread_id": thread, "role": role,
        "content": content, "status": "completed", "completed_at": now, "incomplete_at": null,
        "incomplete_details": null, "assistant_id": null, "run_id": null, "attachments": [], "metadata": {},
    })
}

/// The collection of a thread's messages.
pub(super) fn messages(thread: &str) -> String {
    format!("/v1/threads/{thread}/messages")
}

pub(super) fn text_part(text: &str) -> Value {
    json!({ "type": "text", "text": { "value": text, "annotations": [] } })
}

fn stored_part(part: &Value) -> Value {
    part["text"].as_str().map_or_else(|| part.clone(), text_part)
}
