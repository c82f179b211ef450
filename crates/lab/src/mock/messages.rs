//! Anthropic's Messages API, as far as its SDKs need it (its documentation, 2026-11-30).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::api_error::ApiError;
use super::events::{json_event, sse};
use super::json_body::JsonBody;
use super::state::MockState;
use super::tools::{ARGUMENTS, ToolCall};

/// `POST /v1/messages`.
pub(super) async fn create(State(state): State<Arc<MockState>>, sent: JsonBody) -> Result<Response, ApiError> {
    let words = state.words();
    let (input, output, _) = sent.usage(words.len());
    let call = ToolCall::of(&state, &sent, brings_result);
    let content = match &call {
        Some(ToolCall { id, name }) => json!({ "type": "tool_use", "id": id, "name": name, "input": {} }),
        None => json!({ "type": "text", "text": words.concat() }),
    };
    let reason = if call.is_some() { "tool_use" } else { "end_turn" };
    let message = json!({
        "id": state.id("msg_"), "type": "message", "role": "assistant", "model": sent.required("model")?,
        "content": [content], "stop_reason": reason, "stop_sequence": null,
        "usage": { "input_tokens": input, "output_tokens": output },
    });
    if !sent.flag("stream") {
        return Ok(Json(message).into_response());
    }
    let events = events(&message, &words, output);
    let events = events.iter().map(|event| json_event(event["type"].as_str(), event)).collect();
    Ok(sse(events, state.options.gap).into_response())
}

/// Whether a message has the result of a tool in it.
fn brings_result(message: &Value) -> bool {
    let parts = message["content"].as_array().map_or(&[][..], Vec::as_slice);
    parts.iter().any(|part| part["type"] == "tool_result")
}

/// The events of a stream that brings this message.
fn events(message: &Value, words: &[String], output: usize) -> Vec<Value> {
    let (mut started, mut block) = (message.clone(), message["content"][0].clone());
    (started["content"], started["stop_reason"]) = (json!([]), Value::Null);
    let deltas: Vec<Value> = if block["type"] == "text" {
        block["text"] = json!("");
        words.iter().map(|word| json!({ "type": "text_delta", "text": word })).collect()
    } else {
        vec![json!({ "type": "input_json_delta", "partial_json": ARGUMENTS })]
    };
    let mut events = vec![
        json!({ "type": "message_start", "message": started }),
        json!({ "type": "content_block_start", "index": 0, "content_block": block }),
    ];
    events.extend(deltas.iter().map(|delta| json!({ "type": "content_block_delta", "index": 0, "delta": delta })));
    events.extend([
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({
            "type": "message_delta", "delta": { "stop_reason": message["stop_reason"], "stop_sequence": null },
            "usage": { "output_tokens": output },
        }),
        json!({ "type": "message_stop" }),
    ]);
    events
}
