use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{MethodRouter, get};

use super::AdminState;

/// How much is logged, as `--log` says it, and a way to change that.
pub(super) fn page() -> MethodRouter<Arc<AdminState>> {
    get(tell).put(change)
}

type Reply = (StatusCode, String);

async fn tell(State(admin): State<Arc<AdminState>>) -> Reply {
    match &admin.filter {
        Some(filter) => (StatusCode::OK, format!("{}\n", filter.text())),
        None => no_log(),
    }
}

async fn change(State(admin): State<Arc<AdminState>>, text: String) -> Reply {
    let Some(filter) = &admin.filter else { return no_log() };
    if let Err(error) = filter.set(&text) {
        return (StatusCode::BAD_REQUEST, format!("{error}\n"));
    }
    tracing::info!(filter = filter.text(), "the log tells something else from now on");
    (StatusCode::OK, format!("{}\n", filter.text()))
}

fn no_log() -> Reply {
    (StatusCode::NOT_FOUND, "this gate has no log of its own\n".to_owned())
}
