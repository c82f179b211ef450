use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body::{Frame, SizeHint};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::api_error::ApiError;
use super::arrival::ArrivedRequest;
use super::state::MockState;
use crate::meter::Counted;

/// The middleware before all endpoints: the network's jitter, the limits, and the time until the response.
pub(super) async fn rate_limit(State(state): State<Arc<MockState>>, request: Request, next: Next) -> Response {
    pause(state.up_to(state.options.arrival_jitter)).await;
    let (arrival, body) = match read(&state, request).await {
        Ok(read) => read,
        Err(error) => return error.into_response(),
    };
    let decision = state.limits.arrive(Instant::now().into_std(), &arrival);
    let answer = if let Some(denied) = decision.denied {
        denied.answer(&arrival, state.options.retry_after)
    } else {
        pause(decision.latency + state.up_to(state.options.jitter)).await;
        next.run(Request::from_parts(arrival.head, body)).await
    };
    let ending = Ending { state: Arc::clone(&state), counted: decision.counted };
    let mut answer = answer.map(|body| Body::new(CountedBody { body, _ending: ending }));
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

/// A response's body; with its end the request counts no more.
struct CountedBody {
    body: Body,
    _ending: Ending,
}

/// Tells the limits of the end.
struct Ending {
    state: Arc<MockState>,
    counted: Counted,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.state.limits.end(&self.counted);
    }
}

impl HttpBody for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

async fn pause(time: Duration) {
    if !time.is_zero() {
        sleep(time).await;
    }
}
