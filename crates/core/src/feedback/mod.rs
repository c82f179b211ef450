//! Feedback: what the upstream's answers say about its limits. Pure parsers, fed with headers, bodies and the time.
//!
//! [`Pushback`] is a refusal understood, [`Allowance`] what is left by the headers of any answer, and [`UsageReader`]
//! finds what an answer has cost while it passes; a [`Decoder`] takes off the [`Codings`] of a body before that.

mod allowance;
mod coding;
mod complaint;
mod deflate;
mod meaning;
mod pushback;
mod source;
#[cfg(test)]
mod tests;
mod time;
mod usage;
mod window;
mod wording;
mod zstd;

pub use allowance::{Allowance, allowances};
pub use coding::{Codings, Decoder};
pub use meaning::{Meanings, is_gone, understand};
pub use pushback::{Cause, Figures, ParseCauseError, Pushback};
pub use usage::UsageReader;

use std::time::Duration;

/// An answer of the upstream, as far as it is known.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: &'a dyn Headers,
    /// What was read of its body, which may be anything.
    pub body: &'a [u8],
    /// Now, since the Unix epoch, for headers that name a date.
    pub now: Duration,
}

/// The headers of an answer.
pub trait Headers {
    /// The value of one, if it is text.
    fn text(&self, name: &str) -> Option<&str>;

    /// Whether there may be any whose name begins so. It spares looking for each of many names that mostly are not there.
    fn begin(&self, beginning: &str) -> bool {
        let _ = beginning;
        true
    }
}

impl Headers for http::HeaderMap {
    fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.to_str().ok()
    }

    fn begin(&self, beginning: &str) -> bool {
        self.keys().any(|name| name.as_str().starts_with(beginning))
    }
}
