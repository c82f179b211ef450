use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::assistants::{message, messages, new_thread, text_part};
use super::complaint::Complaint;
use super::events::{done, json_event, sse};
use super::sent::{Sent, usage_json};
use super::with::with;
use super::world::World;

/// `POST /v1/threads/{thread_id}/runs`.
pub(super) async fn create(
    State(world): State<Arc<World>>,
    Path(thread): Path<String>,
    sent: Sent,
) -> Result<Response, Complaint> {
    world.find("/v1/threads", &thread)?;
    start(&world, &thread, &sent)
}

/// `POST /v1/threads/runs`.
pub(super) async fn create_with_thread(State(world): State<Arc<World>>, sent: Sent) -> Result<Response, Complaint> {
    let thread = sent.0.get("thread").and_then(Value::as_object).cloned().unwrap_or_default();
    let thread = new_thread(&world, &Sent(thread))?;
    start(&world, thread["id"].as_str().unwrap_or_default(), &sent)
}

/// `POST /v1/threads/{thread_id}/runs/{run_id}/submit_tool_outputs`: there is nothing to wait for.
pub(super) async fn submit_tool_outputs(
    State(world): State<Arc<World>>,
    Path((thread, run)): Path<(String, String)>,
) -> Result<Json<Value>, Complaint> {
    world.find(&shelf(&thread), &run).map(Json)
}

fn start(world: &Arc<World>, thread: &str, sent: &Sent) -> Result<Response, Complaint> {
    let run = Run::new(world, thread, sent)?;
    if sent.flag("stream") {
        return Ok(run.stream().into_response());
    }
    let queued = world.put(&shelf(thread), run.queued.clone());
    tokio::spawn(run.work());
    Ok(Json(queued).into_response())
}

/// Where the runs of a thread are kept.
fn shelf(thread: &str) -> String {
    format!("/v1/threads/{thread}/runs")
}

/// A run from its start to its end: every object of it, as it is when it is over.
struct Run {
    world: Arc<World>,
    thread: String,
    queued: Value,
    completed: Value,
    message: Value,
    step: Value,
}

impl Run {
    fn new(world: &Arc<World>, thread: &str, sent: &Sent) -> Result<Self, Complaint> {
        let assistant = world.find("/v1/assistants", sent.required("assistant_id")?)?;
        let now = world.now();
        let queued = sent.over(json!({
            "id": world.id("run_"), "object": "thread.run", "created_at": now, "thread_id": thread,
            "assistant_id": assistant["id"], "status": "queued", "started_at": null, "expires_at": now + 600,
            "cancelled_at": null, "failed_at": null, "completed_at": null, "required_action": null,
            "last_error": null, "incomplete_details": null, "model": assistant["model"], "instructions": "",
            "tools": assistant["tools"], "metadata": {}, "temperature": 1.0, "top_p": 1.0,
            "max_completion_tokens": null, "max_prompt_tokens": null, "parallel_tool_calls": true,
            "truncation_strategy": { "type": "auto", "last_messages": null }, "response_format": "auto",
            "tool_choice": "auto", "usage": null,
        }));
        let words = world.words();
        let message = message(world, thread, "assistant", &json!([text_part(&words.concat())]));
        let message = with(message, &json!({ "assistant_id": assistant["id"], "run_id": queued["id"] }));
        let usage = usage_json(sent.usage(words.len()));
        let step = json!({
            "id": world.id("step_"), "object": "thread.run.step", "created_at": now, "run_id": queued["id"],
            "assistant_id": assistant["id"], "thread_id": thread, "type": "message_creation", "status": "completed",
            "cancelled_at": null, "completed_at": now, "expired_at": null, "failed_at": null, "last_error": null,
            "step_details": { "type": "message_creation", "message_creation": { "message_id": message["id"] } },
            "metadata": {}, "usage": usage,
        });
        let over = json!({ "status": "completed", "started_at": now, "completed_at": now, "usage": usage });
        let completed = with(queued.clone(), &over);
        Ok(Self { world: Arc::clone(world), thread: thread.to_owned(), queued, completed, message, step })
    }

    /// Half of the time queued, half of it in progress, then over; unless it is cancelled on the way.
    async fn work(self) {
        for status in ["queued", "in_progress"] {
            tokio::time::sleep(self.world.options.work / 2).await;
            let run = self.world.find(&shelf(&self.thread), self.id());
            if run.is_ok_and(|run| run["status"] != status) {
                return;
            }
            let _ = self.world.change(&shelf(&self.thread), self.id(), &json!({ "status": "in_progress" }));
        }
        self.finish();
    }

    fn finish(&self) {
        self.world.put(&messages(&self.thread), self.message.clone());
        self.world.put(&format!("{}/{}/steps", shelf(&self.thread), self.id()), self.step.clone());
        self.world.put(&shelf(&self.thread), self.completed.clone());
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
        events.extend(self.world.words().iter().map(|word| ("thread.message.delta", self.delta(word))));
        events.extend([
            ("thread.message.completed", self.message.clone()),
            ("thread.run.step.completed", self.step.clone()),
            ("thread.run.completed", self.completed.clone()),
        ]);
        let events = events.iter().map(|(name, data)| json_event(Some(name), data));
        sse(events.chain([done(Some("done"))]).collect(), self.world.options.gap).into_response()
    }

    fn delta(&self, word: &str) -> Value {
        let part = json!({ "index": 0, "type": "text", "text": { "value": word, "annotations": [] } });
        json!({ "id": self.message["id"], "object": "thread.message.delta", "delta": { "content": [part] } })
    }
}
