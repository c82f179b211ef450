use std::borrow::Cow;
use std::time::Duration;

/// A response of the upstream, as far as it was read.
#[derive(Clone, Copy)]
pub struct UpstreamResponse<'a> {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: &'a dyn HeaderLookup,
    /// What was read of its body, which may be anything.
    pub body: &'a [u8],
    /// The local time since the Unix epoch, for responses that name a date and have no `Date` of their own.
    pub now: Duration,
}

/// Looks up the headers of a response by name.
pub trait HeaderLookup {
    /// The value of one, if it is text.
    fn text(&self, name: &str) -> Option<&str>;

    /// The value of one that is a list, which may come in several lines (RFC 9110 §5.3).
    fn list(&self, name: &str) -> Option<Cow<'_, str>> {
        self.text(name).map(Cow::Borrowed)
    }

    /// Whether there may be any whose name begins so. It spares looking for each of many names that mostly are not there.
    fn begin(&self, beginning: &str) -> bool {
        let _ = beginning;
        true
    }
}

impl HeaderLookup for http::HeaderMap {
    fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.to_str().ok()
    }

    fn list(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut lines = self.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
        let first = lines.next()?;
        Some(lines.fold(first.into(), |list, line| format!("{list}, {line}").into()))
    }

    fn begin(&self, beginning: &str) -> bool {
        self.keys().any(|name| name.as_str().starts_with(beginning))
    }
}
