//! A stand-in for api.openai.com: answers shaped like OpenAI's, limits that are enforced, and every arrival counted.
//!
//! It knows no model and no wall clock. Anything it does not know answers 404, as OpenAI does.

mod arrival;
mod assistants;
mod batches;
mod budget;
mod cap;
mod chat;
mod collection;
mod complaint;
mod embeddings;
mod events;
mod files;
mod foreign;
mod form;
mod limits;
mod models;
mod moderations;
mod options;
mod quotas;
mod realtime;
mod refusals;
mod responses;
mod runs;
mod script;
mod sent;
mod share;
mod span;
mod stats;
mod tally;
#[cfg(test)]
mod tests;
mod toll;
mod traffic;
mod vector_stores;
mod verdict;
mod weather;
mod with;
mod world;

pub use options::{Options, counting};
pub use quotas::{Family, Figures, Quotas};
pub use refusals::Refusal;
pub use script::{BadScript, Script};
pub use share::{Scale, Share};
pub use stats::{Others, PoolStats, Stats};
pub use tally::ByWindow;
pub use weather::Weather;

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
use collection::{Answered, item, list};
use complaint::Complaint;
use limits::Limits;
use script::Step;
use sent::Sent;
use world::World;

/// The stand-in.
#[derive(Clone, Debug)]
pub struct Mock {
    world: Arc<World>,
}

impl Mock {
    /// A stand-in that enforces the limits of these settings; `in_flight` is the gate's own and not among them.
    #[must_use]
    pub fn new(settings: &Settings, options: Options) -> Self {
        let limits = Limits::new(settings, options.clone());
        Self { world: Arc::new(World::new(limits, options)) }
    }

    /// What has arrived so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        stats(&self.world)
    }

    /// Serves on `listener` until `shutdown`, and then ends at once.
    ///
    /// # Errors
    /// The listener's own.
    pub async fn run(self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        // A small answer must not wait for the next one to fill a packet; a socket that is gone needs no setting.
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        tokio::select! {
            served = axum::serve(listener, self.endpoints()).into_future() => served,
            () = shutdown => Ok(()),
        }
    }

    /// Its endpoints without a listener, for whoever has requests at hand and no socket.
    pub fn endpoints(self) -> Router {
        let api = models_api()
            .merge(files_api())
            .merge(assistants_api())
            .fallback(unknown)
            .layer(from_fn_with_state(Arc::clone(&self.world), toll::take));
        let own = Router::new()
            .route("/__mock/stats", get(async |State(world): State<Arc<World>>| Json(stats(&world))))
            .route("/__mock/step", post(step))
            .route("/__mock/reset", post(async |State(world): State<Arc<World>>| Json(reset(&world))));
        own.merge(api).layer(DefaultBodyLimit::disable()).with_state(self.world)
    }
}

fn models_api() -> Router<Arc<World>> {
    Router::new()
        .route("/v1/models", get(models::list))
        .route("/v1/models/{model}", get(models::find))
        .route("/v1/chat/completions", post(chat::complete))
        .route("/v1/responses", post(responses::create).get(responses::socket))
        .route("/v1/responses/{response_id}", item())
        .route("/v1/embeddings", post(embeddings::create))
        .route("/v1/moderations", post(moderations::create))
        .route("/v1/realtime", get(realtime::socket))
}

fn files_api() -> Router<Arc<World>> {
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

fn assistants_api() -> Router<Arc<World>> {
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

fn stats(world: &World) -> Stats {
    world.limits.stats(Instant::now().into_std())
}

async fn step(State(world): State<Arc<World>>, sent: Sent) -> Answered {
    let step = Step::at_once(Value::Object(sent.0)).map_err(Complaint::bad_request)?;
    world.limits.change(Instant::now().into_std(), &step);
    Ok(Json(json!({ "changed": true })))
}

fn reset(world: &World) -> Value {
    world.reset();
    json!({ "reset": true })
}

async fn unknown(method: Method, uri: Uri) -> Complaint {
    Complaint::no_url(&method, &uri)
}
