use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// A client's connection, which a request can look at while hyper reads and writes it.
///
/// hyper does not see that a client has gone while any of what it sent is unread; the system does. A client that takes
/// nothing of what is written to it is given up.
#[derive(Clone, Debug)]
pub(crate) struct Socket {
    line: Arc<Mutex<Line>>,
}

#[derive(Debug)]
struct Line {
    stream: TcpStream,
    /// What was read of it before.
    read: Bytes,
    /// How long the client may take nothing.
    stall: Duration,
    /// It goes off then; there is none while the client takes what comes.
    untaken: Option<Pin<Box<Sleep>>>,
}

/// How often it is looked whether the client is still there. A guess.
const LOOK: Duration = Duration::from_millis(500);

impl Socket {
    /// Gives what was read of the stream first. Fails if the client takes nothing for as long as `stall`.
    pub(crate) fn new(stream: TcpStream, read: Bytes, stall: Duration) -> Self {
        Self { line: Arc::new(Mutex::new(Line { stream, read, stall, untaken: None })) }
    }

    /// Waits until the client has closed its side of the connection, whatever may be unread of it.
    pub(super) async fn hung_up(&self) {
        while !self.is_hung_up() {
            sleep(LOOK).await;
        }
    }

    /// Where the client has connected to.
    pub(super) fn local_address(&self) -> io::Result<SocketAddr> {
        self.lock().stream.local_addr()
    }

    fn is_hung_up(&self) -> bool {
        let ready = self.lock().stream.ready(Interest::READABLE).now_or_never();
        ready.is_some_and(|ready| ready.is_ok_and(Ready::is_read_closed))
    }

    /// Never held over an `.await`, and only ever taken by the task of the connection.
    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// Ends a wait of the client's that is too long.
    fn in_time<T>(&mut self, cx: &mut Context<'_>, taken: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if taken.is_ready() {
            if self.untaken.is_some() {
                self.untaken = None;
            }
            return taken;
        }
        let stall = self.stall;
        ready!(self.untaken.get_or_insert_with(|| Box::pin(sleep(stall))).as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing of what is sent to it")))
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut line = self.lock();
        if !line.read.is_empty() {
            let count = line.read.len().min(buf.remaining());
            buf.put_slice(&line.read[..count]);
            line.read.advance(count);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut line.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut line = self.lock();
        let written = Pin::new(&mut line.stream).poll_write(cx, buf);
        line.in_time(cx, written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.lock().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.lock().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut line = self.lock();
        let written = Pin::new(&mut line.stream).poll_write_vectored(cx, bufs);
        line.in_time(cx, written)
    }

    /// As every TCP stream can; hyper asks often.
    fn is_write_vectored(&self) -> bool {
        true
    }
}
