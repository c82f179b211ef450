use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::failed::Failed;
use super::prefetched::Prefetched;
use super::trailers::filter_trailers;
use super::unanswered::Unanswered;
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
    /// Nothing where a place has been spent on this request already.
    place: Option<Place>,
    upload: Option<UploadEnd>,
    broke_off: bool,
    /// The head is written whatever becomes of the body.
    head_first: bool,
    /// Some of the body has been taken.
    begun: bool,
}

/// How much of a body hyper surely holds back with the head: less than a connection's buffer.
const HELD_BACK: usize = 64 << 10;

/// What becomes of an upload that is over, or that the upstream wants no more of.
#[derive(Debug, Default)]
struct Remains {
    /// What the upstream did not take.
    unread: Option<Incoming>,
    /// The client did not send it whole.
    broke_off: bool,
}

/// The upload of a body, seen from the body.
#[derive(Debug)]
struct UploadEnd {
    ending: oneshot::Sender<Remains>,
    flow: Arc<Flow>,
}

/// How an upload gets on.
#[derive(Debug, Default)]
struct Flow {
    /// How many pieces of it have been taken.
    pieces: AtomicU64,
    /// Nothing of it can be taken until the client sends more.
    is_starved: AtomicBool,
}

/// The upload of a body, seen from the request that it belongs to.
#[derive(Debug, Default)]
pub(super) struct Upload {
    /// Nothing once it is over.
    ending: Option<oneshot::Receiver<Remains>>,
    flow: Option<Arc<Flow>>,
    remains: Remains,
    /// How long its client may send nothing.
    stall: Duration,
}

/// How long an upload that failed may take to say what is left of it. A guess: it says so at once, or never.
const ENDING: Duration = Duration::from_secs(1);

impl Upload {
    fn new(stall: Duration) -> (UploadEnd, Self) {
        let (end, ending) = oneshot::channel();
        let flow = Arc::<Flow>::default();
        let end = UploadEnd { ending: end, flow: Arc::clone(&flow) };
        (end, Self { ending: Some(ending), flow: Some(flow), remains: Remains::default(), stall })
    }

    /// Whether all of the body has been taken, or no more of it will be.
    pub(super) fn is_over(&mut self) -> bool {
        if let Some(ending) = &mut self.ending {
            match ending.try_recv() {
                Ok(remains) => self.remains = remains,
                Err(oneshot::error::TryRecvError::Closed) => {}
                Err(oneshot::error::TryRecvError::Empty) => return false,
            }
            self.ending = None;
        }
        true
    }

    /// Whether nothing of it can be written until the client sends more.
    pub(super) fn is_starved(&self) -> bool {
        self.flow.as_ref().is_some_and(|flow| flow.is_starved.load(Ordering::Relaxed))
    }

    /// How many pieces of it have been taken.
    pub(super) fn pieces(&self) -> u64 {
        self.flow.as_ref().map_or(0, |flow| flow.pieces.load(Ordering::Relaxed))
    }

    /// How long its client may send nothing.
    pub(super) fn stall(&self) -> Duration {
        self.stall
    }

    /// Waits until it is over. May be dropped at any time.
    pub(super) async fn over(&mut self) {
        if let Some(ending) = &mut self.ending {
            self.remains = ending.await.unwrap_or_default();
            self.ending = None;
        }
    }

    /// Waits for as long as it may take to be over after its request has failed.
    pub(super) async fn over_in_time(&mut self) {
        drop(timeout(ENDING, self.over()).await);
    }

    /// Its request has no answer, for this reason unless it is the upload's own fault.
    pub(super) fn fail(mut self, failed: Failed) -> Unanswered {
        self.is_over();
        let failed = if self.remains.broke_off { Failed::Body } else { failed };
        let unread = self.remains.unread.map(|rest| Prefetched::new(rest, ENDING));
        Unanswered { failed, unread, is_unsent: false }
    }
}

impl Outgoing {
    /// What was read, then the rest as it comes; of an upload that is still to come it is told how it ends.
    pub(super) fn new(body: Prefetched, place: Option<Place>) -> (Self, Upload) {
        let stall = body.stall();
        let (read, trailers, rest) = body.into_parts();
        let (upload, seen) = match &rest {
            Some(_) => {
                let (upload, seen) = Upload::new(stall);
                (Some(upload), seen)
            }
            None => (None, Upload::default()),
        };
        let read = (!read.is_empty()).then_some(read);
        let body = Self { read, trailers, rest, place, upload, broke_off: false, head_first: false, begun: false };
        (body, seen)
    }

    /// The same body for a request that is sent once more, if all of it is here. Its place has been spent.
    pub(super) fn copy_of_whole(&self) -> Option<Self> {
        self.rest.is_none().then(|| Self {
            read: self.read.clone(),
            trailers: self.trailers.clone(),
            rest: None,
            place: None,
            upload: None,
            broke_off: false,
            head_first: self.head_first,
            begun: false,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.read.is_none() && self.trailers.is_none() && self.rest.is_none()
    }

    fn spend_place(&self) {
        if let Some(place) = &self.place {
            place.sent();
        }
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
            let frame = Pin::new(rest).poll_frame(cx);
            if let Some(upload) = &self.upload {
                upload.flow.is_starved.store(frame.is_pending(), Ordering::Relaxed);
                upload.flow.pieces.fetch_add(u64::from(frame.is_ready()), Ordering::Relaxed);
            }
            let mut frame = ready!(frame);
            if let Some(trailers) = frame.as_mut().and_then(|frame| frame.as_mut().ok()?.trailers_mut()) {
                filter_trailers(trailers);
            }
            self.broke_off |= matches!(frame, Some(Err(_)));
            if frame.is_some() {
                return Poll::Ready(frame);
            }
            self.rest = None;
        }
        let trailers = self.trailers.take().map(|mut trailers| {
            filter_trailers(&mut trailers);
            trailers
        });
        Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
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
            _ => this.spend_place(),
        }
        frame
    }

    /// hyper asks this when it writes the head, which it does at once where there is no body (checked by
    /// `tests/gate/forwarding.rs`: a request that finds no connection gives its place back).
    fn is_end_stream(&self) -> bool {
        let is_over =
            self.read.is_none() && self.trailers.is_none() && self.rest.as_ref().is_none_or(Body::is_end_stream);
        if is_over || self.head_first {
            self.spend_place();
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
            drop(upload.ending.send(Remains { unread: self.rest.take(), broke_off: self.broke_off }));
        }
    }
}
