use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::poll_fn;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::peer::Peer;
use super::socket::Socket;
use super::state::Gate;
use super::strict::Strict;
use crate::upstream::{DriverWaker, probe};

/// How long the head of a request may take, and a handshake. Connections that are kept alive wait in this time, too. A
/// guess: longer than apps pause between requests, so that they find their connection open.
const HEAD: Duration = Duration::from_secs(90);

/// The longest list of headers over HTTP/2, in bytes: as long as over HTTP/1.1, where hyper's buffer bounds it (its
/// `DEFAULT_MAX_BUFFER_SIZE`).
const HEADER_LIST: u32 = 400 << 10;

/// How long to leave off when what a client says first comes in pieces. A guess: a round trip or two.
const BREATHE: Duration = Duration::from_millis(20);

/// What a client of HTTP/2 says first (RFC 9113 §3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What one of TLS says first: the type of a handshake's record (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;

/// What every connection is served with.
pub(super) struct ConnectionService {
    gate: Gate,
    tls: Option<TlsAcceptor>,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    /// Nothing new is taken: connections end with the answers under way.
    closing: CancellationToken,
}

/// What a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
    Tls,
}

impl ConnectionService {
    pub(super) fn new(gate: Gate) -> Self {
        let (mut http1, mut http2) = (http1::Builder::new(), http2::Builder::new(TokioExecutor::new()));
        http1.timer(TokioTimer::new()).header_read_timeout(HEAD);
        http2.timer(TokioTimer::new()).keep_alive_interval(HEAD).max_header_list_size(HEADER_LIST);
        let tls = gate.tls.clone().map(TlsAcceptor::from);
        Self { gate, tls, http1, http2, closing: CancellationToken::new() }
    }

    pub(super) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Lets every connection end with the answers that are under way on it.
    pub(super) fn close(&self) {
        self.closing.cancel();
    }

    pub(super) async fn serve(self: Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        let _open = self.gate.connections.open();
        drop(stream.set_nodelay(true));
        drop(probe(&stream));
        let first = self.closing.run_until_cancelled(timeout(HEAD, protocol(&stream)));
        let protocol = first.await;
        let socket = Socket::new(stream);
        let served = match (protocol, &self.tls) {
            // Boxed, as most connections are plain HTTP/1.1 and should not be as large as the others.
            (Some(Ok(Ok(Protocol::Tls))), Some(tls)) => Box::pin(self.serve_tls(tls, socket, peer)).await,
            (Some(Ok(Ok(Protocol::Tls))), None) => {
                tracing::warn!(%peer, "a client speaks TLS, and the gate has no certificate: use http://, or set \
                               server.cert_file and key_file");
                Ok(())
            }
            (Some(Ok(Ok(protocol))), _) => self.serve_http(protocol, socket.clone(), Peer::new(peer, socket)).await,
            _ => Ok(()),
        };
        if let Err(error) = served {
            tracing::debug!(%peer, %error, "a connection broke off");
        }
    }

    async fn serve_tls(&self, tls: &TlsAcceptor, socket: Socket, peer: SocketAddr) -> hyper::Result<()> {
        let handshake = self.closing.run_until_cancelled(timeout(HEAD, tls.accept(socket.clone())));
        let stream = match handshake.await {
            Some(Ok(Ok(stream))) => stream,
            Some(Ok(Err(error))) => {
                tracing::info!(%peer, %error, "a client and the gate do not agree on TLS");
                return Ok(());
            }
            _ => return Ok(()),
        };
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        self.serve_http(if http2 { Protocol::Http2 } else { Protocol::Http1 }, stream, Peer::new(peer, socket)).await
    }

    async fn serve_http<S>(&self, protocol: Protocol, stream: S, peer: Peer) -> hyper::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (gate, peer) = (self.gate.clone(), Arc::new(peer));
        let handle = service_fn(move |request| gate.handle(request, &peer).map(Ok::<_, Infallible>));
        if protocol == Protocol::Http2 {
            let connection = self.http2.serve_connection(TokioIo::new(stream), handle);
            Box::pin(self.until_closing(connection, Future::poll, http2::Connection::graceful_shutdown)).await
        } else {
            let connection = self.http1.serve_connection(TokioIo::new(Strict::new(stream)), handle).with_upgrades();
            let waker = DriverWaker::new();
            let poll = |connection: Pin<&mut _>, cx: &mut Context<'_>| waker.poll(connection, cx);
            self.until_closing(connection, poll, http1::UpgradeableConnection::graceful_shutdown).await
        }
    }

    async fn until_closing<C: Future>(
        &self,
        connection: C,
        mut poll: impl FnMut(Pin<&mut C>, &mut Context<'_>) -> Poll<C::Output>,
        end_gracefully: fn(Pin<&mut C>),
    ) -> C::Output {
        let mut connection = pin!(connection);
        // A token of its own: all connections would take turns at the lock of a shared one.
        let closing = self.closing.child_token();
        tokio::select! {
            biased;
            ended = poll_fn(|cx| poll(connection.as_mut(), cx)) => return ended,
            () = closing.cancelled() => end_gracefully(connection.as_mut()),
        }
        poll_fn(|cx| poll(connection.as_mut(), cx)).await
    }
}

async fn protocol(stream: &TcpStream) -> io::Result<Protocol> {
    let mut first = [0; PREFACE.len()];
    loop {
        match stream.peek(&mut first).await? {
            0 => return Ok(Protocol::Http1),
            _ if first[0] == HANDSHAKE => return Ok(Protocol::Tls),
            length if !PREFACE.starts_with(&first[..length]) => return Ok(Protocol::Http1),
            length if length == PREFACE.len() => return Ok(Protocol::Http2),
            // Peeking again at once would give the same.
            _ => sleep(BREATHE).await,
        }
    }
}
