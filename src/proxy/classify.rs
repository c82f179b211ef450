use std::task::{Context, Poll};

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use tower::Service;

use super::Gate;
use super::passing::{Arrived, Route, Routed, Tries};
use crate::route::{Asks, Body, Facts};

/// Finds the route of each request, and whose it is.
#[derive(Clone)]
pub(super) struct Classify<Inner> {
    gate: Gate,
    inner: Inner,
}

impl<Inner> Classify<Inner> {
    pub(super) fn new(gate: Gate, inner: Inner) -> Self {
        Self { gate, inner }
    }
}

impl<Inner: Service<Routed>> Service<Box<Arrived>> for Classify<Inner> {
    type Response = Inner::Response;
    type Error = Inner::Error;
    type Future = Inner::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Inner::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, arrived: Box<Arrived>) -> Inner::Future {
        let target = arrived.target();
        let found = self.gate.shared.routes.find(arrived.head.method.as_str(), target.path());
        // With what goes before it, it is a path all the more.
        let with_v1 = found.lacks_v1().then(|| format!("/v1{target}").parse().ok()).flatten();
        let route = Route { found, target: with_v1.unwrap_or(target) };
        let who = self.gate.shared.clients.identify(&arrived.head.headers, arrived.client.peer.ip());
        self.inner.call(Routed { arrived, route, who, place: None, tries: Tries::default() })
    }
}

impl Gate {
    /// What a request asks of its pools. Whatever of its body cannot be read counts as much as it may.
    pub(super) fn asks(&self, routed: &Routed) -> Asks {
        let Arrived { head, body, .. } = &*routed.arrived;
        let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let read = body.whole().filter(|_| self.reads_body(routed));
        let seen = Seen { headers: &head.headers, body: read.and_then(|bytes| Body::read(bytes, content_type)) };
        self.shared.routes.asks(&routed.route.found, &seen)
    }

    /// Whether what a request asks cannot be said before its body is read.
    pub(super) fn reads_body(&self, routed: &Routed) -> bool {
        self.shared.routes.reads_body(&routed.route.found)
    }
}

struct Seen<'r> {
    headers: &'r HeaderMap,
    body: Option<Body<'r>>,
}

impl Facts for Seen<'_> {
    fn header(&self, name: &str) -> Option<&[u8]> {
        // To look at each is cheaper than to make a name of a text: clients send few.
        let named = |(known, _): &(&HeaderName, &HeaderValue)| known.as_str() == name;
        self.headers.iter().find(named).map(|(_, value)| value.as_bytes())
    }

    fn body(&self) -> Option<&Body<'_>> {
        self.body.as_ref()
    }
}
