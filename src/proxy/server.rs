use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tower::ServiceExt;

use super::Gate;
use super::stack::stack;
use super::strict::Strict;

/// How long the head of a request may take. Connections that are kept alive wait in this time, too.
const HEAD: Duration = Duration::from_secs(90);

/// How long to leave off accepting when there are no more file descriptors.
const BREATHE: Duration = Duration::from_millis(50);

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
    let connections = GracefulShutdown::new();
    let server = server();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => drop(tokio::spawn(serve(gate.clone(), server.clone(), stream, peer, connections.watcher()))),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(BREATHE).await;
                }
            },
            () = &mut shutdown => break,
        }
    }
    drop(listener);
    end(&gate, connections, drain).await;
    Ok(())
}

fn server() -> Builder<TokioExecutor> {
    let mut server = Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    server.http2().timer(TokioTimer::new());
    server
}

async fn serve(gate: Gate, server: Builder<TokioExecutor>, stream: TcpStream, peer: SocketAddr, watcher: Watcher) {
    drop(stream.set_nodelay(true));
    let stack = stack(&gate, peer);
    let through = service_fn(move |request| {
        let stack = stack.clone();
        async move { Ok::<_, Infallible>(stack.oneshot(request).await.unwrap_or_else(|never| match never {})) }
    });
    let connection = server.serve_connection_with_upgrades(TokioIo::new(Strict::new(stream)), through);
    if let Err(error) = watcher.watch(connection.into_owned()).await {
        tracing::debug!(%peer, %error, "a connection broke off");
    }
}

/// Those who wait are told at once; who is under way may end, and so may relayed connections, until `drain` is over.
async fn end(gate: &Gate, connections: GracefulShutdown, drain: Duration) {
    gate.admission().drain();
    gate.shared.relays.close();
    let ended = async {
        connections.shutdown().await;
        gate.shared.relays.wait().await;
    };
    if timeout(drain, ended).await.is_err() {
        tracing::warn!(drain_s = drain.as_secs(), "answers were still under way; they are cut off");
        gate.shared.cut.cancel();
    }
}
