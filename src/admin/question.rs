use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::json;

use super::AdminState;
use super::explainer::{Explanation, Sketch};
use crate::client::Clients;
use crate::route::Body;

/// What `/explain` is asked: of a request without headers, from this machine.
#[derive(Debug, Deserialize)]
pub(super) struct Question {
    method: String,
    path: String,
    model: Option<String>,
}

/// What would become of a request if it came now.
pub(super) async fn explain(
    State(admin): State<Arc<AdminState>>,
    Query(Question { method, path, model }): Query<Question>,
) -> Json<Explanation> {
    let body = model.map_or(json!({}), |model| json!({ "model": model })).to_string();
    let (headers, peer) = (HeaderMap::new(), IpAddr::V4(Ipv4Addr::LOCALHOST));
    let sketch = Sketch { method, path, headers, peer, body: Body::read(body.as_bytes(), None) };
    let (views, status) = (admin.views(), admin.status());
    let status_for = |client: &str| admin.status_for(Some(Clients::named(client)));
    let each = views.explainer.for_others(&sketch, &status, status_for);
    Json(Explanation { each, ..views.explainer.explain(&sketch, Some(&status)) })
}
