use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::api_error::ApiError;
use super::collection::ApiResult;
use super::form::{FormError, MultipartForm};
use super::state::MockState;

/// The collections of files and of their contents.
const FILES: &str = "/v1/files";
const CONTENTS: &str = "/v1/files/contents";

/// Of larger files only the length is kept. A guess: tests read smaller ones back.
const KEPT: usize = 1 << 20;

/// `POST /v1/files`: reads the upload while it arrives.
pub(super) async fn upload(State(state): State<Arc<MockState>>, headers: HeaderMap, body: Body) -> ApiResult {
    let mut form = MultipartForm::new(&headers, body).map_err(unreadable)?;
    let (mut purpose, mut file) = (None, None);
    while let Some(part) = form.next_part().await.map_err(unreadable)? {
        match &*part.name {
            "purpose" => purpose = Some(form.text().await.map_err(unreadable)?),
            "file" => file = Some(Upload::read(part.file_name, &mut form).await.map_err(unreadable)?),
            _ => {}
        }
    }
    let missing = |name| ApiError::bad_request(format!("Missing required parameter: '{name}'."));
    let purpose = purpose.ok_or_else(|| missing("purpose"))?;
    let Upload { name, bytes, head } = file.ok_or_else(|| missing("file"))?;
    let object = json!({
        "id": state.id("file-"), "object": "file", "bytes": bytes, "created_at": state.now(), "filename": name,
        "purpose": purpose, "status": "processed", "expires_at": null, "status_details": null,
    });
    if bytes == head.len() {
        let text = String::from_utf8_lossy(&head);
        state.put(CONTENTS, json!({ "id": object["id"], "text": text }));
    }
    Ok(Json(state.put(FILES, object)))
}

/// `GET /v1/files/{file_id}/content`.
pub(super) async fn content(State(state): State<Arc<MockState>>, Path(id): Path<String>) -> Result<Response, ApiError> {
    state.find(FILES, &id)?;
    let content = state.find(CONTENTS, &id);
    let content = content.map_err(|_| ApiError::not_found("The stand-in keeps the content of files up to 1 MiB."))?;
    Ok(content["text"].as_str().unwrap_or_default().to_owned().into_response())
}

struct Upload {
    name: String,
    bytes: usize,
    head: Vec<u8>,
}

impl Upload {
    async fn read(name: Option<String>, form: &mut MultipartForm) -> Result<Self, FormError> {
        let mut read = Self { name: name.unwrap_or_else(|| "upload".to_owned()), bytes: 0, head: Vec::new() };
        while let Some(piece) = form.piece().await? {
            read.bytes += piece.len();
            if read.bytes <= KEPT {
                read.head.extend_from_slice(&piece);
            }
        }
        Ok(read)
    }
}

fn unreadable(error: impl std::fmt::Display) -> ApiError {
    ApiError::bad_request(format!("The upload cannot be read: {error}"))
}
