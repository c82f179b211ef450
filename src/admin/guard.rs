use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::AdminState;

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Keeps the web pages of other sites from all that follows, reading included: what is shown tells of everything that
/// passes the gate.
pub(super) async fn guard(State(admin): State<Arc<AdminState>>, request: Request, next: Next) -> Response {
    if let Err(stranger) = admin.allowed_hosts.check_own(request.uri().authority(), request.headers()) {
        let error = format!("the admin pages refuse this request: {stranger}");
        return (StatusCode::FORBIDDEN, Json(json!({ "error": error }))).into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    response
}
