use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;
use tower_http::csrf::CsrfLayer;

use super::{HistoryStatus, STATUS_SCHEMA, Status, Watched, log, metrics, page, question};

type Seen = State<Arc<Watched>>;

/// Which pools are meant, if not all.
#[derive(Debug, Deserialize)]
struct Meant {
    pool: Option<String>,
    key: Option<String>,
}

/// Serves the admin pages on `listener` until `shutdown`.
///
/// # Errors
/// The listener's own.
pub async fn run(
    watched: Watched,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let watched = Arc::new(watched);
    let (remembering, beating, closing) = (Arc::clone(&watched), Arc::clone(&watched), watched.closing.clone());
    let _remembers = AbortOnDropHandle::new(tokio::spawn(async move { remembering.remember().await }));
    let _beats = AbortOnDropHandle::new(tokio::spawn(async move {
        beating.pulse.beat(|| beating.pulse().event()).await;
    }));
    // Who listens to events would keep the server for ever.
    let closed = async move {
        shutdown.await;
        closing.cancel();
    };
    axum::serve(listener, pages().with_state(watched)).with_graceful_shutdown(closed).await
}

fn pages() -> Router<Arc<Watched>> {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/status", get(status))
        .route("/status/schema.json", get(async || STATUS_SCHEMA))
        .route("/history", get(history))
        .route("/events", get(events))
        .route("/explain", get(question::explain))
        .route("/metrics", get(metrics))
        .route("/log", log::page())
        .merge(page::routes())
        .fallback(unknown)
        // What changes something is for people and their programs, and not for the pages of other sites.
        .layer(CsrfLayer::new())
}

/// Ready for requests, which a gate that is stopping is not.
async fn ready(State(watched): Seen) -> (StatusCode, &'static str) {
    if watched.gate.admission().is_draining() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n");
    }
    (StatusCode::OK, "ready\n")
}

async fn status(State(watched): Seen, Query(meant): Query<Meant>) -> Json<Status> {
    let status = watched.status();
    Json(match meant.pool {
        Some(pool) => status.of_pool(&pool),
        None => status,
    })
}

async fn history(State(watched): Seen, Query(Meant { pool, key }): Query<Meant>) -> Json<HistoryStatus> {
    Json(watched.history(pool.as_deref(), key.as_deref()))
}

async fn events(State(watched): Seen) -> impl IntoResponse {
    let events = watched.pulse.listen().take_until(watched.closing.clone().cancelled_owned());
    ([(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")], Body::from_stream(events))
}

async fn metrics(State(watched): Seen) -> impl IntoResponse {
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], watched.metrics())
}

async fn unknown() -> (StatusCode, Json<Value>) {
    let there =
        "there are /, /healthz, /readyz, /status, /status/schema.json, /history, /events, /explain, /metrics and /log";
    (StatusCode::NOT_FOUND, Json(json!({ "error": there })))
}
