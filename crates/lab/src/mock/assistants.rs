use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::collection::Answered;
use super::complaint::Complaint;
use super::sent::Sent;
use super::world::World;

/// `POST /v1/assistants`.
pub(super) async fn create(State(world): State<Arc<World>>, sent: Sent) -> Answered {
    let assistant = sent.over(json!({
        "id": world.id("asst_"), "object": "assistant", "created_at": world.now(), "name": null, "description": null,
        "model": sent.required("model")?, "instructions": null, "tools": [], "tool_resources": {}, "metadata": {},
        "temperature": 1.0, "top_p": 1.0, "response_format": "auto", "reasoning_effort": null,
    }));
    Ok(Json(world.put("/v1/assistants", assistant)))
}

/// `POST /v1/threads`.
pub(super) async fn create_thread(State(world): State<Arc<World>>, sent: Sent) -> Answered {
    new_thread(&world, &sent).map(Json)
}

pub(super) fn new_thread(world: &World, sent: &Sent) -> Result<Value, Complaint> {
    let thread = sent.over(json!({
        "id": world.id("thread_"), "object": "thread", "created_at": world.now(), "metadata": {},
        "tool_resources": {},
    }));
    let thread = world.put("/v1/threads", thread);
    let id = thread["id"].as_str().unwrap_or_default();
    for message in sent.array("messages") {
        add_message(world, id, &Sent(message.as_object().cloned().unwrap_or_default()))?;
    }
    Ok(thread)
}

/// `POST /v1/threads/{thread_id}/messages`.
pub(super) async fn create_message(
    State(world): State<Arc<World>>,
    Path(thread): Path<String>,
    sent: Sent,
) -> Answered {
    world.find("/v1/threads", &thread)?;
    add_message(&world, &thread, &sent).map(Json)
}

pub(super) fn add_message(world: &World, thread: &str, sent: &Sent) -> Result<Value, Complaint> {
    let content = match sent.0.get("content") {
        Some(Value::String(text)) => json!([text_part(text)]),
        Some(Value::Array(parts)) => parts.iter().map(stored_part).collect(),
        _ => return Err(Complaint::bad_request("Missing required parameter: 'content'.")),
    };
    let role = sent.required("role")?;
    Ok(world.put(&messages(thread), message(world, thread, role, &content)))
}

/// A message that is whole.
pub(super) fn message(world: &World, thread: &str, role: &str, content: &Value) -> Value {
    let now = world.now();
    json!({
        "id": world.id("msg_"), "object": "thread.message", "created_at": now, "thread_id": thread, "role": role,
        "content": content, "status": "completed", "completed_at": now, "incomplete_at": null,
        "incomplete_details": null, "assistant_id": null, "run_id": null, "attachments": [], "metadata": {},
    })
}

/// Where the messages of a thread are kept.
pub(super) fn messages(thread: &str) -> String {
    format!("/v1/threads/{thread}/messages")
}

pub(super) fn text_part(text: &str) -> Value {
    json!({ "type": "text", "text": { "value": text, "annotations": [] } })
}

fn stored_part(part: &Value) -> Value {
    part["text"].as_str().map_or_else(|| part.clone(), text_part)
}
