use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::peer::Peer;
use crate::upstream::Alarm;

/// A connection of HTTP/1 that lets no ambiguous request in (RFC 9112 §3.2, §6.1, §6.3): neither both of Content-Length
/// and Transfer-Encoding, nor Content-Length twice, nor a transfer coding beside `chunked`, nor Host twice or not at all.
///
/// hyper takes such a head in, having silently chosen one reading of it. So the heads are followed as they are read, and
/// an ambiguous one is [`SPOILT`]. A head that has begun has a time to be complete, a body that is read one for its
/// next piece, and a connection that is at rest one for its next request.
pub(crate) struct Strict<S> {
    stream: S,
    framing: Framing,
    /// Who says whether it is at rest; without, it may be for ever.
    peer: Option<Arc<Peer>>,
    /// How long a head may take, and half as long as nothing of a body may come: what reads the body gives up before, and
    /// says so.
    stall: Duration,
    /// What is waited for, and the one alarm for all of it: a timer for each would cost more.
    awaited: Option<Stage>,
    alarm: Alarm,
}

/// How long a connection is kept for another request. A guess: longer than apps pause between requests, so that they find
/// their connection open.
const IDLE: Duration = Duration::from_secs(90);

/// What stands for the end of an ambiguous head, and for whatever follows: hyper answers it with 400 and closes.
const SPOILT: &[u8] = b"\0\r\n\r\n";

impl<S> Strict<S> {
    pub(crate) fn new(stream: S, stall: Duration) -> Self {
        Self { stream, framing: Framing::default(), peer: None, stall, awaited: None, alarm: Alarm::default() }
    }

    /// The same, which is not at rest for ever.
    pub(super) fn of(self, peer: Arc<Peer>) -> Self {
        Self { peer: Some(peer), ..self }
    }

    /// Ready once the client has been waited for too long.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stage = self.framing.stage();
        let limit = match stage {
            Stage::Between if self.peer.is_some() => IDLE,
            Stage::Head => self.stall,
            Stage::Body => self.stall * 2,
            Stage::Between | Stage::Beyond => return Poll::Pending,
        };
        if self.awaited.replace(stage) != Some(stage) {
            self.alarm.set(Instant::now() + limit, cx);
        }
        if !self.alarm.is_due(cx) {
            return Poll::Pending;
        }
        let now = Instant::now();
        let resting = self.peer.as_ref().filter(|_| stage == Stage::Between);
        let rest = resting.map_or(Duration::ZERO, |peer| peer.may_rest(IDLE, now));
        if !rest.is_zero() {
            // hyper does not read again as a request has been answered, so the alarm was set before.
            self.alarm.set(now + rest, cx);
            return Poll::Pending;
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client sends nothing more of its request")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Strict<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            Poll::Pending => return self.poll_late(cx),
            Poll::Ready(read) => read?,
        }
        let was_in_head = self.framing.stage() == Stage::Head;
        if let Some(end) = self.framing.follow(&buf.filled()[before..]) {
            tracing::warn!("a request with an ambiguous length is refused");
            buf.set_filled(before + end);
            if buf.remaining() < SPOILT.len() {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
            buf.put_slice(SPOILT);
        }
        if !(was_in_head && self.framing.stage() == Stage::Head) {
            self.awaited = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Strict<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// Where in the sequence of requests the bytes are.
#[derive(Debug, Default)]
struct Framing {
    at: At,
    line: Vec<u8>,
    head: Head,
}

#[derive(Debug, Default)]
enum At {
    #[default]
    Head,
    /// In a body, with so many bytes to come.
    Body(u64),
    ChunkSize,
    /// In a chunk, its line end included.
    Chunk(u64),
    Trailers,
    /// HTTP no longer, or nothing that can be followed: hyper will say what it thinks of it, and end the connection.
    Beyond,
}

/// What the head has said so far of how its body is framed.
#[derive(Debug, Default)]
struct Head {
    started: bool,
    length: Option<u64>,
    /// How many lengths, codings and hosts there are; one that is ambiguous in itself counts as two.
    lengths: u32,
    codings: u32,
    hosts: u32,
    /// How many hosts there must be: one, of HTTP/1.1.
    least_hosts: u32,
    /// It asks for a tunnel.
    is_connect: bool,
    /// What the gate takes for the wish to leave HTTP, in its two parts: `Connection`, and the first `Upgrade`.
    wants_upgrade: bool,
    to_websocket: Option<bool>,
}

/// What is waited for next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// A request.
    Between,
    /// The rest of a head.
    Head,
    /// More of a body.
    Body,
    /// Nothing of HTTP.
    Beyond,
}

/// Of a line no more is looked at: as much as hyper takes of a head.
const LINE: usize = 65 << 10;

/// How much of a line's room is kept for the next line that comes in pieces. A guess: most lines are shorter.
const KEPT: usize = 1 << 10;

impl Framing {
    fn stage(&self) -> Stage {
        match self.at {
            At::Head if self.head.started || !self.line.is_empty() => Stage::Head,
            At::Head => Stage::Between,
            At::Beyond => Stage::Beyond,
            At::Body(_) | At::ChunkSize | At::Chunk(_) | At::Trailers => Stage::Body,
        }
    }

    /// Follows what has been read; says where in it an ambiguous head ends, short of its last line feed.
    fn follow(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            match &mut self.at {
                At::Beyond => return None,
                At::Body(left) | At::Chunk(left) => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= taken as u64;
                    at += taken;
                }
                At::Head | At::ChunkSize | At::Trailers => {
                    let (taken, verdict) = self.follow_line(rest);
                    at += taken;
                    if verdict == Verdict::Ambiguous {
                        return Some(at - 1);
                    }
                }
            }
            self.at = match std::mem::take(&mut self.at) {
                At::Body(0) => At::Head,
                At::Chunk(0) => At::ChunkSize,
                at => at,
            };
        }
        None
    }

    /// Takes bytes up to the end of the line, and acts on the line once it is whole. Most are whole as they come, and are
    /// looked at where they are.
    fn follow_line(&mut self, bytes: &[u8]) -> (usize, Verdict) {
        let end = memchr::memchr(b'\n', bytes);
        let taken = end.map_or(bytes.len(), |end| end + 1);
        if end.is_some() && self.line.is_empty() {
            return (taken, self.end_line(&bytes[..taken.min(LINE)]));
        }
        let room = LINE.saturating_sub(self.line.len());
        self.line.extend_from_slice(&bytes[..taken.min(room)]);
        if end.is_none() {
            return (taken, Verdict::Clear);
        }
        let mut whole = std::mem::take(&mut self.line);
        let verdict = self.end_line(&whole);
        if whole.capacity() <= KEPT {
            whole.clear();
            self.line = whole;
        }
        (taken, verdict)
    }

    fn end_line(&mut self, whole: &[u8]) -> Verdict {
        let cut = whole.len() == LINE;
        let line = whole.trim_ascii_end();
        // hyper looks for the carriage return there, and finds the end elsewhere.
        let is_bare = !cut && !whole.ends_with(b"\r\n");
        match self.at {
            At::ChunkSize | At::Trailers if is_bare => {
                self.at = At::Beyond;
                return Verdict::Ambiguous;
            }
            At::Head if line.is_empty() => return self.end_head(),
            At::Head => self.head.read(line, cut),
            At::ChunkSize => self.at = chunk(line),
            At::Trailers if line.is_empty() => self.at = At::Head,
            At::Trailers | At::Body(_) | At::Chunk(_) | At::Beyond => {}
        }
        Verdict::Clear
    }

    fn end_head(&mut self) -> Verdict {
        let head = std::mem::take(&mut self.head);
        if head.is_ambiguous() {
            self.at = At::Beyond;
            return Verdict::Ambiguous;
        }
        self.at = match head {
            Head { started: false, .. } => At::Head,
            head if head.leaves_http() => At::Beyond,
            Head { codings: 1, .. } => At::ChunkSize,
            Head { length, .. } => At::Body(length.unwrap_or(0)),
        };
        Verdict::Clear
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Clear,
    Ambiguous,
}

impl Head {
    fn is_ambiguous(&self) -> bool {
        self.lengths + self.codings > 1 || self.hosts > 1 || self.hosts < self.least_hosts
    }

    /// Whether what follows may be no HTTP: the gate then ends the connection, or relays.
    fn leaves_http(&self) -> bool {
        self.is_connect || (self.least_hosts > 0 && self.wants_upgrade && self.to_websocket == Some(true))
    }

    fn read(&mut self, line: &[u8], cut: bool) {
        if !self.started {
            self.started = true;
            self.is_connect = line.starts_with(b"CONNECT ");
            self.least_hosts = u32::from(line.ends_with(b"HTTP/1.1"));
            return;
        }
        // Most headers are none of those below.
        if !matches!(line.first(), Some(b'c' | b'C' | b't' | b'T' | b'h' | b'H' | b'u' | b'U')) {
            return;
        }
        let Some(colon) = memchr::memchr(b':', line) else { return };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            // A list of lengths is as ambiguous as two headers.
            self.lengths += if value.contains(&b',') || cut { 2 } else { 1 };
            self.length = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.codings += if value.eq_ignore_ascii_case(b"chunked") { 1 } else { 2 };
        } else if name.eq_ignore_ascii_case(b"host") {
            self.hosts += 1;
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            self.to_websocket.get_or_insert(value.eq_ignore_ascii_case(b"websocket"));
        } else if name.eq_ignore_ascii_case(b"connection") {
            let mut tokens = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
            self.wants_upgrade |= tokens.any(|token| token.eq_ignore_ascii_case(b"upgrade"));
        }
    }
}

/// What follows a chunk's size: the chunk, or after the last the trailers.
/// A size that was cut is one that `u64` cannot hold.
fn chunk(line: &[u8]) -> At {
    let size = line.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    match std::str::from_utf8(size).ok().and_then(|size| u64::from_str_radix(size, 16).ok()) {
        Some(0) => At::Trailers,
        Some(size) => size.checked_add(2).map_or(At::Beyond, At::Chunk),
        None => At::Beyond,
    }
}

#[cfg(test)]
mod tests;
