use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::timeout;

use crate::upstream::ResponseBody;

/// The body of a response. Its beginning may have been read ahead; the client gets all of it all the same.
pub(super) struct PeekedBody {
    seen: Option<Box<ReadAhead>>,
    rest: Option<ResponseBody>,
}

/// What was read ahead, and how the body ended, if it did.
#[derive(Default)]
struct ReadAhead {
    data: BytesMut,
    end: Option<Result<HeaderMap, hyper::Error>>,
    /// hyper drops what it has not yet written of a body that breaks off, so that is flushed first.
    flushed: bool,
}

impl From<ResponseBody> for PeekedBody {
    fn from(body: ResponseBody) -> Self {
        Self { seen: None, rest: Some(body) }
    }
}

impl PeekedBody {
    /// Reads ahead what comes within this time, up to about `most` bytes.
    pub(super) async fn peek(&mut self, most: usize, time: Duration) {
        drop(timeout(time, self.fill(most)).await);
    }

    /// What was read ahead.
    pub(super) fn seen(&self) -> &[u8] {
        self.seen.as_ref().map_or(&[], |seen| &seen.data)
    }

    /// The whole body, if all of it was read ahead and it has no trailers.
    pub(super) fn take_whole(&mut self) -> Option<Bytes> {
        let seen = self.seen.as_mut().filter(|seen| seen.end.is_none() && self.rest.is_none())?;
        Some(mem::take(&mut seen.data).freeze())
    }

    async fn fill(&mut self, most: usize) {
        let seen = self.seen.get_or_insert_default();
        while seen.data.len() < most
            && let Some(rest) = &mut self.rest
        {
            match rest.frame().await.transpose().map(|frame| frame.map(Frame::into_data)) {
                Ok(Some(Ok(data))) => seen.data.extend_from_slice(&data),
                Ok(Some(Err(frame))) => seen.end = frame.into_trailers().ok().map(Ok),
                Ok(None) => self.rest = None,
                Err(error) => (self.rest, seen.end) = (None, Some(Err(error))),
            }
        }
    }
}

impl ReadAhead {
    fn take_data(&mut self) -> Option<Frame<Bytes>> {
        (!self.data.is_empty()).then(|| Frame::data(mem::take(&mut self.data).freeze()))
    }
}

impl Body for PeekedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        if let Some(data) = this.seen.as_mut().and_then(|seen| seen.take_data()) {
            return Poll::Ready(Some(Ok(data)));
        }
        if let Some(rest) = &mut this.rest {
            let frame = ready!(Pin::new(rest).poll_frame(cx));
            if frame.is_some() {
                return Poll::Ready(frame);
            }
            this.rest = None;
        }
        if let Some(ReadAhead { end: Some(Err(_)), flushed: flushed @ false, .. }) = this.seen.as_deref_mut() {
            *flushed = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let end = this.seen.take().and_then(|seen| seen.end);
        Poll::Ready(end.map(|end| end.map(Frame::trailers)))
    }

    fn is_end_stream(&self) -> bool {
        let is_read = self.seen.as_ref().is_none_or(|seen| seen.data.is_empty() && seen.end.is_none());
        is_read && self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint);
        let Some(seen) = &self.seen else { return rest };
        let data = seen.data.len() as u64;
        let mut hint = SizeHint::new();
        hint.set_lower(data + rest.lower());
        // Trailers come behind a body of unknown length only.
        if let (Some(upper), None) = (rest.upper(), &seen.end) {
            hint.set_upper(data + upper);
        }
        hint
    }
}
