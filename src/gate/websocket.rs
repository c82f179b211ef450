use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Duration;

use futures_util::future::{BoxFuture, OptionFuture};
use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::exchange::ResponseMeter;
use super::failure::Failure;
use super::observed_request::ObservedRequest;
use super::outcome::Source;
use super::record::RequestRecord;
use super::request::ClientRequest;
use super::state::Gate;
use crate::admission::{AdmissionRequest, Permit, Refusal};
use crate::route::{Body, Facts, Found};

/// A WebSocket whose turns are paced: each `response.create` takes from the pools from which a `POST` to its path takes.
///
/// Messages are passed on one by one, in their order. While a turn waits, what its client sends behind it waits as well, and
/// what the upstream says goes on.
pub(super) struct WebSocketTurns {
    gate: Gate,
    found: Found,
    admission: AdmissionRequest,
    /// Of the request that opened the connection: they say who pays.
    headers: HeaderMap,
}

/// How many messages of a client wait behind a turn. A guess: an SDK waits for its response before it goes on.
const MOST_BEHIND: usize = 64;

/// How long the other side may take to close. A guess: a round trip and a busy machine.
const CLOSING: Duration = Duration::from_secs(15);

/// What begins a turn, and what ends it (OpenAI's API reference of the Responses WebSocket, 2026-11-30).
const CREATE: &str = "response.create";
const ENDS: [&str; 5] = ["response.completed", "response.failed", "response.incomplete", "response.cancelled", "error"];

/// What of an event matters here.
#[derive(Deserialize)]
struct Event<'e> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'e, str>,
    status: Option<u16>,
}

/// A turn that waits, and the message that begins it.
struct Waiting {
    turn: Message,
    permit: BoxFuture<'static, Result<Permit, Refusal>>,
    /// Its double, if its pools are only observed.
    observed: Option<ObservedRequest>,
    record: Box<RequestRecord>,
}

/// A turn that the upstream works on.
struct UnderWay {
    meter: ResponseMeter,
    record: Box<RequestRecord>,
}

impl WebSocketTurns {
    /// Nothing for a WebSocket whose messages take from no pool.
    pub(super) fn of(gate: &Gate, request: &ClientRequest) -> Option<Box<Self>> {
        request.upgrade.as_ref()?;
        let found = gate.routes.find("POST", request.target.path());
        let takes = |route| !gate.routes.route(route).charges.is_empty();
        // Where opening it takes from pools, the connection as a whole is what is paced.
        if takes(request.route()) || !takes(found.route()) {
            return None;
        }
        let headers = request.head.headers.clone();
        let priority = gate.clients.priority(gate.routes.priority(&found), &headers);
        let admission =
            AdmissionRequest { client: request.client, priority, route: found.route(), ..AdmissionRequest::default() };
        Some(Box::new(Self { gate: gate.clone(), found, admission, headers }))
    }

    /// Passes messages on until one side has closed.
    pub(super) async fn relay(
        self,
        client: OnUpgrade,
        upstream: OnUpgrade,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let (client, upstream) = tokio::try_join!(client, upstream)?;
        let mut client = WebSocketStream::from_raw_socket(TokioIo::new(client), Role::Server, None).await;
        let mut upstream = WebSocketStream::from_raw_socket(TokioIo::new(upstream), Role::Client, None).await;
        let carried = self.carry(&mut client, &mut upstream).await;
        let closing = async { tokio::join!(client.close(None), upstream.close(None)) };
        drop(timeout(CLOSING, closing).await);
        Ok(carried?)
    }

    async fn carry<C, U>(&self, client: &mut WebSocketStream<C>, upstream: &mut WebSocketStream<U>) -> Result<(), Error>
    where
        C: AsyncRead + AsyncWrite + Unpin,
        U: AsyncRead + AsyncWrite + Unpin,
    {
        let (mut behind, mut waiting, mut under_way) = (VecDeque::new(), None::<Waiting>, None::<UnderWay>);
        loop {
            let permit: OptionFuture<_> = waiting.as_mut().map(|waiting| &mut waiting.permit).into();
            tokio::select! {
                Some(decided) = permit => {
                    let Some(Waiting { turn, observed, record, .. }) = waiting.take() else { continue };
                    match decided {
                        Ok(permit) => {
                            under_way = Some(self.begin(permit, observed, record));
                            upstream.send(turn).await?;
                        }
                        Err(refusal) => client.send(error_event(refusal, record)).await?,
                    }
                }
                said = upstream.next() => {
                    let message = match said {
                        Some(Ok(message)) if !message.is_close() => message,
                        ends => {
                            under_way.iter_mut().for_each(|turn| turn.record.upstream_broke_off());
                            return pass_end(ends, client).await;
                        }
                    };
                    self.hear(&message, &mut under_way);
                    if passes(&message) {
                        client.send(message).await?;
                    }
                }
                sent = client.next(), if behind.len() < MOST_BEHIND => {
                    let Some(message) = sent.transpose()? else { return Ok(()) };
                    if message.is_close() {
                        return upstream.send(message).await;
                    }
                    if passes(&message) {
                        behind.push_back(message);
                    }
                }
            }
            while waiting.is_none()
                && let Some(message) = behind.pop_front()
            {
                match self.turn(message) {
                    Ok(turn) => waiting = Some(turn),
                    Err(other) => upstream.send(other).await?,
                }
            }
        }
    }

    /// The message as a turn that waits, or as it was if it is none.
    fn turn(&self, message: Message) -> Result<Waiting, Message> {
        let text = message.to_text().unwrap_or_default();
        if !serde_json::from_str::<Event<'_>>(text).is_ok_and(|event| event.kind == CREATE) {
            return Err(message);
        }
        let facts = TurnFacts { headers: &self.headers, body: Body::read(text.as_bytes(), None) };
        let mut asks = self.gate.routes.asks(&self.found, &facts);
        let admission = AdmissionRequest { bytes: text.len() as u64, ..self.admission };
        let observed = self.gate.observer.as_ref().map(|observer| observer.split(&mut asks)).unwrap_or_default();
        let observed = (!observed.is_empty()).then(|| self.gate.observe(&observed, admission, false).1).flatten();
        let record = RequestRecord::of_turn(&self.gate, admission.route, admission.client, &self.headers);
        let gate = self.gate.clone();
        let permit = Box::pin(async move { gate.admission.acquire(&asks, admission).await });
        Ok(Waiting { turn: message, permit, observed, record })
    }

    /// The turn goes.
    fn begin(&self, permit: Permit, observed: Option<ObservedRequest>, mut record: Box<RequestRecord>) -> UnderWay {
        record.progress.waited = permit.waited;
        let (place, in_flight) = permit.split();
        place.sent();
        let sent = record.progress.sent();
        let mut meter = ResponseMeter::new(in_flight, self.gate.in_flight.overdraw(1), observed, sent.into_std());
        meter.accept(&HeaderMap::new(), false);
        meter.read_turn();
        UnderWay { meter, record }
    }

    /// What the upstream says to the turn that is under way.
    fn hear(&self, message: &Message, under_way: &mut Option<UnderWay>) {
        let (Some(UnderWay { meter, record }), Message::Text(text)) = (under_way.as_mut(), message) else { return };
        let Ok(event) = serde_json::from_str::<Event<'_>>(text) else { return };
        if !ENDS.contains(&&*event.kind) {
            return;
        }
        if let Some(status) = event.status {
            meter.hear_error(status, text.as_bytes(), &self.gate.meanings);
        } else {
            meter.see(text.as_bytes());
            meter.report_refusal(&self.gate.meanings);
        }
        let status = event.status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or_default();
        record.completes(status, Source::Upstream);
        *under_way = None;
    }
}

/// How the upstream ends is passed on.
async fn pass_end<C>(ends: Option<Result<Message, Error>>, client: &mut WebSocketStream<C>) -> Result<(), Error>
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    match ends.transpose()? {
        Some(close) => client.send(close).await,
        None => Ok(()),
    }
}

/// A refusal of the gate, as the upstream would say it.
fn error_event(refusal: Refusal, mut record: Box<RequestRecord>) -> Message {
    record.progress.waited = record.arrived.elapsed();
    let error = record.fails(&Failure::refused(refusal));
    let mut event: Value = serde_json::from_slice(&error.body()).unwrap_or_default();
    event["type"] = json!("error");
    event["status"] = json!(error.status.as_u16());
    if let Some(wait) = error.retry_after {
        event["headers"] = json!({ "retry-after": wait.as_millis().div_ceil(1_000).to_string() });
    }
    Message::text(event.to_string())
}

/// Whether it is meant for the other end; each end of the gate answers pings itself.
fn passes(message: &Message) -> bool {
    !matches!(message, Message::Ping(_) | Message::Pong(_) | Message::Frame(_))
}

/// What the charges of a turn are read from.
struct TurnFacts<'t> {
    headers: &'t HeaderMap,
    body: Option<Body<'t>>,
}

impl Facts for TurnFacts<'_> {
    fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.get(name).map(http::HeaderValue::as_bytes)
    }

    fn body(&self) -> Option<&Body<'_>> {
        self.body.as_ref()
    }
}
