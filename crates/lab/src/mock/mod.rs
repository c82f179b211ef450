//! A mock of api.openai.com: it responds in OpenAI's shapes, enforces limits, and counts every request.
//!
//! It has no model and no wall clock. Unknown paths get a 404, as at OpenAI.

mod api_error;
mod arrival;
mod assistants;
mod azure;
mod batches;
mod chat;
mod collection;
mod decision;
mod embeddings;
mod enforced_limit;
mod events;
mod faults;
mod files;
mod foreign;
mod form;
mod fraction;
mod go_duration;
mod headers;
mod json_body;
mod limit_set;
mod limit_state;
mod limits;
mod measure;
mod messages;
mod model_limits;
mod models;
mod moderations;
mod options;
mod rate_limit;
mod realtime;
mod refusal;
mod responses;
mod runs;
mod script;
mod state;
mod stats;
#[cfg(test)]
mod tests;
mod tools;
mod vector_stores;
mod windows;
mod with;

pub use faults::Faults;
pub use foreign::ForeignUse;
pub use fraction::{Fraction, LimitScale};
pub use model_limits::{ModelFamily, ModelFigures, ModelLimits};
pub use options::{Options, counting};
pub use refusal::MockRefusal;
pub use script::{FaultScript, ParseScriptError};
pub use stats::{MockStats, PoolStats};
pub use windows::ByWindow;

use std::io;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{Method, Uri};
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::settings::Settings;
use api_error::ApiError;
use collection::{ApiResult, item, list};
use json_body::JsonBody;
use limits::MockLimits;
use script::FaultChange;
use state::MockState;

/// The mock server.
#[derive(Clone, Debug)]
pub struct Mock {
    state: Arc<MockState>,
}

impl Mock {
    /// A mock that enforces the rates of these settings. `in_flight` is a limit of the gate alone.
    #[must_use]
    pub fn new(settings: &Settings, options: Options) -> Self {
        let limits = MockLimits::new(settings, options.clone());
        Self { state: Arc::new(MockState::new(limits, options)) }
    }

    /// What has arrived and been decided so far.
    #[must_use]
    pub fn stats(&self) -> MockStats {
        stats(&self.state)
    }

    /// Serves on `listener` until `shutdown`, then stops without waiting for open requests.
    ///
    /// # Errors
    /// The listener's own.
    pub async fn run(self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        // Without it, a small response waits for the next to fill a packet. An error means that the socket is closed.
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        tokio::select! {
            served = axum::serve(listener, self.endpoints()).into_future() => served,
            () = shutdown => Ok(()),
        }
    }

    /// Its endpoints without a listener, for callers that have a request and no socket.
    pub fn endpoints(self) -> Router {
        let api = models_api()
            .merge(files_api())
            .merge(assistants_api())
            .fallback(unknown)
            .layer(from_fn_with_state(Arc::clone(&self.state), rate_limit::rate_limit));
        let own = Router::new()
            .route("/__mock/stats", get(async |State(state): State<Arc<MockState>>| Json(stats(&state))))
            .route("/__mock/step", post(step))
            .route("/__mock/reset", post(async |State(state): State<Arc<MockState>>| Json(reset(&state))));
        own.merge(api).layer(DefaultBodyLimit::disable()).with_state(self.state)
    }
}

fn models_api() -> Router<Arc<MockState>> {
    Router::new()
        .route("/v1/models", get(models::list))
        .route("/v1/models/{model}", get(models::find))
        .route("/v1/chat/completions", post(chat::complete))
        .route("/v1/responses", post(responses::create).get(responses::socket))
        .route("/v1/responses/{response_id}", item())
        .route("/v1/embeddings", post(embeddings::create))
        .route("/v1/messages", post(messages::create))
        .route("/openai/deployments/{model}/chat/completions", post(azure::complete))
        .route("/openai/deployments/{model}/embeddings", post(azure::embed))
        .route("/openai/v1/chat/completions", post(chat::complete))
        .route("/openai/v1/responses", post(responses::create))
        .route("/openai/v1/embeddings", post(embeddings::create))
        .route("/v1/moderations", post(moderations::create))
        .route("/v1/realtime", get(realtime::socket))
}

fn files_api() -> Router<Arc<MockState>> {
    Router::new()
        .route("/v1/files", list().post(files::upload))
        .route("/v1/files/{file_id}", item())
        .route("/v1/files/{file_id}/content", get(files::content))
        .route("/v1/vector_stores", list().post(vector_stores::create))
        .route("/v1/vector_stores/{vector_store_id}", item())
        .route("/v1/vector_stores/{vector_store_id}/files", list().post(vector_stores::add_file))
        .route("/v1/vector_stores/{vector_store_id}/files/{file_id}", item())
        .route("/v1/vector_stores/{vector_store_id}/file_batches", post(vector_stores::add_batch))
        .route("/v1/vector_stores/{vector_store_id}/file_batches/{batch_id}", item())
        .route("/v1/vector_stores/{vector_store_id}/file_batches/{batch_id}/files", list())
        .route("/v1/vector_stores/{vector_store_id}/file_batches/{batch_id}/cancel", post(vector_stores::cancel))
        .route("/v1/batches", list().post(batches::create))
        .route("/v1/batches/{batch_id}", item())
        .route("/v1/batches/{batch_id}/cancel", post(vector_stores::cancel))
}

fn assistants_api() -> Router<Arc<MockState>> {
    Router::new()
        .route("/v1/assistants", list().post(assistants::create))
        .route("/v1/assistants/{assistant_id}", item())
        .route("/v1/threads", post(assistants::create_thread))
        .route("/v1/threads/{thread_id}", item())
        .route("/v1/threads/{thread_id}/messages", list().post(assistants::create_message))
        .route("/v1/threads/{thread_id}/messages/{message_id}", item())
        .route("/v1/threads/runs", post(runs::create_with_thread))
        .route("/v1/threads/{thread_id}/runs", list().post(runs::create))
        .route("/v1/threads/{thread_id}/runs/{run_id}", item())
        .route("/v1/threads/{thread_id}/runs/{run_id}/cancel", post(vector_stores::cancel))
        .route("/v1/threads/{thread_id}/runs/{run_id}/submit_tool_outputs", post(runs::submit_tool_outputs))
        .route("/v1/threads/{thread_id}/runs/{run_id}/steps", list())
        .route("/v1/threads/{thread_id}/runs/{run_id}/steps/{step_id}", item())
}

fn stats(state: &MockState) -> MockStats {
    state.limits.stats(Instant::now().into_std())
}

async fn step(State(state): State<Arc<MockState>>, sent: JsonBody) -> ApiResult {
    let step = FaultChange::at_once(Value::Object(sent.0)).map_err(ApiError::bad_request)?;
    state.limits.change(Instant::now().into_std(), &step);
    Ok(Json(json!({ "changed": true })))
}

fn reset(state: &MockState) -> Value {
    state.reset();
    json!({ "reset": true })
}

async fn unknown(method: Method, uri: Uri) -> ApiError {
    ApiError::no_url(&method, &uri)
}
