use std::convert::Infallible;
use std::time::Duration;

use axum::response::Sse;
use axum::response::sse::Event;
use futures_util::{Stream, StreamExt, stream};
use serde_json::Value;

/// A stream of server-sent events, with `gap` before each but the first.
pub(super) fn sse(events: Vec<Event>, gap: Duration) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let paced = stream::iter(events).enumerate().then(move |(index, event)| async move {
        if index > 0 && !gap.is_zero() {
            tokio::time::sleep(gap).await;
        }
        Ok(event)
    });
    Sse::new(paced)
}

/// An event that carries JSON.
pub(super) fn json_event(name: Option<&str>, data: &Value) -> Event {
    let event = Event::default().data(data.to_string());
    match name {
        Some(name) => event.event(name),
        None => event,
    }
}

/// The event that ends a stream at OpenAI.
pub(super) fn done(name: Option<&str>) -> Event {
    let event = Event::default().data("[DONE]");
    match name {
        Some(name) => event.event(name),
        None => event,
    }
}
