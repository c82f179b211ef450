use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{MethodRouter, get};

use super::Watched;

/// How much is logged, as `--log` says it, and a way to change that.
pub(super) fn page() -> MethodRouter<Arc<Watched>> {
    get(tell).put(change)
}

type Said = (StatusCode, String);

async fn tell(State(watched): State<Arc<Watched>>) -> Said {
    match &watched.filter {
        Some(filter) => (StatusCode::OK, format!("{}\n", filter.text())),
        None => no_log(),
    }
}

async fn change(State(watched): State<Arc<Watched>>, text: String) -> Said {
    let Some(filter) = &watched.filter else { return no_log() };
    if let Err(error) = filter.set(&text) {
        return (StatusCode::BAD_REQUEST, format!("{error}\n"));
    }
    tracing::info!(filter = filter.text(), "the log tells something else from now on");
    (StatusCode::OK, format!("{}\n", filter.text()))
}

fn no_log() -> Said {
    (StatusCode::NOT_FOUND, "this gate has no log of its own\n".to_owned())
}
