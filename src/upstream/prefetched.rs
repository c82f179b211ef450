use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::budget::{Budget, Exhausted, Held};
use super::failed::Failed;
use super::waker::postponed;

/// How much of a body that nobody wants is heard out, and for how long, so that its client reads the answer before the
/// connection closes. A guess.
const MAX_DRAINED: usize = 16 << 20;
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// For how much of a body room is made before it comes, at most. A guess: most bodies fit, and a length is only announced.
const RESERVED: usize = 1 << 20;

/// A request's body of which some may have been read before its request goes.
#[derive(Debug, Default)]
pub struct Prefetched {
    read: Bytes,
    trailers: Option<HeaderMap>,
    rest: Option<Incoming>,
    touched: bool,
    /// What was read lies in the buffer of its connection.
    is_borrowed: bool,
    held: Option<Held>,
    /// How long nothing may come of it while it is wanted.
    stall: Duration,
}

/// Why not as much of a body has been read as was wanted.
#[derive(Debug)]
pub enum Unfilled {
    /// The body did not come whole, or nothing of it came for too long.
    Failed(Failed),
    /// There is no room for more of it; what was read is here, beyond the budget.
    Exhausted(Exhausted),
}

/// What was read of a body, with its part of the budget for as long as any of it is there.
struct Kept {
    read: Bytes,
    _held: Held,
}

impl Prefetched {
    /// A body of which nothing has been read. It fails if nothing of it comes for as long as `stall` while it is wanted.
    #[must_use]
    pub fn new(body: Incoming, stall: Duration) -> Self {
        let rest = (!body.is_end_stream()).then_some(body);
        Self { rest, stall, ..Self::default() }
    }

    /// How much there may be to keep of it when no more than `enough` is read.
    #[must_use]
    pub fn may_hold(&self, enough: usize) -> u64 {
        let rest = self.rest.as_ref().map_or(0, |rest| rest.size_hint().upper().unwrap_or(u64::MAX));
        rest.saturating_add(self.read.len() as u64).min(enough as u64)
    }

    /// Whether some of it is still to be read, and all of it is no more than this.
    #[must_use]
    pub fn is_within(&self, most: usize) -> bool {
        let length = self.rest.as_ref().and_then(|rest| rest.size_hint().exact());
        length.is_some_and(|length| length.saturating_add(self.read.len() as u64) <= most as u64)
    }

    /// Reads until the body ends or `enough` bytes are here. Room for them is taken as they come, so that a client that
    /// only announces a body takes none, and given back once what is read has gone. May be dropped at any time: what was
    /// read stays.
    ///
    /// # Errors
    /// [`Unfilled`].
    pub async fn fill(&mut self, enough: usize, budget: &Budget) -> Result<(), Unfilled> {
        while self.read.len() < enough
            && let Some(piece) = self.next().await.map_err(Unfilled::Failed)?
        {
            let held = match &mut self.held {
                Some(held) => held,
                held => held.insert(budget.overdraw(0)),
            };
            let taken = held.grow(piece.len() as u64);
            if self.rest.is_none() && self.read.is_empty() {
                (self.read, self.is_borrowed) = (piece, true);
            } else {
                self.add(&piece, enough);
            }
            taken.map_err(Unfilled::Exhausted)?;
        }
        Ok(())
    }

    /// The next piece; none once the body has ended. May be dropped at any time: nothing is lost.
    async fn next(&mut self) -> Result<Option<Bytes>, Failed> {
        let Some(rest) = &mut self.rest else { return Ok(None) };
        self.touched = true;
        // Mostly it is here already, and needs no timer.
        let frame = match poll_at_hand(rest) {
            Poll::Ready(frame) => frame,
            Poll::Pending => timeout(self.stall, rest.frame()).await.map_err(|_| Failed::Stalled(self.stall))?,
        };
        let is_over = frame.is_none() || rest.is_end_stream();
        let frame = frame.transpose().map_err(|_| Failed::Body)?;
        if is_over {
            self.rest = None;
        }
        match frame.map(Frame::into_data) {
            Some(Ok(data)) => Ok(Some(data)),
            Some(Err(frame)) => {
                (self.rest, self.trailers) = (None, frame.into_trailers().ok());
                Ok(None)
            }
            None => Ok(None),
        }
    }

    /// Nobody else holds what was read, so that nothing is copied but the new piece; where the length is known there is
    /// room for all that will be read of most bodies.
    fn add(&mut self, piece: &[u8], enough: usize) {
        let mut read = BytesMut::from(mem::take(&mut self.read));
        if read.is_empty() {
            let to_come = self.rest.as_ref().and_then(|rest| rest.size_hint().exact()).unwrap_or(0);
            let to_come = usize::try_from(to_come).unwrap_or(enough);
            read.reserve(piece.len() + to_come.min(enough).min(RESERVED));
        }
        read.extend_from_slice(piece);
        self.read = read.freeze();
    }

    /// Copies what was read out of the buffer of its connection, which it would otherwise keep for as long as it waits.
    pub fn compact(&mut self) {
        if mem::take(&mut self.is_borrowed) {
            self.read = Bytes::copy_from_slice(&self.read);
        }
    }

    /// Another hold of the same body, if it has been read to its end.
    pub fn share(&mut self) -> Option<Self> {
        self.seal();
        let Self { read, trailers, touched, .. } = self;
        let whole = || Self { read: read.clone(), trailers: trailers.clone(), touched: *touched, ..Self::default() };
        self.rest.is_none().then(whole)
    }

    /// From now on the part of the budget is held for as long as anybody holds what was read.
    fn seal(&mut self) {
        if let Some(held) = self.held.take() {
            self.is_borrowed = false;
            self.read = Bytes::from_owner(Kept { read: mem::take(&mut self.read), _held: held });
        }
    }

    /// Reads on for a while and forgets it: a client that is still sending would not read its answer.
    pub async fn drain(self) {
        drop(timeout(DRAIN_TIMEOUT, self.discard(MAX_DRAINED)).await);
    }

    async fn discard(mut self, most: usize) -> Result<(), Failed> {
        let mut seen = 0;
        while seen < most
            && let Some(piece) = self.next().await?
        {
            seen += piece.len();
        }
        Ok(())
    }

    /// The whole body, if it has been read to its end.
    #[must_use]
    pub fn whole(&self) -> Option<&[u8]> {
        self.rest.is_none().then_some(&self.read[..])
    }

    /// Whether reading it has begun, and with that a client that waited for `100 Continue` has been invited to send it.
    #[must_use]
    pub fn is_touched(&self) -> bool {
        self.touched
    }

    /// How long nothing may come of it.
    pub(super) fn stall(&self) -> Duration {
        self.stall
    }

    /// What was read, which keeps its part of the budget; the trailers, and the rest.
    pub(super) fn into_parts(mut self) -> (Bytes, Option<HeaderMap>, Option<Incoming>) {
        self.seal();
        (self.read, self.trailers, self.rest)
    }
}

/// What is here of a body. After the last of it nothing is left to do for its connection, which hyper would wake all the same.
fn poll_at_hand(body: &mut Incoming) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
    let (frame, wake) = postponed(|| Pin::new(&mut *body).poll_frame(&mut Context::from_waker(Waker::noop())));
    if !body.is_end_stream() {
        wake.wake();
    }
    frame
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.read
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    use http::Response;
    use http_body_util::Empty;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncWriteExt, duplex};
    use tokio::sync::mpsc;
    use tokio::time::{Instant, sleep};

    const STALL: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn a_body_of_which_nothing_comes_for_half_a_minute_is_given_up() {
        let (mut client, server) = duplex(1024);
        let (tell, mut told) = mpsc::channel(1);
        let take = service_fn(move |request: http::Request<Incoming>| {
            let tell = tell.clone();
            async move {
                let filled = Prefetched::new(request.into_body(), STALL).fill(1024, &Budget::new(1024)).await;
                tell.send(filled).await.expect("is heard");
                Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
            }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(server), take));
        let began = Instant::now();
        client.write_all(b"POST / HTTP/1.1\r\nHost: o\r\nContent-Length: 9\r\n\r\n").await.expect("sends");
        sleep(Duration::from_secs(29)).await;
        client.write_all(b"x").await.expect("sends");
        assert!(matches!(told.recv().await, Some(Err(Unfilled::Failed(Failed::Stalled(_))))));
        assert_eq!(began.elapsed(), Duration::from_secs(59));
    }
}
