use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::json;

use super::collection::ApiResult;
use super::json_body::JsonBody;
use super::state::MockState;

/// `POST /v1/batches`: in progress for a while.
pub(super) async fn create(State(state): State<Arc<MockState>>, sent: JsonBody) -> ApiResult {
    let now = state.now();
    let batch = sent.over(json!({
        "id": state.id("batch_"), "object": "batch", "endpoint": sent.required("endpoint")?, "errors": null,
        "input_file_id": sent.required("input_file_id")?, "completion_window": sent.required("completion_window")?,
        "status": "in_progress", "output_file_id": null, "error_file_id": null, "created_at": now,
        "in_progress_at": now, "expires_at": now + 86_400, "finalizing_at": null, "completed_at": null,
        "failed_at": null, "expired_at": null, "cancelling_at": null, "cancelled_at": null,
        "request_counts": { "total": 0, "completed": 0, "failed": 0 }, "metadata": null,
    }));
    let batch = state.put("/v1/batches", batch);
    state.finish("/v1/batches".to_owned(), &batch, json!({ "status": "completed", "completed_at": now }));
    Ok(Json(batch))
}
