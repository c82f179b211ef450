//! Requests that are sent twice, because the upstream surely or harmlessly did not answer the first time.

use http::Request;

use super::outgoing::Outgoing;

/// Whether a request may be sent twice even if the upstream has executed it: it asks for nothing but information (RFC 9110
/// §9.2.1), and has no body.
pub(super) fn may_repeat(request: &Request<Outgoing>) -> bool {
    request.method().is_safe() && request.body().is_empty()
}

/// The request once more, if all of its body is here.
pub(super) fn copy(request: &Request<Outgoing>) -> Option<Request<Outgoing>> {
    let mut copy = Request::new(request.body().copy_of_whole()?);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}
