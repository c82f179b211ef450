use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::HeaderMap;

use super::socket::Socket;
use crate::client::{Clients, Identity};
use crate::fingerprint::Fingerprint;
use crate::queue::ClientId;

/// A client's connection, and what its requests need not find out again: hashing a credential is dear, and one connection
/// mostly sends the same.
pub(super) struct Peer {
    address: SocketAddr,
    pub(super) socket: Socket,
    remembered: Mutex<Remembered>,
}

#[derive(Default)]
struct Remembered {
    identity: Option<Identity>,
    account: Option<(Box<[u8]>, Fingerprint)>,
}

impl Peer {
    pub(super) fn new(address: SocketAddr, socket: Socket) -> Self {
        Self { address, socket, remembered: Mutex::default() }
    }

    /// The client that sends these headers.
    pub(super) fn identify(&self, clients: &Clients, headers: &HeaderMap) -> ClientId {
        clients.identify_again(&mut self.remembered().identity, headers, self.address.ip())
    }

    /// The fingerprint of what tells who pays.
    pub(super) fn fingerprint(&self, account: &[u8]) -> Fingerprint {
        let known = &mut self.remembered().account;
        match known {
            Some((value, fingerprint)) if **value == *account => *fingerprint,
            _ => known.insert((account.into(), Fingerprint::of(account))).1,
        }
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

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
}
