//! What is handed from step to step: a request on its way in, an answer on its way back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::header::EXPECT;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Response, Uri, Version};
use hyper::Request;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use tokio::sync::watch;
use tokio::time::Instant;

use super::coalesce::Wrote;
use super::failure::{Cause, Failure};
use super::headers::ask_for_websocket;
use super::peeked::Peeked;
use super::socket::Socket;
use super::under_way::UnderWay;
use crate::admission::{ClientId, Permit, QueuePosition};
use crate::log::Story;
use crate::route::Found;
use crate::upstream::{Held, Prefetched};

/// What a step hands back to the one before it.
pub(super) type Passing = BoxFuture<'static, Result<Passed, Failure>>;

/// What a step below the sending again hands back.
pub(super) type Attempting = BoxFuture<'static, Result<Attempt, Failure>>;

/// Whoever is at the other end of a connection.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) peer: SocketAddr,
    pub(super) socket: Socket,
}

/// A request at the door.
pub(super) struct Arrived {
    pub(super) head: Parts,
    pub(super) body: Prefetched,
    pub(super) client: Client,
    /// When its head had come.
    pub(super) came: Instant,
    /// The connection, should it leave HTTP.
    pub(super) upgrade: Option<OnUpgrade>,
    /// Whether it waits for its turn, for whoever wants to know.
    pub(super) waiting: Option<watch::Sender<bool>>,
    /// What it changes, if it is a write.
    pub(super) wrote: Option<Wrote>,
    /// What is gathered of it, if somebody will want to hear.
    pub(super) story: Option<Arc<Story>>,
}

/// A request of which it is known what it is and whose.
pub(super) struct Routed {
    pub(super) arrived: Box<Arrived>,
    pub(super) route: Route,
    pub(super) who: ClientId,
    /// Where it stands should it ask again; nothing where it takes from no pool, so that nobody would pace it.
    pub(super) place: Option<QueuePosition>,
    pub(super) tries: Tries,
}

/// What a request has been through so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tries {
    /// How often it was sent.
    pub(super) sent: u32,
    /// When it was last sent.
    pub(super) sent_at: Option<Instant>,
    /// All its waits together.
    pub(super) waited: Duration,
}

impl Tries {
    /// It has been waiting since, and the upstream had no part in that.
    pub(super) fn waits_since(&mut self, since: Instant) {
        let time = since.elapsed();
        self.waited += time;
        self.sent_at = self.sent_at.map(|sent| sent + time);
    }
}

/// The route a request takes.
pub(super) struct Route {
    pub(super) found: Found,
    /// The target as the upstream gets it.
    pub(super) target: PathAndQuery,
}

/// A request that may go.
pub(super) struct Permitted {
    pub(super) routed: Routed,
    pub(super) permit: Permit,
    /// Its place among all that are under way.
    pub(super) held: Held,
}

/// An answer of the upstream.
pub(super) struct Passed {
    pub(super) response: Response<Peeked>,
    /// What lasts until the answer's last byte; nothing where the connection has left HTTP and took it along.
    pub(super) under_way: Option<Box<UnderWay>>,
    pub(super) tries: Tries,
}

/// What has come of sending a request once.
pub(super) struct Attempt {
    pub(super) passed: Passed,
    /// The request, if the answer may be a refusal and it can be sent again.
    pub(super) again: Option<Routed>,
}

impl Arrived {
    /// Boxed, as it is handed from step to step.
    pub(super) fn new(mut request: Request<Incoming>, client: Client) -> Box<Self> {
        let websocket = request.version() == Version::HTTP_11 && ask_for_websocket(request.headers());
        let upgrade = websocket.then(|| hyper::upgrade::on(&mut request));
        let (head, body) = request.into_parts();
        Box::new(Self {
            head,
            body: body.into(),
            client,
            came: Instant::now(),
            upgrade,
            waiting: None,
            wrote: None,
            story: None,
        })
    }

    /// Its target less scheme and host; `*` (RFC 9112 §3.2.4) asks about the server, so it is the root.
    pub(super) fn target(&self) -> PathAndQuery {
        let root = || PathAndQuery::from_static("/");
        self.head.uri.path_and_query().filter(|target| target.as_str() != "*").cloned().unwrap_or_else(root)
    }

    /// Ends a request that has not gone.
    pub(super) async fn refuse(self, cause: Cause, tries: Tries) -> Failure {
        let uninvited = self.head.headers.contains_key(EXPECT) && !self.body.is_touched();
        if !uninvited && self.head.method != Method::CONNECT {
            self.body.hear_out().await;
        }
        Failure { cause, tries }
    }

    /// Tells whoever wants to know whether it waits for its turn.
    pub(super) fn waits(&self, waits: bool) {
        if let Some(waiting) = &self.waiting {
            waiting.send_replace(waits);
        }
    }

    /// Whether what follows on its connection is HTTP only if it is refused. Then the connection ends with the answer:
    /// the bytes that followed were not looked at as requests.
    pub(super) fn leaves_http(&self) -> bool {
        self.upgrade.is_some() || self.head.method == Method::CONNECT && self.head.version < Version::HTTP_2
    }
}

impl Routed {
    /// The same request once more, of one without a body.
    pub(super) fn again(&self) -> Self {
        let Self { arrived, route, who, .. } = self;
        let (head, client) = (arrived.head.clone(), arrived.client.clone());
        let (body, came) = (Prefetched::default(), arrived.came);
        let arrived = Arrived {
            head,
            body,
            client,
            came,
            upgrade: None,
            waiting: None,
            wrote: None,
            story: arrived.story.clone(),
        };
        let route = Route { found: route.found.clone(), target: route.target.clone() };
        Self { arrived: Box::new(arrived), route, who: *who, place: None, tries: Tries::default() }
    }

    /// Copies the head out of the buffer it was read into, 8 KB of which it would hold for as long as it waits.
    pub(super) fn compact(&mut self) {
        let Self { arrived, route, .. } = self;
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
