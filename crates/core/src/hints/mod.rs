//! Hints: what the upstream's responses say about its limits. Pure parsers of headers and bodies; the time is an argument.
//!
//! [`classify_refusal`] turns a response into a [`Pushback`], or into nothing where it is no refusal. [`allowances`](allowances()) reads
//! what any response's headers say is left, [`UsageReader`] finds what a response has cost while it passes, [`RefusalReader`] a refusal behind a `200`, and a
//! [`BodyDecoder`] takes off the [`Codings`] of a body before that.

mod allowance;
mod allowances;
mod classify;
mod coding;
mod date;
mod deflate;
mod error_body;
mod limit_headers;
mod limit_reading;
mod meaning;
mod message;
mod object_reader;
mod pushback;
mod quota;
mod ratelimit_fields;
mod refusal_reader;
mod response_clock;
#[cfg(test)]
mod tests;
mod time;
mod upstream_response;
mod usage;
mod wait;
mod window;
mod zstd;

pub use allowance::Allowance;
pub use allowances::allowances;
pub use classify::{classify_refusal, forbids_retry, is_gone, may_refuse};
pub use coding::{BodyDecoder, Codings};
pub use meaning::Meanings;
pub use pushback::{LimitFigures, ParseRefusalCauseError, Pushback, RefusalCause};
pub use refusal_reader::RefusalReader;
pub use upstream_response::{HeaderLookup, UpstreamResponse};
pub use usage::UsageReader;
