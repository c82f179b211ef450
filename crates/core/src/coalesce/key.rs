use std::fmt;

use sha2::{Digest, Sha256};

/// All that can change an answer, byte by byte, as its SHA-256: two requests that differ in any of it never share, and what
/// is kept holds no credential.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

/// What says who asks, how often and how long he waits, or traces it, and nothing of what he asks for. Every other header
/// can change the answer.
const IDLE: [&str; 17] = [
    "b3",
    "baggage",
    "content-length",
    "host",
    "sentry-trace",
    "traceparent",
    "tracestate",
    "uber-trace-id",
    "x-amzn-trace-id",
    "x-client-request-id",
    "x-cloud-trace-context",
    "x-request-id",
    "x-stainless-connect-timeout",
    "x-stainless-read-timeout",
    "x-stainless-retry-count",
    "x-stainless-timeout",
    "x-stainless-write-timeout",
];

/// How the names of headers begin that trace a request, of Zipkin and of Datadog.
const TRACING: [&str; 2] = ["x-b3-", "x-datadog-"];

/// Whether the header of this name, in lower case, is part of what is asked.
#[must_use]
pub fn can_change_the_answer(name: &str) -> bool {
    !IDLE.contains(&name) && !TRACING.iter().any(|prefix| name.starts_with(prefix))
}

impl Key {
    /// Of a GET of this target, with its query, that the upstream gets with these headers.
    #[must_use]
    pub fn new<'h>(target: &str, headers: impl Iterator<Item = (&'h str, &'h [u8])>) -> Self {
        let mut headers: Vec<_> = headers.filter(|(name, _)| can_change_the_answer(name)).collect();
        // The order of names means nothing; that of the values of one name does, and stays.
        headers.sort_by_key(|(name, _)| *name);
        let mut hash = Sha256::new();
        push(&mut hash, target.as_bytes());
        for (name, value) in headers {
            push(&mut hash, name.as_bytes());
            push(&mut hash, value);
        }
        Self(hash.finalize().into())
    }
}

/// Each part after its length, so that no two lists of parts look alike.
fn push(hash: &mut Sha256, part: &[u8]) {
    hash.update(part.len().to_le_bytes());
    hash.update(part);
}
