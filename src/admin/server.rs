use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::gate::{Crowd, Socket, Strict};
use crate::upstream::probe;

/// How many connections the admin port has at once. A guess: pages, scrapers and probes of a large installation.
const CONNECTIONS: usize = 256;

/// How long a client may send nothing of a head, take nothing of an answer, or leave its connection idle. A guess.
const STALL: Duration = Duration::from_secs(30);

/// How much of a head or an answer is held, in bytes. As for apps.
const BUFFER: usize = 32 << 10;

/// How long to leave off accepting when that fails. A guess.
const BREATHE: Duration = Duration::from_millis(50);

/// Serves pages to clients that may be slow or many, until `closed`; then answers under way end.
pub(super) async fn serve(pages: Router, listener: TcpListener, closed: impl Future<Output = ()>) -> io::Result<()> {
    let (crowd, connections) = (Crowd::of_pages(CONNECTIONS), TaskTracker::new());
    let mut closed = pin!(closed);
    loop {
        let accepted = async {
            let place = crowd.place().await;
            (listener.accept().await, place)
        };
        tokio::select! {
            (accepted, place) = accepted => match accepted {
                Ok((stream, _)) => {
                    let pages = pages.clone();
                    connections.spawn(async move { answer(pages, stream, place.leaving()).await });
                }
                Err(error) => {
                    crowd.tell(&format!("the admin port cannot accept a connection: {error}"));
                    sleep(BREATHE).await;
                }
            },
            () = &mut closed => break,
        }
    }
    crowd.close();
    connections.close();
    connections.wait().await;
    Ok(())
}

async fn answer(pages: Router, stream: TcpStream, leaving: &CancellationToken) {
    drop(stream.set_nodelay(true));
    drop(probe(&stream));
    let stream = Strict::new(Socket::new(stream, Bytes::new(), STALL), STALL);
    let mut http1 = http1::Builder::new();
    http1.timer(TokioTimer::new()).header_read_timeout(STALL).max_buf_size(BUFFER);
    let has_asked = AtomicBool::new(false);
    let ask = service_fn(|request| {
        has_asked.store(true, Ordering::Relaxed);
        pages.clone().oneshot(request)
    });
    let mut connection = pin!(http1.serve_connection(TokioIo::new(stream), ask));
    let ended = tokio::select! {
        biased;
        ended = &mut connection => ended,
        () = leaving.cancelled() => {
            connection.as_mut().graceful_shutdown();
            // hyper would wait for the rest of a first head.
            if has_asked.load(Ordering::Relaxed) { connection.await } else { Ok(()) }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the admin port broke off");
    }
}
