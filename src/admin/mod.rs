//! What people and probes see of the gate, on a port of its own.

mod advice;
mod diagnosis;
mod explain;
mod fare;
mod question;
mod status;
mod wording;

pub use diagnosis::{AskerStatus, CaseName, DiagnosisStatus, EvidenceStatus, LearnedStatus, RefusedStatus, Sureness};
pub use explain::{Explainer, Explanation, Live, Over, Sketch, Taken};
pub use fare::{Fare, Refused, Verdict};
pub use status::{LimitStatus, PoolStatus, Status, TallyStatus, Worst};

use std::io;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::config::{Config, Pool};
use crate::proxy::Gate;
use crate::route::Table;

/// Where the admin pages get what they show.
pub struct Watched {
    gate: Gate,
    pools: Vec<Pool>,
    routes: Arc<Table>,
    config: String,
    explainer: Explainer,
    started: Instant,
}

impl Watched {
    /// A gate that starts now.
    #[must_use]
    pub fn new(config: &Config, gate: Gate) -> Self {
        let (pools, routes) = (config.pools.clone(), Arc::clone(&config.routes));
        let (explainer, started) = (Explainer::new(config), Instant::now());
        Self { gate, pools, routes, config: config.source.to_string(), explainer, started }
    }

    /// The state of the gate at this moment.
    #[must_use]
    pub fn status(&self) -> Status {
        let now = self.gate.admission().snapshot();
        let status = Status::new(&self.config, self.started.elapsed(), &self.pools, &self.routes, &now);
        Status { coalesced: self.gate.coalesced(), ..status }
    }
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
    let pages = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/status", get(async |State(watched): State<Arc<Watched>>| Json(watched.status())))
        .route("/explain", get(question::explain))
        .fallback(unknown)
        .with_state(Arc::new(watched));
    axum::serve(listener, pages).with_graceful_shutdown(shutdown).await
}

/// Ready for requests, which a gate that is stopping is not.
async fn ready(State(watched): State<Arc<Watched>>) -> (StatusCode, &'static str) {
    if watched.gate.admission().snapshot().draining {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n");
    }
    (StatusCode::OK, "ready\n")
}

async fn unknown() -> (StatusCode, Json<Value>) {
    (StatusCode::NOT_FOUND, Json(json!({ "error": "there are /healthz, /readyz, /status and /explain" })))
}
