use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::state::MockState;
use super::with::with;

/// `GET /v1/realtime`: a session that answers in text.
pub(super) async fn socket(
    State(state): State<Arc<MockState>>,
    Query(query): Query<HashMap<String, String>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let model = query.get("model").cloned().unwrap_or_else(|| "gpt-realtime".to_owned());
    upgrade.protocols(["realtime"]).on_upgrade(async move |socket| {
        let session = json!({
            "type": "realtime", "object": "realtime.session", "id": state.id("sess_"), "model": model,
            "output_modalities": ["text"], "instructions": "",
        });
        // A client may leave at any time.
        let _ = converse(&state, socket, session).await;
    })
}

async fn converse(state: &MockState, mut socket: WebSocket, mut session: Value) -> Result<(), axum::Error> {
    say(state, &mut socket, json!({ "type": "session.created", "session": session })).await?;
    while let Some(message) = socket.recv().await {
        let Message::Text(text) = message? else { continue };
        for event in answers(state, &mut session, &serde_json::from_str(&text).unwrap_or_default()) {
            say(state, &mut socket, event).await?;
        }
    }
    Ok(())
}

async fn say(state: &MockState, socket: &mut WebSocket, mut event: Value) -> Result<(), axum::Error> {
    event["event_id"] = json!(state.id("event_"));
    tokio::time::sleep(state.options.gap).await;
    socket.send(Message::Text(event.to_string().into())).await
}

fn answers(state: &MockState, session: &mut Value, sent: &Value) -> Vec<Value> {
    match sent["type"].as_str() {
        Some("session.update") => {
            *session = with(session.take(), &sent["session"]);
            vec![json!({ "type": "session.updated", "session": session })]
        }
        Some("conversation.item.create") => {
            let kept = json!({ "id": state.id("item_"), "object": "realtime.item", "status": "completed" });
            let item = with(sent["item"].clone(), &kept);
            let event = |name: &str| json!({ "type": name, "previous_item_id": null, "item": item });
            vec![event("conversation.item.added"), event("conversation.item.done")]
        }
        Some("response.create") => response(state),
        other => {
            let message = format!("Invalid value: '{}'.", other.unwrap_or_default());
            let error = json!({ "type": "invalid_request_error", "code": "invalid_value", "message": message });
            vec![json!({ "type": "error", "error": error })]
        }
    }
}

fn response(state: &MockState) -> Vec<Value> {
    let words = state.words();
    let (response, item) = (state.id("resp_"), state.id("item_"));
    let whole = |status: &str, output: Value| json!({ "object": "realtime.response", "id": response, "status": status, "output": output, "metadata": null });
    let message = |status: &str, content: Value| {
        json!({
            "id": item, "object": "realtime.item", "type": "message", "status": status, "role": "assistant",
            "content": content,
        })
    };
    let part = |kind: &str, text: &str| json!({ "type": kind, "text": text });
    let text = words.concat();
    let spoken = message("completed", json!([part("output_text", &text)]));
    let place = json!({ "response_id": response, "item_id": item, "output_index": 0, "content_index": 0 });
    let at = |event: Value| with(event, &place);
    let mut events = vec![
        json!({ "type": "response.created", "response": whole("in_progress", json!([])) }),
        at(json!({ "type": "response.output_item.added", "item": message("in_progress", json!([])) })),
        at(json!({ "type": "response.content_part.added", "part": part("text", "") })),
    ];
    events.extend(words.iter().map(|word| at(json!({ "type": "response.output_text.delta", "delta": word }))));
    events.extend([
        at(json!({ "type": "response.output_text.done", "text": text })),
        at(json!({ "type": "response.content_part.done", "part": part("text", &text) })),
        at(json!({ "type": "response.output_item.done", "item": spoken })),
        json!({ "type": "response.done", "response": whole("completed", json!([spoken])) }),
    ]);
    events
}
