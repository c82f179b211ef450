use std::mem;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderName, Request};

use super::failed::Failed;
use super::outgoing::{Outgoing, Upload};
use super::prefetched::Prefetched;
use super::unanswered::Unanswered;
use crate::admission::Place;

/// A request on its way to the upstream. It is large, so it stays where it is until a connection takes it.
pub(super) struct Outbound {
    /// Nothing while a connection has it.
    pub(super) request: Option<Request<Outgoing>>,
    pub(super) upload: Upload,
    /// How long its response may take from the end of the upload.
    pub(super) timeout: Duration,
    /// It goes on a new connection.
    pub(super) is_repeated: bool,
}

impl Outbound {
    /// One without a place has been sent before, in vain.
    pub(super) fn new(head: Parts, body: Prefetched, place: Option<Place>, timeout: Duration) -> Box<Self> {
        let is_repeated = place.is_none();
        let (body, upload) = Outgoing::new(body, place);
        Box::new(Self { request: Some(Request::from_parts(head, body)), upload, timeout, is_repeated })
    }

    pub(super) fn has_header(&self, name: &HeaderName) -> bool {
        self.request.as_ref().is_some_and(|request| request.headers().contains_key(name))
    }

    /// It has no answer, for this reason unless it is the upload's own fault.
    pub(super) fn fail(&mut self, failed: Failed) -> Unanswered {
        self.request = None;
        mem::take(&mut self.upload).fail(failed)
    }
}
