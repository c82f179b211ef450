//! The operations that all collections have. The path alone decides: `/v1/assistants/asst_1` is the object `asst_1` of the
//! collection `/v1/assistants`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::Uri;
use axum::routing::{MethodRouter, get};
use serde_json::{Value, json};

use super::api_error::ApiError;
use super::json_body::JsonBody;
use super::state::{ListQuery, MockState};

pub(super) type ApiResult = Result<Json<Value>, ApiError>;

/// `GET` of a collection.
pub(super) fn list() -> MethodRouter<Arc<MockState>> {
    get(async |State(state): State<Arc<MockState>>, uri: Uri, Query(page): Query<ListQuery>| {
        Json(state.list(uri.path(), &page))
    })
}

/// `GET`, `POST` (which changes it) and `DELETE` of an object.
pub(super) fn item() -> MethodRouter<Arc<MockState>> {
    get(find).post(change).delete(delete)
}

async fn find(State(state): State<Arc<MockState>>, uri: Uri) -> ApiResult {
    let (collection, id) = split(uri.path());
    state.find(collection, id).map(Json)
}

async fn change(State(state): State<Arc<MockState>>, uri: Uri, sent: JsonBody) -> ApiResult {
    let (collection, id) = split(uri.path());
    state.change(collection, id, &Value::Object(sent.0)).map(Json)
}

async fn delete(State(state): State<Arc<MockState>>, uri: Uri) -> ApiResult {
    let (collection, id) = split(uri.path());
    let object = state.remove(collection, id)?;
    let kind = object["object"].as_str().unwrap_or_default();
    // For files and models `object` stays; everything else gets `.deleted` after it.
    let kind = if kind == "file" { kind.to_owned() } else { format!("{kind}.deleted") };
    Ok(Json(json!({ "id": id, "object": kind, "deleted": true })))
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or((path, ""))
}
