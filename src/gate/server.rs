use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use super::connection::ConnectionService;
use super::crowd::CrowdPlace;
use super::state::Gate;
use super::workers::Workers;

/// How long to leave off accepting when there are no more file descriptors. A guess: some requests end meanwhile.
const BREATHE: Duration = Duration::from_millis(50);

/// Serves apps on `listener` until `shutdown`; then refuses those who wait and lets the others end within `drain`.
///
/// HTTP/1.1 and, by prior knowledge or over TLS, HTTP/2.
///
/// # Errors
/// None for single connections; those that cannot be accepted are logged.
pub async fn run(
    gate: Gate,
    listener: TcpListener,
    drain: Duration,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    serve(gate, listener, None, drain, shutdown).await
}

/// The same, with each connection on one of these threads.
///
/// # Errors
/// As [`run`].
pub async fn run_on(
    workers: Workers,
    gate: Gate,
    listener: TcpListener,
    drain: Duration,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    serve(gate, listener, Some(&workers), drain, shutdown).await
}

async fn serve(
    gate: Gate,
    listener: TcpListener,
    workers: Option<&Workers>,
    drain: Duration,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let service = Arc::new(ConnectionService::new(gate));
    let connections = TaskTracker::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = async {
            let place = service.crowd().place().await;
            (listener.accept().await, place)
        };
        tokio::select! {
            (accepted, place) = accepted => {
                let taken = accepted.and_then(|(stream, peer)| spawn(&connections, &service, workers, stream, peer, place));
                if let Err(error) = taken {
                    service.crowd().tell(&format!("cannot accept a connection: {error}"));
                    sleep(BREATHE).await;
                }
            }
            () = &mut shutdown => break,
        }
    }
    drop(listener);
    service.close();
    connections.close();
    end(service.gate(), &connections, drain).await;
    Ok(())
}

fn spawn(
    connections: &TaskTracker,
    service: &Arc<ConnectionService>,
    workers: Option<&Workers>,
    stream: TcpStream,
    peer: SocketAddr,
    place: CrowdPlace,
) -> io::Result<()> {
    let service = Arc::clone(service);
    let Some(workers) = workers else {
        connections.spawn(service.serve(stream, peer, place));
        return Ok(());
    };
    // A stream belongs to the runtime that it was made in.
    let stream = stream.into_std()?;
    let serving = async move {
        match TcpStream::from_std(stream) {
            Ok(stream) => service.serve(stream, peer, place).await,
            Err(error) => tracing::warn!(%error, "cannot serve a connection"),
        }
    };
    connections.spawn_on(serving, workers.next());
    Ok(())
}

/// Those who wait are told at once; who is under way may end, and so may relayed connections, until `drain` is over.
async fn end(gate: &Gate, connections: &TaskTracker, drain: Duration) {
    gate.admission().drain();
    gate.relays.close();
    let ended = async {
        connections.wait().await;
        gate.relays.wait().await;
    };
    if timeout(drain, ended).await.is_err() {
        tracing::warn!(drain_s = drain.as_secs(), "answers were still under way; they are cut off");
        gate.cut.cancel();
    }
}
