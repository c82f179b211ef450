//! Hints: what the upstream's responses say about its limits. Pure parsers of headers and bodies; the time is an argument.
//!
//! [`classify_refusal`] turns a response into a [`Pushback`], or into nothing where it is no refusal. [`allowances`] reads
//! what any response's headers say is left, [`UsageReader`] finds what a response has cost while it passes, and a
//! [`BodyDecoder`] takes off the [`Codings`] of a body before that.

mod allowance;
mod classify;
mod coding;
mod date;
mod deflate;
mod error_body;
mod limit_headers;
mod limit_reading;
mod meaning;
mod message;
mod pushback;
mod quota;
mod ratelimit_fields;
mod response_clock;
#[cfg(test)]
mod tests;
mod time;
mod usage;
mod wait;
mod window;
mod zstd;

pub use allowance::Allowance;
pub use classify::{classify_refusal, forbids_retry, is_gone, may_refuse};
pub use coding::{BodyDecoder, Codings};
pub use limit_headers::allowances;
pub use meaning::Meanings;
pub use pushback::{LimitFigures, ParseRefusalCauseError, Pushback, RefusalCause};
pub use usage::UsageReader;

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

    fn begin(&self, beginning: &str) -> bool {
        self.keys().any(|name| name.as_str().starts_with(beginning))
    }
}
