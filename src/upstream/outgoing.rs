use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::admission::Place;

/// A request's body of which some may have been read before its request goes.
#[derive(Debug)]
pub struct Prefetched {
    read: BytesMut,
    trailers: Option<HeaderMap>,
    rest: Option<Incoming>,
}

impl From<Incoming> for Prefetched {
    fn from(body: Incoming) -> Self {
        let rest = (!body.is_end_stream()).then_some(body);
        Self { read: BytesMut::new(), trailers: None, rest }
    }
}

impl Prefetched {
    /// Reads until the body ends or `enough` bytes are here. May be dropped at any time: what was read stays.
    ///
    /// # Errors
    /// The body did not come whole.
    pub async fn fill(&mut self, enough: usize) -> Result<(), hyper::Error> {
        while self.read.len() < enough
            && let Some(rest) = &mut self.rest
        {
            let Some(frame) = rest.frame().await else {
                self.rest = None;
                break;
            };
            match frame?.into_data() {
                Ok(data) => self.read.extend_from_slice(&data),
                Err(frame) => self.trailers = frame.into_trailers().ok(),
            }
        }
        Ok(())
    }

    /// Reads up to `most` bytes and forgets them, so that a client that is still sending can read its answer.
    ///
    /// # Errors
    /// The body did not come whole.
    pub async fn discard(mut self, most: usize) -> Result<(), hyper::Error> {
        let mut seen = 0;
        while seen < most {
            self.read.clear();
            self.fill(1).await?;
            if self.read.is_empty() {
                return Ok(());
            }
            seen += self.read.len();
        }
        Ok(())
    }

    /// The whole body, if it has been read to its end.
    #[must_use]
    pub fn whole(&self) -> Option<&[u8]> {
        self.rest.is_none().then_some(&self.read[..])
    }
}

/// A body on its way to the upstream. It carries the request's place and spends it when the head is written.
#[derive(Debug)]
pub struct Outgoing {
    read: Option<Bytes>,
    trailers: Option<HeaderMap>,
    rest: Option<Incoming>,
    place: Place,
}

impl Outgoing {
    /// What was read, then the rest as it comes.
    #[must_use]
    pub fn new(body: Prefetched, place: Place) -> Self {
        let read = (!body.read.is_empty()).then(|| body.read.freeze());
        Self { read, trailers: body.trailers, rest: body.rest, place }
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
