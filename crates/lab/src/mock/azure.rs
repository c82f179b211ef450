//! Azure's paths, which name the model as a deployment (its documentation, 2026-11-30).

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde_json::Value;

use super::api_error::ApiError;
use super::collection::ApiResult;
use super::json_body::JsonBody;
use super::state::MockState;
use super::{chat, embeddings};

type Parameters = Query<HashMap<String, String>>;

/// `POST /openai/deployments/{model}/chat/completions?api-version=…`.
pub(super) async fn complete(
    state: State<Arc<MockState>>,
    Path(model): Path<String>,
    parameters: Parameters,
    sent: JsonBody,
) -> Result<Response, ApiError> {
    chat::complete(state, of_deployment(model, &parameters, sent)?).await
}

/// `POST /openai/deployments/{model}/embeddings?api-version=…`.
pub(super) async fn embed(Path(model): Path<String>, parameters: Parameters, sent: JsonBody) -> ApiResult {
    embeddings::create(of_deployment(model, &parameters, sent)?).await
}

/// The deployment is the model, whatever the body says.
fn of_deployment(model: String, parameters: &Parameters, mut sent: JsonBody) -> Result<JsonBody, ApiError> {
    if !parameters.contains_key("api-version") {
        return Err(ApiError::not_found("Resource not found"));
    }
    sent.0.insert("model".to_owned(), Value::String(model));
    Ok(sent)
}
