use std::task::{Context, Poll};

use http::HeaderMap;
use serde_json::Value;
use tower::Service;

use super::Gate;
use super::incoming::{Arrived, Routed};
use crate::route::{Asks, Facts, RouteId};

/// The route a request takes.
pub(super) struct Route {
    pub(super) id: RouteId,
    pub(super) params: Vec<(String, String)>,
    /// The target as the upstream gets it.
    pub(super) target: String,
}

/// Finds the route of each request.
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

impl<Inner: Service<Routed>> Service<Arrived> for Classify<Inner> {
    type Response = Inner::Response;
    type Error = Inner::Error;
    type Future = Inner::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Inner::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, arrived: Arrived) -> Inner::Future {
        let found = self.gate.shared.routes.find(arrived.head.method.as_str(), arrived.path());
        let slash = if arrived.target().starts_with('/') { "" } else { "/" };
        let missing = if found.lacks_v1 { "/v1" } else { "" };
        let found = Route {
            id: found.id,
            params: found.params.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            target: format!("{missing}{slash}{}", arrived.target()),
        };
        self.inner.call(Routed { arrived, found })
    }
}

impl Gate {
    /// Whether what a request asks cannot be said before its body is read.
    pub(super) fn reads_body(&self, route: RouteId) -> bool {
        self.shared.routes.route(route).charges.iter().any(crate::route::RouteCharge::reads_body)
    }

    /// What a request asks of its pools; a body that was not read whole counts as one that says nothing.
    pub(super) fn asks(&self, routed: &Routed) -> Asks {
        let body = if self.reads_body(routed.found.id) { routed.arrived.body.whole() } else { None };
        let facts = Seen {
            params: &routed.found.params,
            headers: &routed.arrived.head.headers,
            body: body.map(|body| serde_json::from_slice(body).unwrap_or_default()),
        };
        let charges = &self.shared.routes.route(routed.found.id).charges;
        charges.iter().filter_map(|charge| charge.ask(&facts)).collect()
    }
}

struct Seen<'r> {
    params: &'r [(String, String)],
    headers: &'r HeaderMap,
    body: Option<Value>,
}

impl Facts for Seen<'_> {
    fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(param, _)| param == name).map(|(_, value)| &**value)
    }

    fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.get(name).map(http::HeaderValue::as_bytes)
    }

    fn body(&self) -> Option<&Value> {
        self.body.as_ref()
    }
}
