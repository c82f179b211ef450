use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::api_error::ApiError;
use super::assistants::{message, messages, new_thread, text_part};
use super::events::{done, json_event, sse};
use super::json_body::{JsonBody, usage_json};
use super::state::MockState;
use super::with::with;

/// `POST /v1/threads/{thread_id}/runs`.
pub(super) async fn create(
    State(state): State<Arc<MockState>>,
    Path(thread): Path<String>,
    sent: JsonBody,
) -> Result<Response, ApiError> {
    state.find("/v1/threads", &thread)?;
    start(&state, &thread, &sent)
}

/// `POST /v1/threads/runs`.
pub(super) async fn create_with_thread(
    State(state): State<Arc<MockState>>,
    sent: JsonBody,
) -> Result<Response, ApiError> {
    let thread = sent.0.get("thread").and_then(Value::as_object).cloned().unwrap_or_default();
    let thread = new_thread(&state, &JsonBody(thread))?;
    start(&state, thread["id"].as_str().unwrap_or_default(), &sent)
}

/// `POST /v1/threads/{thread_id}/runs/{run_id}/submit_tool_outputs`: it ends at once.
pub(super) async fn submit_tool_outputs(
    State(state): State<Arc<MockState>>,
    Path((thread, run)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    state.find(&collection_of(&thread), &run).map(Json)
}

fn start(state: &Arc<MockState>, thread: &str, sent: &JsonBody) -> Result<Response, ApiError> {
    let run = Run::new(state, thread, sent)?;
    if sent.flag("stream") {
        return Ok(run.stream().into_response());
    }
    let queued = state.put(&collection_of(thread), run.queued.clone());
    tokio::spawn(run.work());
    Ok(Json(queued).into_response())
}

/// The collection of a thread's runs.
fn collection_of(thread: &str) -> String {
    format!("/v1/threads/{thread}/runs")
}

/// A run and its objects, as they are when it is over.
struct Run {
    state: Arc<MockState>,
    thread: String,
    queued: Value,
    completed: Value,
    message: Value,
    step: Value,
}

impl Run {
    fn new(state: &Arc<MockState>, thread: &str, sent: &JsonBody) -> Result<Self, ApiError> {
        let assistant = state.find("/v1/assistants", sent.required("assistant_id")?)?;
        let now = state.now();
        let queued = sent.over(json!({
            "id": state.id("run_"), "object": "thread.run", "created_at": now, "thread_id": thread,
            "assistant_id": assistant["id"], "status": "queued", "started_at": null, "expires_at": now + 600,
            "cancelled_at": null, "failed_at": null, "completed_at": null, "required_action": null,
            "last_error": null, "incomplete_details": null, "model": assistant["model"], "instructions": "",
            "tools": assistant["tools"], "metadata": {}, "temperature": 1.0, "top_p": 1.0,
            "max_completion_tokens": null, "max_prompt_tokens": null, "parallel_tool_calls": true,
            "truncation_strategy": { "type": "auto", "last_messages": null }, "response_format": "auto",
            "tool_choice": "auto", "usage": null,
        }));
        let words = state.words();
        let message = message(state, thread, "assistant", &json!([text_part(&words.concat())]));
        let message = with(message, &json!({ "assistant_id": assistant["id"], "run_id": queued["id"] }));
        let usage = usage_json(sent.usage(words.len()));
        let step = json!({
            "id": state.id("step_"), "object": "thread.run.step", "created_at": now, "run_id": queued["id"],
            "assistant_id": assistant["id"], "thread_id": thread, "type": "message_creation", "status": "completed",
            "cancelled_at": null, "completed_at": now, "expired_at": null, "failed_at": null, "last_error": null,
            "step_details": { "type": "message_creation", "message_creation": { "message_id": message["id"] } },
            "metadata": {}, "usage": usage,
        });
        let over = json!({ "status": "completed", "started_at": now, "completed_at": now, "usage": usage });
        let completed = with(queued.clone(), &over);
        Ok(Self { state: Arc::clone(state), thread: thread.to_owned(), queued, completed, message, step })
    }

    /// Is queued for half of the time and in progress for the other half, then completed, unless it is cancelled.
    async fn work(self) {
        for status in ["queued", "in_progress"] {
            tokio::time::sleep(self.state.options.work / 2).await;
            let run = self.state.find(&collection_of(&self.thread), self.id());
            if run.is_ok_and(|run| run["status"] != status) {
                return;
            }
            let _ = self.state.change(&collection_of(&self.thread), self.id(), &json!({ "status": "in_progress" }));
        }
        self.finish();
    }

    fn finish(&self) {
        self.state.put(&messages(&self.thread), self.message.clone());
        self.state.put(&format!("{}/{}/steps", collection_of(&self.thread), self.id()), self.step.clone());
        self.state.put(&collection_of(&self.thread), self.completed.clone());
    }

    fn id(&self) -> &str {
        self.queued["id"].as_str().unwrap_or_default()
    }

    /// The events of the run as a stream.
    fn stream(&self) -> Response {
        self.finish();
        let run = |status: &str| with(self.queued.clone(), &json!({ "status": status }));
        let step = with(self.step.clone(), &json!({ "status": "in_progress", "completed_at": null, "usage": null }));
        let begun = json!({ "status": "in_progress", "completed_at": null, "content": [] });
        let message = with(self.message.clone(), &begun);
        let mut events = vec![
            ("thread.run.created", run("queued")),
            ("thread.run.queued", run("queued")),
            ("thread.run.in_progress", run("in_progress")),
            ("thread.run.step.created", step.clone()),
            ("thread.run.step.in_progress", step),
            ("thread.message.created", message.clone()),
            ("thread.message.in_progress", message),
        ];
        events.extend(self.state.words().iter().map(|word| ("thread.message.delta", self.delta(word))));
        events.extend([
            ("thread.message.completed", self.message.clone()),
            ("thread.run.step.completed", self.step.clone()),
            ("thread.run.completed", self.completed.clone()),
        ]);
        let events = events.iter().map(|(name, data)| json_event(Some(name), data));
        sse(events.chain([done(Some("done"))]).collect(), self.state.options.gap).into_response()
    }

    fn delta(&self, word: &str) -> Value {
        let part = json!({ "index": 0, "type": "text", "text": { "value": word, "annotations": [] } });
        json!({ "id": self.message["id"], "object": "thread.message.delta", "delta": { "content": [part] } })
    }
}
