use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;
use serde_json::{Value, json};

use super::collection::ApiResult;
use super::json_body::JsonBody;
use super::state::MockState;

/// `POST /v1/vector_stores`.
pub(super) async fn create(State(state): State<Arc<MockState>>, sent: JsonBody) -> Json<Value> {
    let now = state.now();
    let files = sent.array("file_ids").len();
    let store = sent.over(json!({
        "id": state.id("vs_"), "object": "vector_store", "created_at": now, "last_active_at": now, "name": "",
        "description": null, "metadata": {}, "usage_bytes": 0, "status": "completed", "expires_after": null,
        "expires_at": null, "file_counts": counts(0, files),
    }));
    Json(state.put("/v1/vector_stores", store))
}

/// `POST /v1/vector_stores/{vector_store_id}/files`: in progress for a while.
pub(super) async fn add_file(
    State(state): State<Arc<MockState>>,
    uri: Uri,
    Path(store): Path<String>,
    sent: JsonBody,
) -> ApiResult {
    let id = sent.required("file_id")?.to_owned();
    let file = state.put(uri.path(), attached(&state, &store, &id, "in_progress"));
    let collection = uri.path().to_owned();
    state.finish(collection, &file, json!({ "status": "completed" }));
    Ok(Json(file))
}

/// `POST /v1/vector_stores/{vector_store_id}/file_batches`: in progress for a while.
pub(super) async fn add_batch(
    State(state): State<Arc<MockState>>,
    uri: Uri,
    Path(store): Path<String>,
    sent: JsonBody,
) -> Json<Value> {
    let named = sent.array("files").iter().map(|file| &file["file_id"]);
    let ids: Vec<&str> = sent.array("file_ids").iter().chain(named).filter_map(Value::as_str).collect();
    let batch = json!({
        "id": state.id("vsfb_"), "object": "vector_store.file_batch", "created_at": state.now(),
        "vector_store_id": store, "status": "in_progress", "file_counts": counts(ids.len(), 0),
    });
    let batch = state.put(uri.path(), batch);
    let files = format!("{}/{}/files", uri.path(), batch["id"].as_str().unwrap_or_default());
    for id in &ids {
        state.put(&files, attached(&state, &store, id, "completed"));
    }
    let collection = uri.path().to_owned();
    state.finish(collection, &batch, json!({ "status": "completed", "file_counts": counts(0, ids.len()) }));
    Json(batch)
}

/// `POST …/cancel`, for any kind of batch.
pub(super) async fn cancel(State(state): State<Arc<MockState>>, uri: Uri) -> ApiResult {
    let path = uri.path().trim_end_matches("/cancel");
    let (collection, id) = path.rsplit_once('/').unwrap_or((path, ""));
    state.change(collection, id, &json!({ "status": "cancelled" })).map(Json)
}

fn attached(state: &MockState, store: &str, id: &str, status: &str) -> Value {
    json!({
        "id": id, "object": "vector_store.file", "created_at": state.now(), "usage_bytes": 0, "attributes": {},
        "vector_store_id": store, "status": status, "last_error": null,
        "chunking_strategy": {
            "type": "static", "static": { "max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400 },
        },
    })
}

fn counts(in_progress: usize, completed: usize) -> Value {
    let total = in_progress + completed;
    json!({ "in_progress": in_progress, "completed": completed, "failed": 0, "cancelled": 0, "total": total })
}
