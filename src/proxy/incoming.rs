use std::net::SocketAddr;

use http::request::Parts;
use hyper::Request;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;

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
        let wants_upgrade = request.headers().contains_key(http::header::UPGRADE);
        let upgrade = wants_upgrade.then(|| hyper::upgrade::on(&mut request));
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

/// A request of which the route is known.
pub(super) struct Routed {
    pub(super) arrived: Arrived,
    pub(super) found: super::classify::Route,
}
