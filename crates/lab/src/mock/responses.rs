use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::api_error::ApiError;
use super::events::{json_event, sse};
use super::json_body::{JsonBody, parse};
use super::state::MockState;
use super::tools::{ARGUMENTS, ToolCall};
use super::with::with;

/// The collection of responses.
const RESPONSES: &str = "/v1/responses";

/// `POST /v1/responses`.
pub(super) async fn create(State(state): State<Arc<MockState>>, sent: JsonBody) -> Result<Response, ApiError> {
    let events = answer(&state, &sent)?;
    if sent.flag("stream") {
        let events = events.iter().map(|event| json_event(event["type"].as_str(), event)).collect();
        return Ok(sse(events, state.options.gap).into_response());
    }
    let last = events.last().map(|event| event["response"].clone());
    Ok(Json(last).into_response())
}

/// `GET /v1/responses` as a WebSocket: each `response.create` gets the events of a stream.
pub(super) async fn socket(State(state): State<Arc<MockState>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async move |socket| converse(&state, socket).await)
}

async fn converse(state: &MockState, mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let Message::Text(text) = message else { continue };
        let events = parse(&text.into()).and_then(|sent| answer(state, &sent));
        let events = events.unwrap_or_else(|_| {
            vec![json!({ "type": "error", "error": { "type": "invalid_request_error", "message": "no response.create" } })]
        });
        for event in events {
            tokio::time::sleep(state.options.gap).await;
            if socket.send(Message::Text(event.to_string().into())).await.is_err() {
                return;
            }
        }
    }
}

/// The events of one response, from created to completed.
fn answer(state: &MockState, sent: &JsonBody) -> Result<Vec<Value>, ApiError> {
    let words = state.words();
    let (input, output, total) = sent.usage(words.len());
    let message_id = state.id("msg_");
    let part = |text: &str| json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] });
    let message = |status: &str, parts: Vec<Value>| json!({ "id": message_id, "type": "message", "role": "assistant", "status": status, "content": parts });
    let usage = json!({
        "input_tokens": input, "input_tokens_details": { "cached_tokens": 0 }, "output_tokens": output,
        "output_tokens_details": { "reasoning_tokens": 0 }, "total_tokens": total,
    });
    let begun = sent.over(json!({
        "id": state.id("resp_"), "object": "response", "created_at": state.now(), "status": "in_progress",
        "background": false, "error": null, "incomplete_details": null, "instructions": null,
        "max_output_tokens": null, "metadata": {}, "model": sent.required("model")?, "output": [],
        "parallel_tool_calls": true, "previous_response_id": null, "reasoning": { "effort": null, "summary": null },
        "service_tier": "default", "store": true, "temperature": 1.0, "text": { "format": { "type": "text" } },
        "tool_choice": "auto", "tools": [], "top_p": 1.0, "truncation": "disabled", "usage": null, "user": null,
    }));
    let text = words.concat();
    let mut completed = begun.clone();
    completed["status"] = json!("completed");
    completed["usage"] = usage;
    if let Some(call) = ToolCall::of(state, sent, |item| item["type"] == "function_call_output") {
        return Ok(numbered(calling(state, &call, &begun, completed)));
    }
    completed["output"] = json!([message("completed", vec![part(&text)])]);
    let place = json!({ "item_id": message_id, "output_index": 0, "content_index": 0 });
    let placed = |event: Value| with(event, &place);
    let mut events = vec![
        json!({ "type": "response.created", "response": begun }),
        json!({ "type": "response.in_progress", "response": begun }),
        json!({ "type": "response.output_item.added", "output_index": 0, "item": message("in_progress", vec![]) }),
        placed(json!({ "type": "response.content_part.added", "part": part("") })),
    ];
    let deltas =
        words.iter().map(|word| json!({ "type": "response.output_text.delta", "delta": word, "logprobs": [] }));
    events.extend(deltas.map(placed));
    events.extend([
        placed(json!({ "type": "response.output_text.done", "text": text, "logprobs": [] })),
        placed(json!({ "type": "response.content_part.done", "part": part(&text) })),
        json!({
            "type": "response.output_item.done", "output_index": 0, "item": message("completed", vec![part(&text)])
        }),
        json!({ "type": "response.completed", "response": state.put(RESPONSES, completed) }),
    ]);
    Ok(numbered(events))
}

/// The events of a response that calls a tool.
fn calling(state: &MockState, call: &ToolCall, begun: &Value, mut completed: Value) -> Vec<Value> {
    let item_id = state.id("fc_");
    let item = |status: &str, arguments: &str| {
        json!({
            "id": item_id, "type": "function_call", "call_id": call.id, "name": call.name, "arguments": arguments,
            "status": status,
        })
    };
    let done = item("completed", ARGUMENTS);
    completed["output"] = json!([done]);
    let place = json!({ "item_id": item_id, "output_index": 0 });
    vec![
        json!({ "type": "response.created", "response": begun }),
        json!({ "type": "response.in_progress", "response": begun }),
        json!({ "type": "response.output_item.added", "output_index": 0, "item": item("in_progress", "") }),
        with(json!({ "type": "response.function_call_arguments.delta", "delta": ARGUMENTS }), &place),
        with(
            json!({ "type": "response.function_call_arguments.done", "arguments": ARGUMENTS, "name": call.name }),
            &place,
        ),
        json!({ "type": "response.output_item.done", "output_index": 0, "item": done }),
        json!({ "type": "response.completed", "response": state.put(RESPONSES, completed) }),
    ]
}

fn numbered(mut events: Vec<Value>) -> Vec<Value> {
    (0..).zip(&mut events).for_each(|(number, event)| event["sequence_number"] = json!(number));
    events
}
