use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::{Instant, sleep};

use super::arrival::Arrival;
use super::world::World;

/// What every request meets before its endpoint: the network's jitter, the limits, the time an answer takes.
pub(super) async fn take(State(world): State<Arc<World>>, request: Request, next: Next) -> Response {
    dawdle(world.up_to(world.options.arrival_jitter)).await;
    let (arrival, body) = match Arrival::read(&world, request).await {
        Ok(read) => read,
        Err(complaint) => return complaint.into_response(),
    };
    let verdict = world.limits.arrive(Instant::now().into_std(), &arrival);
    let mut answer = if let Some(denied) = verdict.denied {
        denied.answer(&arrival, world.options.retry_after)
    } else {
        dawdle(verdict.latency + world.up_to(world.options.jitter)).await;
        next.run(Request::from_parts(arrival.head, body)).await
    };
    verdict.standing.write(answer.headers_mut());
    if let Ok(id) = HeaderValue::try_from(world.id("req_")) {
        answer.headers_mut().insert("x-request-id", id);
    }
    answer
}

async fn dawdle(time: Duration) {
    if !time.is_zero() {
        sleep(time).await;
    }
}
