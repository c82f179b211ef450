use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;
use tower_http::csrf::CsrfLayer;

use super::guard::guard;
use super::{
    AdminState, HistoryStatus, STATUS_SCHEMA, Status, configuration, log, metrics, page, question, reload, requests,
    server,
};
use crate::client::Clients;

type PageState = State<Arc<AdminState>>;

/// Which pools are meant, if not all.
#[derive(Debug, Deserialize)]
struct Meant {
    pool: Option<String>,
    key: Option<String>,
    /// Whose next request is foretold, by its label.
    client: Option<String>,
}

/// Serves the admin pages on `listener` until `shutdown`.
///
/// # Errors
/// The listener's own.
pub async fn run(
    admin: Arc<AdminState>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (remembering, beating, closing) = (Arc::clone(&admin), Arc::clone(&admin), admin.closing.clone());
    let _remembers = AbortOnDropHandle::new(tokio::spawn(async move { remembering.remember().await }));
    let _beats = AbortOnDropHandle::new(tokio::spawn(async move {
        beating.stream.beat(|| beating.brief().event()).await;
    }));
    // Who listens to events would keep the server for ever.
    let closed = async move {
        shutdown.await;
        closing.cancel();
    };
    server::serve(pages(&admin).with_state(admin), listener, closed).await
}

fn pages(admin: &Arc<AdminState>) -> Router<Arc<AdminState>> {
    Router::new()
        .route("/status", get(status))
        .route("/status/schema.json", get(async || STATUS_SCHEMA))
        .route("/history", get(history))
        .route("/requests", get(requests::requests))
        .route("/events", get(events))
        .route("/explain", get(question::explain))
        .route("/metrics", get(metrics))
        .route("/log", log::page())
        .route("/config", get(configuration::configuration))
        .route("/config/reload", reload::page())
        .merge(page::routes())
        .fallback(unknown)
        // What changes something is for people and their programs, and not even for pages that may use the gate.
        .layer(CsrfLayer::new())
        .layer(from_fn_with_state(Arc::clone(admin), guard))
        // Probes and load balancers call the gate by any name, and learn nothing of its traffic.
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
}

/// Ready for requests, which a gate that is stopping is not.
async fn ready(State(admin): PageState) -> (StatusCode, &'static str) {
    if admin.gate.admission().is_draining() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n");
    }
    (StatusCode::OK, "ready\n")
}

async fn status(State(admin): PageState, Query(meant): Query<Meant>) -> Json<Status> {
    let status = admin.status_for(meant.client.as_deref().map(Clients::named));
    Json(match meant.pool {
        Some(pool) => status.of_pool(&pool),
        None => status,
    })
}

async fn history(State(admin): PageState, Query(Meant { pool, key, .. }): Query<Meant>) -> Json<HistoryStatus> {
    Json(admin.history(pool.as_deref(), key.as_deref()))
}

async fn events(State(admin): PageState) -> impl IntoResponse {
    let events = admin.stream.listen().take_until(admin.closing.clone().cancelled_owned());
    ([(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")], Body::from_stream(events))
}

async fn metrics(State(admin): PageState) -> impl IntoResponse {
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], admin.metrics())
}

async fn unknown() -> (StatusCode, Json<Value>) {
    let there = "there are /, /healthz, /readyz, /status, /status/schema.json, /history, /requests, /events, /explain, /metrics, /log, /config and, for PUT, /config/reload";
    (StatusCode::NOT_FOUND, Json(json!({ "error": there })))
}
