//! What every collection can do, by the path of the request alone: `/v1/assistants/asst_1` is the object `asst_1` of
//! the shelf `/v1/assistants`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::Uri;
use axum::routing::{MethodRouter, get};
use serde_json::{Value, json};

use super::complaint::Complaint;
use super::sent::Sent;
use super::world::{Page, World};

pub(super) type Answered = Result<Json<Value>, Complaint>;

/// `GET` of a collection.
pub(super) fn list() -> MethodRouter<Arc<World>> {
    get(async |State(world): State<Arc<World>>, uri: Uri, Query(page): Query<Page>| Json(world.list(uri.path(), &page)))
}

/// `GET`, `POST` (which changes it) and `DELETE` of an object.
pub(super) fn item() -> MethodRouter<Arc<World>> {
    get(find).post(change).delete(delete)
}

async fn find(State(world): State<Arc<World>>, uri: Uri) -> Answered {
    let (shelf, id) = split(uri.path());
    world.find(shelf, id).map(Json)
}

async fn change(State(world): State<Arc<World>>, uri: Uri, sent: Sent) -> Answered {
    let (shelf, id) = split(uri.path());
    world.change(shelf, id, &Value::Object(sent.0)).map(Json)
}

async fn delete(State(world): State<Arc<World>>, uri: Uri) -> Answered {
    let (shelf, id) = split(uri.path());
    let object = world.remove(shelf, id)?;
    let kind = object["object"].as_str().unwrap_or_default();
    // Files and models say what they are; everything else says that it was.
    let kind = if kind == "file" { kind.to_owned() } else { format!("{kind}.deleted") };
    Ok(Json(json!({ "id": id, "object": kind, "deleted": true })))
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or((path, ""))
}
