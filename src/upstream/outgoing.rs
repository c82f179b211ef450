use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::oneshot;

use super::Prefetched;
use crate::admission::Place;

/// A body on its way to the upstream. It carries the request's place and spends it when the head is written.
///
/// Over HTTP/1 hyper writes the head once the body waits or has ended, and nothing of a body that breaks off before
/// that: such a place is not spent. (`cargo bench --bench soak` holds what is spent against what comes out.)
#[derive(Debug)]
pub(super) struct Outgoing {
    read: Option<Bytes>,
    trailers: Option<HeaderMap>,
    rest: Option<Incoming>,
    place: Place,
    upload: Option<oneshot::Sender<Remains>>,
    broke_off: bool,
    /// The head is written whatever becomes of the body.
    head_first: bool,
    /// Some of the body has been taken.
    begun: bool,
}

/// How much of a body hyper surely holds back with the head (it does so with 400 KB, its `DEFAULT_MAX_BUFFER_SIZE`).
const HELD_BACK: usize = 64 << 10;

/// What becomes of an upload that is over, or that the upstream wants no more of.
#[derive(Debug, Default)]
pub(super) struct Remains {
    /// What the upstream did not take.
    pub(super) unread: Option<Incoming>,
    /// The client did not send it whole.
    pub(super) broke_off: bool,
}

impl Outgoing {
    /// What was read, then the rest as it comes; of an upload that is still to come it is told how it ends.
    pub(super) fn new(body: Prefetched, place: Place) -> (Self, Option<oneshot::Receiver<Remains>>) {
        let (read, trailers, rest) = body.into_parts();
        let (upload, ending) = rest.as_ref().map(|_| oneshot::channel()).unzip();
        let read = (!read.is_empty()).then_some(read);
        (Self { read, trailers, rest, place, upload, broke_off: false, head_first: false, begun: false }, ending)
    }

    /// Over HTTP/2 the head does not wait for the body.
    pub(super) fn follow_head(&mut self) {
        self.head_first = true;
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some(read) = self.read.take() {
            return Poll::Ready(Some(Ok(Frame::data(read))));
        }
        if let Some(rest) = &mut self.rest {
            let frame = ready!(Pin::new(rest).poll_frame(cx));
            self.broke_off |= matches!(frame, Some(Err(_)));
            if frame.is_some() {
                return Poll::Ready(frame);
            }
            self.rest = None;
        }
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    /// Whether nobody can say how long it will be, so that HTTP/1.1 must chunk it.
    pub(super) fn is_unmeasured(&self) -> bool {
        self.size_hint().exact().is_none()
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let frame = this.poll_next(cx);
        let is_small = |frame: &Frame<Bytes>| frame.data_ref().is_some_and(|data| data.len() < HELD_BACK);
        match &frame {
            Poll::Ready(Some(Err(_))) => {}
            // Only the first: of many, some may have been written before the next is asked for.
            Poll::Ready(Some(Ok(first))) if !this.begun && is_small(first) => this.begun = true,
            _ => this.place.sent(),
        }
        frame
    }

    /// hyper asks this when it writes the head, which it does at once where there is no body (checked by
    /// `tests/gate/forwarding.rs`: a request that finds no connection gives its place back).
    fn is_end_stream(&self) -> bool {
        let is_over =
            self.read.is_none() && self.trailers.is_none() && self.rest.as_ref().is_none_or(Body::is_end_stream);
        if is_over || self.head_first {
            self.place.sent();
        }
        is_over
    }

    fn size_hint(&self) -> SizeHint {
        let read = self.read.as_ref().map_or(0, |read| read.len() as u64);
        let rest = self.rest.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint);
        let mut hint = SizeHint::new();
        hint.set_lower(read + rest.lower());
        // Trailers need chunked coding, which a body of known length would not get.
        if let (Some(upper), None) = (rest.upper(), &self.trailers) {
            hint.set_upper(read + upper);
        }
        hint
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        if let Some(upload) = self.upload.take() {
            // Nobody listens any more once there is an answer.
            drop(upload.send(Remains { unread: self.rest.take(), broke_off: self.broke_off }));
        }
    }
}
