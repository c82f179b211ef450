use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::poll_fn;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
#[cfg(target_os = "linux")]
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::crowd::{Crowd, CrowdPlace};
use super::peer::Peer;
use super::socket::Socket;
use super::state::Gate;
use super::strict::Strict;
use super::untaken::StreamExecutor;
use crate::upstream::{DriverWaker, MAX_FIELDS, probe};

/// How much of a response is held for a client, in bytes: by h2 for a stream, and of what the system has not sent. With what the
/// upstream's side holds, a client that does not read costs 128 KB (`tests/gate/slow.rs`).
const BUFFER: u32 = 32 << 10;

/// How long the head of a request may be, in bytes; hyper lets pass what came with the same read, and holds as much of a
/// response. Some apps send a field of 64 KB (a token with all of its groups).
const HEAD: u32 = 65 << 10;

/// What a client of HTTP/2 says first (RFC 9113 §3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What one of TLS says first: the type of a handshake's record (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;

/// How long a connection has for its first head once nothing new is taken, or there is no room for others. A guess: an honest
/// client sends its request at once.
const LAST_WORD: Duration = Duration::from_secs(1);

/// What every connection is served with.
pub(super) struct ConnectionService {
    gate: Gate,
    http1: http1::Builder,
    http2: http2::Builder<StreamExecutor>,
    crowd: Crowd,
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
        let (mut http1, mut http2) = (http1::Builder::new(), http2::Builder::new(StreamExecutor { stall: gate.stall }));
        // How long a head may take is for [`Strict`] to say.
        http1.header_read_timeout(None).max_buf_size(HEAD as usize).max_headers(MAX_FIELDS);
        http2.timer(TokioTimer::new()).keep_alive_interval(gate.stall);
        http2.max_header_list_size(HEAD).max_send_buf_size(BUFFER as usize);
        let crowd = Crowd::of_clients(gate.in_flight.most());
        Self { gate, http1, http2, crowd }
    }

    pub(super) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The connections that there are.
    pub(super) fn crowd(&self) -> &Crowd {
        &self.crowd
    }

    /// Lets every connection end with the answers that are under way on it.
    pub(super) fn close(&self) {
        self.crowd.close();
    }

    pub(super) async fn serve(self: Arc<Self>, mut stream: TcpStream, peer: SocketAddr, place: CrowdPlace) {
        let leaving = place.leaving();
        let _open = self.gate.connections.open();
        drop(stream.set_nodelay(true));
        drop(probe(&stream));
        bound_unsent(&stream);
        let Some((protocol, read)) = self.protocol(&mut stream, leaving).await else { return };
        let gate = self.gate.now();
        let socket = Socket::new(stream, read, gate.stall);
        let served = match (protocol, gate.tls.clone().map(TlsAcceptor::from)) {
            // Boxed, as most connections are plain HTTP/1.1 and should not be as large as the others.
            (Protocol::Tls, Some(tls)) => Box::pin(self.serve_tls(&tls, socket, peer, leaving)).await,
            (Protocol::Tls, None) => {
                self.crowd.tell(&format!(
                    "the client {peer} speaks TLS, and the gate has no certificate: use http://, or set server.cert_file \
                     and key_file"
                ));
                Ok(())
            }
            (protocol, _) => self.serve_http(protocol, socket.clone(), Peer::new(peer, socket), leaving).await,
        };
        if let Err(error) = served {
            tracing::debug!(%peer, %error, "a connection broke off");
        }
    }

    /// What a connection speaks, if it says so in time. One that was made just before nothing new is taken has a moment left: its
    /// request is on the way, and no other gate will get it.
    async fn protocol(&self, stream: &mut TcpStream, leaving: &CancellationToken) -> Option<(Protocol, Bytes)> {
        let mut spoken = pin!(timeout(self.gate.stall, protocol(stream)));
        let spoken = tokio::select! {
            biased;
            spoken = &mut spoken => spoken,
            () = leaving.cancelled() => timeout(LAST_WORD, spoken).await.ok()?,
        };
        spoken.ok()?.ok()
    }

    async fn serve_tls(
        &self,
        tls: &TlsAcceptor,
        socket: Socket,
        peer: SocketAddr,
        leaving: &CancellationToken,
    ) -> hyper::Result<()> {
        let handshake = leaving.run_until_cancelled(timeout(self.gate.stall, tls.accept(socket.clone())));
        let stream = match handshake.await {
            Some(Ok(Ok(stream))) => stream,
            Some(Ok(Err(error))) => {
                tracing::info!(%peer, %error, "a client and the gate do not agree on TLS");
                return Ok(());
            }
            _ => return Ok(()),
        };
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let protocol = if http2 { Protocol::Http2 } else { Protocol::Http1 };
        self.serve_http(protocol, stream, Peer::new(peer, socket), leaving).await
    }

    async fn serve_http<S>(
        &self,
        protocol: Protocol,
        stream: S,
        peer: Peer,
        leaving: &CancellationToken,
    ) -> hyper::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (gate, peer, known) = (self.gate.clone(), Arc::new(peer), Arc::new(AtomicBool::new(false)));
        let (has_asked, asking) = (Arc::clone(&known), Arc::clone(&peer));
        let handle = service_fn(move |request| {
            known.store(true, Ordering::Relaxed);
            gate.with_now(|gate| gate.handle(request, &asking)).map(Ok::<_, Infallible>)
        });
        if protocol == Protocol::Http2 {
            let connection = self.http2.serve_connection(TokioIo::new(stream), handle);
            let end = http2::Connection::graceful_shutdown;
            Box::pin(self.until_leaving(connection, Future::poll, &has_asked, end, leaving)).await
        } else {
            let stream = TokioIo::new(Strict::new(stream, self.gate.stall).of(peer));
            let connection = self.http1.serve_connection(stream, handle).with_upgrades();
            let waker = DriverWaker::new();
            let poll = |connection: Pin<&mut _>, cx: &mut Context<'_>| waker.poll(connection, cx);
            let end = http1::UpgradeableConnection::graceful_shutdown;
            self.until_leaving(connection, poll, &has_asked, end, leaving).await
        }
    }

    async fn until_leaving<C>(
        &self,
        connection: C,
        mut poll: impl FnMut(Pin<&mut C>, &mut Context<'_>) -> Poll<hyper::Result<()>>,
        has_asked: &AtomicBool,
        end_gracefully: fn(Pin<&mut C>),
        leaving: &CancellationToken,
    ) -> hyper::Result<()>
    where
        C: Future<Output = hyper::Result<()>>,
    {
        let mut connection = pin!(connection);
        tokio::select! {
            biased;
            ended = poll_fn(|cx| poll(connection.as_mut(), cx)) => return ended,
            () = leaving.cancelled() => end_gracefully(connection.as_mut()),
        }
        // hyper would wait for the rest of a first head.
        if !has_asked.load(Ordering::Relaxed) && !self.crowd.is_closing() {
            tokio::select! {
                biased;
                ended = poll_fn(|cx| poll(connection.as_mut(), cx)) => return ended,
                () = sleep(LAST_WORD) => {}
            }
        }
        if !has_asked.load(Ordering::Relaxed) {
            return Ok(());
        }
        poll_fn(|cx| poll(connection.as_mut(), cx)).await
    }
}

/// Finds out what the client speaks, and gives what was read of it for that: hardly ever anything.
async fn protocol(stream: &mut TcpStream) -> io::Result<(Protocol, Bytes)> {
    let mut first = [0; PREFACE.len()];
    let mut length = stream.peek(&mut first).await?;
    if length == 0 || !PREFACE.starts_with(&first[..length]) {
        let protocol = if length > 0 && first[0] == HANDSHAKE { Protocol::Tls } else { Protocol::Http1 };
        return Ok((protocol, Bytes::new()));
    }
    if length == PREFACE.len() {
        return Ok((Protocol::Http2, Bytes::new()));
    }
    // It comes in pieces: peeking again would give the same at once, and not tell that the client has left.
    length = 0;
    loop {
        match stream.read(&mut first[length..]).await? {
            0 => return Ok((Protocol::Http1, Bytes::copy_from_slice(&first[..length]))),
            more => length += more,
        }
        let read = &first[..length];
        if length == PREFACE.len() || !PREFACE.starts_with(read) {
            let protocol = if read == PREFACE { Protocol::Http2 } else { Protocol::Http1 };
            return Ok((protocol, Bytes::copy_from_slice(read)));
        }
    }
}

/// Has the system take no more than a client is about to read.
#[cfg(target_os = "linux")]
fn bound_unsent(stream: &TcpStream) {
    drop(SockRef::from(stream).set_tcp_notsent_lowat(BUFFER));
}

#[cfg(not(target_os = "linux"))]
fn bound_unsent(_: &TcpStream) {}
