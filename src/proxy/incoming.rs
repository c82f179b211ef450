use std::net::SocketAddr;

use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Uri, Version};
use hyper::Request;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;

use super::classify::Route;
use super::headers::ask_for_websocket;
use crate::upstream::Prefetched;

/// A request at the door.
pub(super) struct Arrived {
    pub(super) head: Parts,
    pub(super) body: Prefetched,
    pub(super) peer: SocketAddr,
    /// The connection, should it leave HTTP.
    pub(super) upgrade: Option<OnUpgrade>,
}

impl Arrived {
    /// Boxed, as it is handed from step to step.
    pub(super) fn new(mut request: Request<Incoming>, peer: SocketAddr) -> Box<Self> {
        let websocket = request.version() == Version::HTTP_11 && ask_for_websocket(request.headers());
        let upgrade = websocket.then(|| hyper::upgrade::on(&mut request));
        let (head, body) = request.into_parts();
        Box::new(Self { head, body: body.into(), peer, upgrade })
    }

    /// Its target less scheme and host; `*` (RFC 9112 §3.2.4) asks about the server, so it is the root.
    pub(super) fn target(&self) -> PathAndQuery {
        let root = || PathAndQuery::from_static("/");
        self.head.uri.path_and_query().filter(|target| target.as_str() != "*").cloned().unwrap_or_else(root)
    }

    /// Whether what follows on its connection is HTTP only if it is refused. Then the connection ends with the answer:
    /// the bytes that followed were not looked at as requests.
    pub(super) fn leaves_http(&self) -> bool {
        self.upgrade.is_some() || self.head.method == Method::CONNECT && self.head.version < Version::HTTP_2
    }
}

/// A request of which the route is known.
pub(super) struct Routed {
    pub(super) arrived: Box<Arrived>,
    pub(super) route: Route,
}

impl Routed {
    /// Copies the head out of the buffer it was read into, 8 KB of which it would hold for as long as it waits.
    pub(super) fn compact(&mut self) {
        let Self { arrived, route } = self;
        arrived.head.uri = Uri::default();
        if let Ok(copy) = PathAndQuery::try_from(route.target.as_str()) {
            route.target = copy;
        }
        for value in arrived.head.headers.values_mut() {
            if let Ok(mut copy) = HeaderValue::from_bytes(value.as_bytes()) {
                copy.set_sensitive(value.is_sensitive());
                *value = copy;
            }
        }
    }
}
