use std::net::SocketAddr;

use http::request::Parts;
use http::{HeaderValue, Method, Uri, Version};
use hyper::Request;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;

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
    pub(super) fn new(mut request: Request<Incoming>, peer: SocketAddr) -> Self {
        let websocket = request.version() == Version::HTTP_11 && ask_for_websocket(request.headers());
        let upgrade = websocket.then(|| hyper::upgrade::on(&mut request));
        let (head, body) = request.into_parts();
        Self { head, body: body.into(), peer, upgrade }
    }

    /// Its target less scheme and host; `*` (RFC 9112 §3.2.4) asks about the server, so it is the root.
    pub(super) fn target(&self) -> &str {
        match self.head.uri.path_and_query().map_or("/", |target| target.as_str()) {
            "*" | "" => "/",
            target => target,
        }
    }

    pub(super) fn path(&self) -> &str {
        let target = self.target();
        target.split_once('?').map_or(target, |(path, _)| path)
    }
}

impl Arrived {
    /// Whether what follows on its connection is HTTP only if it is refused. Then the connection ends with the answer:
    /// the bytes that followed were not looked at as requests.
    pub(super) fn leaves_http(&self) -> bool {
        self.upgrade.is_some() || self.head.method == Method::CONNECT && self.head.version < Version::HTTP_2
    }

    /// Copies the head out of the buffer it was read into, 8 KB of which it would hold for as long as it waits.
    pub(super) fn compact(&mut self) {
        self.head.uri = Uri::default();
        for value in self.head.headers.values_mut() {
            let sensitive = value.is_sensitive();
            if let Ok(copy) = HeaderValue::from_bytes(value.as_bytes()) {
                *value = copy;
                value.set_sensitive(sensitive);
            }
        }
    }
}

/// A request of which the route is known.
pub(super) struct Routed {
    pub(super) arrived: Arrived,
    pub(super) route: super::classify::Route,
}
