use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::api_error::ApiError;
use super::events::{done, json_event, sse};
use super::json_body::{JsonBody, usage_json};
use super::state::MockState;
use super::tools::ToolCall;
use super::with::with;

/// `POST /v1/chat/completions`.
pub(super) async fn complete(State(state): State<Arc<MockState>>, sent: JsonBody) -> Result<Response, ApiError> {
    let model = sent.required("model")?.to_owned();
    let words = state.words();
    let choices = sent.number("n", 1, 128)?;
    let usage = usage_json(sent.usage(words.len()));
    let made = json!({
        "id": state.id("chatcmpl-"), "created": state.now(), "model": model, "system_fingerprint": "fp_mock",
        "service_tier": "default",
    });
    let call = ToolCall::of(&state, &sent, |message| message["role"] == "tool");
    if sent.flag("stream") {
        let wants_usage = sent.0.get("stream_options").is_some_and(|options| options["include_usage"] == true);
        let events = chunks(&made, choices, &words, call.as_ref(), wants_usage.then_some(usage));
        let events = events.iter().map(|chunk| json_event(None, chunk)).chain([done(None)]).collect();
        return Ok(sse(events, state.options.gap).into_response());
    }
    let choice = |index| {
        let (message, finish) = match &call {
            Some(call) => {
                (json!({ "role": "assistant", "content": null, "tool_calls": [call.in_chat()] }), "tool_calls")
            }
            None => {
                (json!({ "role": "assistant", "content": words.concat(), "refusal": null, "annotations": [] }), "stop")
            }
        };
        json!({ "index": index, "message": message, "logprobs": null, "finish_reason": finish })
    };
    let choices: Vec<Value> = (0..choices).map(choice).collect();
    let said = json!({ "object": "chat.completion", "choices": choices, "usage": usage });
    Ok(Json(with(said, &made)).into_response())
}

fn chunks(made: &Value, choices: u64, words: &[String], call: Option<&ToolCall>, usage: Option<Value>) -> Vec<Value> {
    let chunk = |choices: Value, usage: &Value| {
        with(json!({ "object": "chat.completion.chunk", "choices": choices, "usage": usage }), made)
    };
    let all = |delta: &Value, finish: Option<&str>| {
        let choice = |index| json!({ "index": index, "delta": delta, "logprobs": null, "finish_reason": finish });
        chunk((0..choices).map(choice).collect(), &Value::Null)
    };
    let mut chunks = vec![all(&json!({ "role": "assistant", "content": "", "refusal": null }), None)];
    if let Some(call) = call {
        chunks.push(all(&json!({ "tool_calls": [with(json!({ "index": 0 }), &call.in_chat())] }), None));
    } else {
        chunks.extend(words.iter().map(|word| all(&json!({ "content": word }), None)));
    }
    chunks.push(all(&json!({}), Some(if call.is_some() { "tool_calls" } else { "stop" })));
    chunks.extend(usage.map(|usage| chunk(json!([]), &usage)));
    chunks
}
