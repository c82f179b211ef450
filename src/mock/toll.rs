use std::sync::Arc;

use axum::body::{self, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::{Instant, sleep};

use super::complaint::Complaint;
use super::world::World;
use crate::route::{Body, Facts};

/// What every request meets before its endpoint: the network's jitter, the limits, the time an answer takes.
pub(super) async fn take(State(world): State<Arc<World>>, request: Request, next: Next) -> Response {
    if !world.options.arrival_jitter.is_zero() {
        sleep(world.up_to(world.options.arrival_jitter)).await;
    }
    let mut answer = match charge(&world, request).await {
        Ok(request) => {
            let takes = world.options.latency + world.up_to(world.options.jitter);
            if !takes.is_zero() {
                sleep(takes).await;
            }
            next.run(request).await
        }
        Err(refused) => *refused,
    };
    if let Ok(id) = HeaderValue::try_from(world.id("req_")) {
        answer.headers_mut().insert("x-request-id", id);
    }
    answer
}

/// Hands the request back once it has taken from all of its pools.
async fn charge(world: &World, request: Request) -> Result<Request, Box<Response>> {
    let (head, body) = request.into_parts();
    let found = world.limits.find(head.method.as_str(), head.uri.path());
    let (body, read) = if world.limits.reads_body(&found) {
        let read = to_bytes(body, usize::MAX)
            .await
            .map_err(|error| Box::new(Complaint::bad_request(error.to_string()).into_response()))?;
        (body::Body::from(read.clone()), read)
    } else {
        (body, Bytes::new())
    };
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let facts = Seen { headers: &head.headers, body: Body::read(&read, content_type).unwrap_or_default() };
    let model = facts.body.text("model").unwrap_or("gpt-mock");
    if let Some(refusal) = world.refuses() {
        world.limits.refuse();
        return Err(Box::new(refusal.answer(model)));
    }
    let arrived = world.limits.arrive(Instant::now().into_std(), &found, &facts);
    arrived
        .map_err(|denied| Box::new(Complaint::over_limit(&denied, model, world.options.retry_after).into_response()))?;
    Ok(Request::from_parts(head, body))
}

struct Seen<'r> {
    headers: &'r HeaderMap,
    body: Body<'r>,
}

impl Facts for Seen<'_> {
    fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.get(name).map(HeaderValue::as_bytes)
    }

    fn body(&self) -> Option<&Body<'_>> {
        Some(&self.body)
    }

    fn tokens(&self) -> Option<u32> {
        Some(1)
    }
}
