use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::waker;

/// The body of an upstream's response. Where it has not come whole yet, whoever reads it drives its connection, which goes
/// back to the pool after the last byte. Dropped before, it closes the connection.
pub struct ResponseBody {
    body: Incoming,
    source: Source,
}

/// A connection that moves only while it is driven.
pub(super) trait Drive: Send {
    /// Moves bytes. Afterwards it may be idle, or over.
    fn drive(&mut self, cx: &mut Context<'_>);
    /// Whether it can take the next request.
    fn is_idle(&self) -> bool;
    /// Whether it has ended.
    fn is_over(&self) -> bool;
    /// Gives it back after its last byte, to where it came from.
    fn rest(self: Box<Self>);
}

/// Who drives the connection.
enum Source {
    /// Who reads the body.
    Driven(Box<dyn Drive>),
    /// Nobody: all of the body is here.
    Complete,
    /// A task.
    Independent,
    /// Nobody: the body breaks off so, once what came before has had time to be written. hyper writes nothing after an error.
    Broken(hyper::Error),
}

impl ResponseBody {
    pub(super) fn driven(body: Incoming, connection: Box<dyn Drive>) -> Self {
        Self { body, source: Source::Driven(connection) }
    }

    pub(super) fn complete(body: Incoming) -> Self {
        Self { body, source: Source::Complete }
    }

    pub(super) fn independent(body: Incoming) -> Self {
        Self { body, source: Source::Independent }
    }

    /// Whether all of it is here.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self.source, Source::Complete)
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.source {
            Source::Independent => Pin::new(&mut self.body).poll_frame(cx),
            Source::Complete | Source::Broken(_) => self.poll_muted(cx),
            Source::Driven(_) => {
                // Only the driver puts anything in, so that nobody need wake this task.
                let nobody = &mut Context::from_waker(Waker::noop());
                let frame = self.poll_muted(nobody);
                if frame.is_ready() {
                    return frame;
                }
                self.drive(cx);
                if let Source::Driven(_) = self.source { self.poll_muted(nobody) } else { self.poll_muted(cx) }
            }
        }
    }

    fn poll_muted(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        waker::muted(|| Pin::new(&mut self.body).poll_frame(cx))
    }

    fn drive(&mut self, cx: &mut Context<'_>) {
        let Source::Driven(connection) = &mut self.source else { return };
        connection.drive(cx);
        if (connection.is_idle() || connection.is_over())
            && let Source::Driven(connection) = mem::replace(&mut self.source, Source::Complete)
            && connection.is_idle()
        {
            connection.rest();
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Source::Broken(_) = self.source
            && let Source::Broken(error) = mem::replace(&mut self.source, Source::Complete)
        {
            return Poll::Ready(Some(Err(error)));
        }
        match self.poll_next(cx) {
            Poll::Ready(Some(Err(error))) => {
                self.source = Source::Broken(error);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            frame => frame,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
