use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{MethodRouter, put};
use tokio::task::spawn_blocking;

use super::AdminState;

/// A way to reload the configuration: what has changed, a line each, or why the old one goes on.
pub(super) fn page() -> MethodRouter<Arc<AdminState>> {
    put(reload)
}

async fn reload(State(admin): State<Arc<AdminState>>) -> (StatusCode, String) {
    let Some(reloader) = admin.reloader.clone() else {
        return (StatusCode::NOT_FOUND, "this gate's configuration cannot be reloaded\n".to_owned());
    };
    match spawn_blocking(move || reloader.reload()).await {
        Ok(Ok(difference)) if difference.is_nothing() => (StatusCode::OK, "nothing has changed\n".to_owned()),
        Ok(Ok(difference)) => (StatusCode::OK, difference.lines().join("\n") + "\n"),
        Ok(Err(why)) => (StatusCode::UNPROCESSABLE_ENTITY, why + "\n"),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}
