use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};
use tokio::net::TcpStream;
use tokio::time::sleep;

/// A client's connection, which a request can look at while hyper reads and writes it.
///
/// hyper does not see that a client has gone while any of its body is unread; the system does.
#[derive(Clone, Debug)]
pub(super) struct Socket {
    stream: Arc<Mutex<TcpStream>>,
}

/// How often it is looked whether the client is still there. A guess.
const LOOK: Duration = Duration::from_millis(500);

impl Socket {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream: Arc::new(Mutex::new(stream)) }
    }

    /// Waits until the client has closed its side of the connection, whatever may be unread of it.
    pub(super) async fn hung_up(&self) {
        while !self.is_hung_up() {
            sleep(LOOK).await;
        }
    }

    /// Where the client has connected to.
    pub(super) fn local_address(&self) -> io::Result<SocketAddr> {
        self.lock().local_addr()
    }

    fn is_hung_up(&self) -> bool {
        let ready = self.lock().ready(Interest::READABLE).now_or_never();
        ready.is_some_and(|ready| ready.is_ok_and(Ready::is_read_closed))
    }

    /// Never held over an `.await`, and only ever taken by the task of the connection.
    fn lock(&self) -> MutexGuard<'_, TcpStream> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.lock()).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.lock()).poll_write_vectored(cx, bufs)
    }

    /// As every TCP stream can; hyper asks often.
    fn is_write_vectored(&self) -> bool {
        true
    }
}
