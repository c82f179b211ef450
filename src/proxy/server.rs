use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::Gate;
use super::stack::stack;
use super::strict::Strict;

/// How long the head of a request may take. Connections that are kept alive wait in this time, too.
const HEAD: Duration = Duration::from_secs(90);

/// How long to leave off when there are no more file descriptors, or when a preface comes in pieces.
const BREATHE: Duration = Duration::from_millis(50);

/// What a client of HTTP/2 says first (RFC 9113 §3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Serves apps on `listener` until `shutdown`; then refuses those who wait and lets the others end within `drain`.
///
/// HTTP/1.1 and, by prior knowledge, HTTP/2.
///
/// # Errors
/// None for single connections; those that cannot be accepted are logged.
pub async fn run(
    gate: Gate,
    listener: TcpListener,
    drain: Duration,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let door = Door::new(gate);
    let connections = TaskTracker::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => drop(connections.spawn(door.clone().serve(stream, peer))),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(BREATHE).await;
                }
            },
            () = &mut shutdown => break,
        }
    }
    drop(listener);
    door.closing.cancel();
    connections.close();
    end(&door.gate, &connections, drain).await;
    Ok(())
}

/// What every connection is served with.
#[derive(Clone)]
struct Door {
    gate: Gate,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    /// Nothing new is taken: connections end with the answers under way.
    closing: CancellationToken,
}

impl Door {
    fn new(gate: Gate) -> Self {
        let (mut http1, mut http2) = (http1::Builder::new(), http2::Builder::new(TokioExecutor::new()));
        http1.timer(TokioTimer::new()).header_read_timeout(HEAD);
        http2.timer(TokioTimer::new()).keep_alive_interval(HEAD);
        Self { gate, http1, http2, closing: CancellationToken::new() }
    }

    async fn serve(self, stream: TcpStream, peer: SocketAddr) {
        drop(stream.set_nodelay(true));
        let first = self.closing.run_until_cancelled(timeout(HEAD, speaks_http2(&stream)));
        let Some(Ok(Ok(speaks_http2))) = first.await else { return };
        let stack = stack(&self.gate, peer);
        let through = service_fn(move |request| {
            let stack = stack.clone();
            async move { Ok::<_, Infallible>(stack.oneshot(request).await.unwrap_or_else(|never| match never {})) }
        });
        let served = if speaks_http2 {
            let connection = self.http2.serve_connection(TokioIo::new(stream), through);
            self.until_closing(connection, http2::Connection::graceful_shutdown).await
        } else {
            let connection = self.http1.serve_connection(TokioIo::new(Strict::new(stream)), through).with_upgrades();
            self.until_closing(connection, http1::UpgradeableConnection::graceful_shutdown).await
        };
        if let Err(error) = served {
            tracing::debug!(%peer, %error, "a connection broke off");
        }
        self.gate.shared.closed.fetch_add(1, Ordering::Relaxed);
    }

    async fn until_closing<C: Future>(&self, connection: C, end_gracefully: fn(Pin<&mut C>)) -> C::Output {
        let mut connection = pin!(connection);
        tokio::select! {
            biased;
            ended = &mut connection => return ended,
            () = self.closing.cancelled() => end_gracefully(connection.as_mut()),
        }
        connection.await
    }
}

async fn speaks_http2(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0; PREFACE.len()];
    loop {
        let length = stream.peek(&mut first).await?;
        if length == 0 || !PREFACE.starts_with(&first[..length]) {
            return Ok(false);
        }
        if length == PREFACE.len() {
            return Ok(true);
        }
        // Peeking again at once would give the same.
        sleep(BREATHE).await;
    }
}

/// Those who wait are told at once; who is under way may end, and so may relayed connections, until `drain` is over.
async fn end(gate: &Gate, connections: &TaskTracker, drain: Duration) {
    gate.admission().drain();
    gate.shared.relays.close();
    let ended = async {
        connections.wait().await;
        gate.shared.relays.wait().await;
    };
    if timeout(drain, ended).await.is_err() {
        tracing::warn!(drain_s = drain.as_secs(), "answers were still under way; they are cut off");
        gate.shared.cut.cancel();
    }
}
