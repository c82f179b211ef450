use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::uri::{Authority, Scheme};
use http::{HeaderMap, Method};
use tokio::time::Instant;

use super::socket::Socket;
use super::state::GateState;
use crate::client::{Identity, Sender};
use crate::fingerprint::Fingerprint;
use crate::queue::ClientId;
use crate::route::{Found, Table, account_fingerprint};

/// A client's connection, and what its requests need not find out again: reading a path and hashing a credential are dear,
/// and one connection mostly sends the same.
pub(super) struct Peer {
    address: SocketAddr,
    pub(super) socket: Socket,
    remembered: Mutex<Remembered>,
    rest: Mutex<Rest>,
}

/// Whether a connection is at rest.
struct Rest {
    /// How many of its requests are being answered.
    answering: usize,
    /// The last time that one was.
    since: Instant,
}

#[derive(Default)]
struct Remembered {
    identity: Option<Identity>,
    /// By which configuration.
    generation: u64,
    account: Option<(Box<[u8]>, Fingerprint)>,
    route: Option<FoundRoute>,
}

/// What a table says of a method and a path.
struct FoundRoute {
    table: Arc<Table>,
    method: Method,
    path: Box<str>,
    found: Arc<Found>,
}

impl Peer {
    pub(super) fn new(address: SocketAddr, socket: Socket) -> Self {
        let rest = Mutex::new(Rest { answering: 0, since: Instant::now() });
        Self { address, socket, remembered: Mutex::default(), rest }
    }

    /// One more of its requests is being answered.
    pub(super) fn begins_answer(&self) {
        self.rest().answering += 1;
    }

    /// One of its requests has been answered, or will not be.
    pub(super) fn ends_answer(&self, now: Instant) {
        let mut rest = self.rest();
        rest.answering = rest.answering.saturating_sub(1);
        rest.since = now;
    }

    /// How long it may still be at rest, of so much in all: all of it while a request is being answered.
    pub(super) fn may_rest(&self, most: Duration, now: Instant) -> Duration {
        let rest = self.rest();
        if rest.answering > 0 { most } else { most.saturating_sub(now - rest.since) }
    }

    /// The client that sends these headers, and this query.
    pub(super) fn identify(&self, gate: &GateState, headers: &HeaderMap, query: Option<&str>) -> ClientId {
        let sender = Sender { headers, query, peer: self.address.ip() };
        let mut remembered = self.remembered();
        if remembered.generation != gate.generation {
            (remembered.identity, remembered.generation) = (None, gate.generation);
        }
        gate.clients.identify_again(&mut remembered.identity, sender)
    }

    /// The route of a request for this path.
    pub(super) fn find(&self, table: &Arc<Table>, method: &Method, path: &str) -> Arc<Found> {
        let known = &mut self.remembered().route;
        let is_same = |known: &&mut FoundRoute| {
            *known.path == *path && known.method == *method && Arc::ptr_eq(&known.table, table)
        };
        if let Some(known) = known.as_mut().filter(is_same) {
            return Arc::clone(&known.found);
        }
        let found = Arc::new(table.find(method.as_str(), path));
        let (table, method) = (Arc::clone(table), method.clone());
        *known = Some(FoundRoute { table, method, path: path.into(), found: Arc::clone(&found) });
        found
    }

    /// The fingerprint of what tells who pays.
    pub(super) fn fingerprint(&self, account: &[u8]) -> Fingerprint {
        let known = &mut self.remembered().account;
        match known {
            Some((value, fingerprint)) if **value == *account => *fingerprint,
            _ => known.insert((account.into(), account_fingerprint(account))).1,
        }
    }

    /// Whether this is the gate's own address, as far as the connection tells.
    pub(super) fn is_asked_at(&self, authority: &Authority, scheme: Option<&Scheme>) -> bool {
        let Ok(own) = self.socket.local_address() else { return false };
        let (ip, host) = (own.ip().to_canonical(), authority.host().trim_matches(['[', ']']));
        let is_host = match host.parse::<IpAddr>() {
            Ok(named) => named.to_canonical() == ip,
            Err(_) => host.eq_ignore_ascii_case("localhost") && ip.is_loopback(),
        };
        let usual = if scheme == Some(&Scheme::HTTPS) { 443 } else { 80 };
        is_host && authority.port_u16().unwrap_or(usual) == own.port()
    }

    fn rest(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::route::Priority;
    use bytes::Bytes;
    use tokio::net::{TcpListener, TcpStream};

    #[tokio::test]
    async fn connection_follows_a_changed_account() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let stream = TcpStream::connect(address).await.expect("connects");
        let peer = Peer::new(address, Socket::new(stream, Bytes::new(), Duration::from_secs(1)));
        for account in [&b"Bearer one"[..], b"Bearer one", b"Bearer two", b"Bearer one"] {
            assert_eq!(peer.fingerprint(account), Fingerprint::of(account));
        }
    }

    #[tokio::test]
    async fn connection_follows_a_changed_path_method_and_table() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let stream = TcpStream::connect(address).await.expect("connects");
        let peer = Peer::new(address, Socket::new(stream, Bytes::new(), Duration::from_secs(1)));
        let tables = ["GET /v1/files", "POST /v1/files"].map(|template| {
            let mut table = Table::default();
            let template = template.parse().expect("a template");
            table.insert(&template, Vec::new(), Priority::Normal).expect("is the only one");
            Arc::new(table)
        });
        for (table, method, path) in [
            (0, Method::GET, "/v1/files"),
            (0, Method::POST, "/v1/files"),
            (1, Method::POST, "/v1/files"),
            (1, Method::POST, "/v1/file"),
            (1, Method::POST, "/v1/files"),
            (0, Method::POST, "/v1/files"),
        ] {
            let table = &tables[table];
            let (found, known) = (table.find(method.as_str(), path), peer.find(table, &method, path));
            assert_eq!(known.route(), found.route(), "{method} {path}");
            assert_eq!(peer.find(table, &method, path).route(), found.route(), "{method} {path} again");
        }
    }
}
