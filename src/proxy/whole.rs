use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{StatusCode, response};
use http_body::Body;
use tokio::time::Instant;

use super::ending::has_events;
use super::outcome::Source;
use super::passing::{Passed, Tries};
use super::resend::may_refuse;
use super::under_way::codings;
use crate::coalesce::Status;
use crate::upstream::{Budget, Held};

/// An answer that came to its end, for everybody who asked for it.
pub(super) struct Whole {
    pub(super) parts: response::Parts,
    pub(super) body: Bytes,
    /// What the call went through.
    pub(super) tries: Tries,
    status: OnceLock<Option<Status>>,
}

/// One client's part in it.
pub(super) struct Shared {
    pub(super) whole: Arc<Whole>,
    pub(super) way: Way,
    /// What this client's own request went through.
    pub(super) tries: Tries,
    /// When the gate wants it to be asked for again, in milliseconds, if that is later than it would be.
    pub(super) poll_after: Option<u64>,
}

/// How a client comes by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// His own request went.
    Own,
    /// Another's was under way when he came.
    Joined,
    /// It had come before him.
    Reused,
}

/// A body with its part of the budget for as long as any of it is there.
struct Kept {
    body: Bytes,
    _held: Held,
}

/// How much of a body is shared at most: up to a piece always, and up to the most while there is plenty of room. A
/// guess: few answers that are polled are longer than a piece.
const PIECE: usize = 64 << 10;
const MOST: usize = 1 << 20;

/// How long a body may take to come to its end; its own client would see nothing of it before. A guess.
const COMES: Duration = Duration::from_secs(5);

impl Whole {
    /// Reads an answer to its end.
    ///
    /// # Errors
    /// The answer, as far as it is from its end: it is a stream, too large, too slow or broken off, or only this client
    /// is meant by it.
    pub(super) async fn read(mut passed: Passed, budget: &Budget) -> Result<Self, Passed> {
        let response = &passed.response;
        let is_large = response.body().size_hint().lower() > MOST as u64;
        let is_own = response.status() == StatusCode::SWITCHING_PROTOCOLS || may_refuse(response.status());
        if is_large || is_own || has_events(response.headers()) {
            return Err(passed);
        }
        let until = Instant::now() + COMES;
        for most in [PIECE, MOST] {
            if most > PIECE && !budget.has_plenty() {
                break;
            }
            let upper = passed.response.body().size_hint().upper().unwrap_or(u64::MAX);
            let mut held = budget.overdraw(upper.min(most as u64));
            passed.response.body_mut().peek(most, until - Instant::now()).await;
            if let Some(body) = passed.response.body_mut().take_whole() {
                held.keep(body.len() as u64);
                return Ok(Self::new(passed, body, held));
            }
        }
        Err(passed)
    }

    /// With it ends what was in flight.
    fn new(Passed { response, under_way, tries }: Passed, body: Bytes, held: Held) -> Self {
        if let Some(mut under_way) = under_way {
            under_way.see(&body);
        }
        let (parts, _) = response.into_parts();
        Self { parts, body: Bytes::from_owner(Kept { body, _held: held }), tries, status: OnceLock::new() }
    }

    /// The status that it tells of a thing.
    pub(super) fn status(&self) -> Option<&Status> {
        self.status.get_or_init(|| self.read_status()).as_ref()
    }

    fn read_status(&self) -> Option<Status> {
        let codings = codings(&self.parts.headers).filter(|_| self.parts.status.is_success())?;
        Status::read(&codings.decode(&self.body, MOST))
    }

    /// Whether it tells those who come soon after what they would have been told.
    pub(super) fn is_lasting(&self) -> bool {
        self.parts.status.is_success() || self.parts.status == StatusCode::NOT_FOUND
    }
}

impl Way {
    /// As `x-tidegate-source` says it.
    pub(super) fn source(self) -> Source {
        match self {
            Self::Own => Source::Upstream,
            Self::Joined | Self::Reused => Source::Coalesced,
        }
    }
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}
