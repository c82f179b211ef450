use http::Method;

use super::request::ClientRequest;
use super::state::Gate;

/// A write that is under way: what was asked before it began, or before it was answered, serves no request that comes
/// after. However it ends, it may have been executed.
pub(super) struct WriteGuard {
    gate: Gate,
    /// A copy, as the request's own lies in the buffer of its connection until it waits.
    path: Box<str>,
}

impl Gate {
    /// The write that a request is, if it may change what others share.
    pub(super) fn write_of(&self, request: &ClientRequest) -> Option<WriteGuard> {
        let is_safe = [Method::GET, Method::HEAD, Method::OPTIONS].contains(&request.head.method);
        (!is_safe).then(|| {
            let path = request.target.path();
            self.sharing.invalidate(path);
            WriteGuard { gate: self.clone(), path: path.into() }
        })
    }
}

impl Drop for WriteGuard {
    fn drop(&mut self) {
        self.gate.sharing.invalidate(&self.path);
    }
}
