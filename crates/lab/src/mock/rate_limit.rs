use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::api_error::ApiError;
use super::arrival::ArrivedRequest;
use super::state::MockState;

/// The middleware before all endpoints: the network's jitter, the limits, and the time until the response.
pub(super) async fn rate_limit(State(state): State<Arc<MockState>>, request: Request, next: Next) -> Response {
    pause(state.up_to(state.options.arrival_jitter)).await;
    let (arrival, body) = match read(&state, request).await {
        Ok(read) => read,
        Err(error) => return error.into_response(),
    };
    let decision = state.limits.arrive(Instant::now().into_std(), &arrival);
    let mut answer = if let Some(denied) = decision.denied {
        denied.answer(&arrival, state.options.retry_after)
    } else {
        pause(decision.latency + state.up_to(state.options.jitter)).await;
        next.run(Request::from_parts(arrival.head, body)).await
    };
    decision.headers.write(answer.headers_mut());
    if let Ok(id) = HeaderValue::try_from(state.id("req_")) {
        answer.headers_mut().insert("x-request-id", id);
    }
    answer
}

/// Reads the body if a limit depends on it, and returns it for the endpoint.
async fn read(state: &MockState, request: Request) -> Result<(ArrivedRequest, Body), ApiError> {
    let (head, body) = request.into_parts();
    let found = state.limits.find(head.method.as_str(), head.uri.path());
    let mut arrival = ArrivedRequest { head, found, body: Value::Null, read: Bytes::new() };
    if !state.limits.reads_body(&arrival) {
        return Ok((arrival, body));
    }
    let read = to_bytes(body, usize::MAX).await.map_err(|error| ApiError::bad_request(error.to_string()))?;
    arrival.body = serde_json::from_slice(&read).unwrap_or_default();
    arrival.read = read.clone();
    Ok((arrival, Body::from(read)))
}

async fn pause(time: Duration) {
    if !time.is_zero() {
        sleep(time).await;
    }
}
