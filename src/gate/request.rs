use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, EXPECT, HeaderMap, HeaderName};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Uri, Version};
use hyper::Request;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use tokio::time::Instant;

use super::failure::Failure;
use super::headers::{asks_for_websocket, join_cookies, mark_secrets, merge_lengths, speak_to_the_gate};
use super::peer::Peer;
use super::state::GateState;
use crate::admission::{AdmissionRequest, ClientId, QueuePosition};
use crate::client::{patience, requested_priority, unsaid_patience};
use crate::fingerprint::Fingerprint;
use crate::route::{Asks, Body, Facts, Found, RouteId};
use crate::telemetry::{QueuedSpan, RequestTrace};
use crate::upstream::Prefetched;

/// A client's request: its head and its body, and what the gate read from them on arrival.
pub(super) struct ClientRequest {
    pub(super) head: Parts,
    pub(super) body: Prefetched,
    /// Its client's connection.
    pub(super) peer: Arc<Peer>,
    /// When its head was complete.
    pub(super) arrived: Instant,
    pub(super) found: Arc<Found>,
    /// Path and query as the upstream gets them.
    pub(super) target: PathAndQuery,
    pub(super) client: ClientId,
    /// Whether any of its headers says how it is to be treated.
    speaks: bool,
    /// The connection, should it turn into a WebSocket.
    pub(super) upgrade: Option<OnUpgrade>,
    pub(super) trace: Option<Arc<RequestTrace>>,
    /// Observed, it would have been refused before its pools were asked.
    pub(super) is_refused: bool,
    /// When it must be sent, if that is sooner than its client says.
    deadline: Option<Instant>,
}

impl ClientRequest {
    /// Classifies a request: its route, by method and path, and whose it is.
    pub(super) fn read(gate: &GateState, mut request: Request<Incoming>, peer: &Arc<Peer>) -> Box<Self> {
        let is_websocket = request.version() == Version::HTTP_11 && asks_for_websocket(request.headers());
        let upgrade = is_websocket.then(|| hyper::upgrade::on(&mut request));
        let (mut head, body) = request.into_parts();
        if head.version == Version::HTTP_2 {
            join_cookies(&mut head.headers);
            merge_lengths(&mut head.headers);
        }
        mark_secrets(&mut head.headers);
        let arrived = Instant::now();
        let (sent, base) = (target(&head.uri), gate.upstream.base());
        let target = base.after(sent.as_str()).and_then(|after| after.parse().ok()).unwrap_or(sent);
        let found = peer.find(&gate.routes, &head.method, target.path());
        let is_short = found.lacks_v1() && base.adds_v1();
        let with_v1 = is_short.then(|| format!("/v1{target}").parse().ok()).flatten();
        let client = peer.identify(gate, &head.headers, target.query());
        let trace = gate.telemetry.begin(&gate.routes.route(found.route()).name, arrived, &mut head.headers);
        let (target, peer) = (with_v1.unwrap_or(target), Arc::clone(peer));
        let speaks = speak_to_the_gate(&head.headers);
        Box::new(Self {
            head,
            body: Prefetched::new(body, gate.stall),
            peer,
            arrived,
            found,
            target,
            client,
            speaks,
            upgrade,
            trace,
            is_refused: false,
            deadline: None,
        })
    }

    pub(super) fn route(&self) -> RouteId {
        self.found.route()
    }

    pub(super) fn is_connect(&self) -> bool {
        self.head.method == Method::CONNECT
    }

    /// Whether its target names another server than this one, as clients write it for a proxy (RFC 9112 §3.2.2).
    pub(super) fn is_misdirected(&self) -> bool {
        let named = self.head.uri.authority().filter(|_| self.head.version < Version::HTTP_2);
        named.is_some_and(|authority| !self.peer.is_asked_at(authority, self.head.uri.scheme()))
    }

    /// What it asks of its pools. A body that cannot be read counts as much as it may.
    pub(super) fn asks(&self, gate: &GateState) -> Asks {
        let read = self.body.whole().filter(|_| self.needs_body(gate));
        let content_type = || self.head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let facts = RequestFacts {
            headers: &self.head.headers,
            body: read.and_then(|bytes| Body::read(bytes, content_type())),
            query: self.target.query(),
            peer: &self.peer,
        };
        gate.routes.asks(&self.found, &facts)
    }

    /// Whether its body says what it asks of its pools.
    pub(super) fn needs_body(&self, gate: &GateState) -> bool {
        gate.routes.reads_body(&self.found)
    }

    /// How it asks for admission; `position` is its place in the queue, if it had one before.
    pub(super) fn admission(&self, gate: &GateState, position: Option<QueuePosition>) -> AdmissionRequest {
        let headers = &self.head.headers;
        if self.speaks && tracing::enabled!(tracing::Level::DEBUG) && requested_priority(headers).is_err() {
            tracing::debug!("an x-tidegate-priority other than high, normal or low is ignored");
        }
        let of_route = gate.routes.priority(&self.found);
        AdmissionRequest {
            client: self.client,
            priority: if self.speaks { gate.clients.priority(of_route, headers) } else { of_route },
            patience: self.patience(gate),
            route: self.route(),
            returns: self.speaks.then(|| retry_count(headers)).flatten(),
            bytes: self.body.may_hold(gate.buffer),
            position,
        }
    }

    /// How much longer its client waits for it to be sent, if the client says so.
    pub(super) fn patience(&self, gate: &GateState) -> Option<Duration> {
        let headers = &self.head.headers;
        let own = if self.speaks {
            patience(headers, gate.typical_latency.of(self.route()))
        } else {
            unsaid_patience(headers)
        };
        let patience = own.into_iter().chain(self.deadline.map(|deadline| deadline - self.arrived)).min();
        patience.map(|patience| patience.saturating_sub(self.arrived.elapsed()))
    }

    /// The request waits in the queue until this is dropped.
    pub(super) fn queued(&self) -> Option<QueuedSpan> {
        self.trace.as_ref().map(RequestTrace::queued)
    }

    /// Ends a request that was not sent. A client that is still sending its body would not read the answer.
    pub(super) async fn reject(&mut self, failure: Failure) -> Failure {
        let waits_for_100 = self.head.headers.contains_key(EXPECT) && !self.body.is_touched();
        if !waits_for_100 && !self.is_connect() {
            std::mem::take(&mut self.body).drain().await;
        }
        failure
    }

    /// Whether its connection must end with the answer: the client takes what follows for something else than HTTP.
    pub(super) fn leaves_http(&self) -> bool {
        self.upgrade.is_some() || self.is_connect() && self.head.version < Version::HTTP_2
    }

    /// The same request once more, which must be sent until the deadline, if there is one; it has no body.
    pub(super) fn repeat(&self, deadline: Option<Instant>) -> Box<Self> {
        Box::new(Self {
            head: self.head.clone(),
            body: Prefetched::default(),
            peer: Arc::clone(&self.peer),
            arrived: self.arrived,
            found: Arc::clone(&self.found),
            target: self.target.clone(),
            client: self.client,
            speaks: self.speaks,
            upgrade: None,
            trace: self.trace.clone(),
            is_refused: self.is_refused,
            deadline,
        })
    }

    /// Copies the head out of the 8 KB buffer it was read into, which it would otherwise keep for as long as it waits.
    pub(super) fn compact(&mut self) {
        self.body.compact();
        self.head.uri = Uri::default();
        if let Ok(copy) = PathAndQuery::try_from(self.target.as_str()) {
            self.target = copy;
        }
        for value in self.head.headers.values_mut() {
            if let Ok(mut copy) = HeaderValue::from_bytes(value.as_bytes()) {
                copy.set_sensitive(value.is_sensitive());
                *value = copy;
            }
        }
    }
}

/// Path and query. `*` (RFC 9112 §3.2.4) asks about the server as a whole, so it counts as the root.
fn target(uri: &Uri) -> PathAndQuery {
    let root = || PathAndQuery::from_static("/");
    uri.path_and_query().filter(|target| target.as_str() != "*").cloned().unwrap_or_else(root)
}

const RETRY_COUNT: HeaderName = HeaderName::from_static("x-stainless-retry-count");

/// How often its SDK has sent this request before.
fn retry_count(headers: &HeaderMap) -> Option<u32> {
    headers.get(RETRY_COUNT)?.to_str().ok()?.parse().ok()
}

/// What a route's charges read of a request.
struct RequestFacts<'r> {
    headers: &'r HeaderMap,
    body: Option<Body<'r>>,
    query: Option<&'r str>,
    peer: &'r Peer,
}

impl Facts for RequestFacts<'_> {
    fn header(&self, name: &str) -> Option<&[u8]> {
        // Comparing each is cheaper than parsing a name: clients send few headers.
        let is_named = |(known, _): &(&HeaderName, &HeaderValue)| known.as_str() == name;
        self.headers.iter().find(is_named).map(|(_, value)| value.as_bytes())
    }

    fn body(&self) -> Option<&Body<'_>> {
        self.body.as_ref()
    }

    fn query(&self) -> Option<&str> {
        self.query
    }

    fn fingerprint(&self, value: &[u8]) -> Fingerprint {
        self.peer.fingerprint(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_count_that_is_no_number_is_ignored() {
        for (sent, count) in [("0", Some(0)), ("2", Some(2)), ("-1", None), ("often", None)] {
            let headers = HeaderMap::from_iter([(RETRY_COUNT, HeaderValue::from_static(sent))]);
            assert_eq!(retry_count(&headers), count, "{sent}");
        }
        assert_eq!(retry_count(&HeaderMap::new()), None);
    }
}
