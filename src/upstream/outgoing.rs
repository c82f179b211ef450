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
#[derive(Debug)]
pub(super) struct Outgoing {
    read: Option<Bytes>,
    trailers: Option<HeaderMap>,
    rest: Option<Incoming>,
    place: Place,
    upload: Option<oneshot::Sender<Remains>>,
    broke_off: bool,
}

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
        (Self { read, trailers, rest, place, upload, broke_off: false }, ending)
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
        if let Some(read) = this.read.take() {
            return Poll::Ready(Some(Ok(Frame::data(read))));
        }
        if let Some(rest) = &mut this.rest {
            let frame = ready!(Pin::new(rest).poll_frame(cx));
            this.broke_off |= matches!(frame, Some(Err(_)));
            if frame.is_some() {
                return Poll::Ready(frame);
            }
            this.rest = None;
        }
        Poll::Ready(this.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    /// hyper asks this first when it writes the head, which is the moment that counts (checked by
    /// `tests/forwarding.rs`: a request that finds no connection gives its place back).
    fn is_end_stream(&self) -> bool {
        self.place.sent();
        self.read.is_none() && self.trailers.is_none() && self.rest.as_ref().is_none_or(Body::is_end_stream)
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
