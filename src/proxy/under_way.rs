use std::time::{Duration, Instant, SystemTime};

use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use crate::admission::InFlight;
use crate::hints::{BodyDecoder, Codings, Pushback, UsageReader, allowances};
use crate::upstream::Held;

/// What lasts until the last byte of an answer.
pub(super) struct UnderWay {
    in_flight: InFlight,
    /// Its place among all that are under way.
    _held: Held,
    sent_at: Instant,
    /// Reads what the answer has cost in tokens, where that is of interest.
    usage: Option<BodyDecoder<UsageReader>>,
}

/// How much of an answer that is compressed is read for what it has cost, in bytes of what it becomes. A guess: more
/// than any answer that is no file.
const READ: usize = 8 << 20;

impl UnderWay {
    pub(super) fn new(in_flight: InFlight, held: Held, sent_at: Instant) -> Self {
        Self { in_flight, _held: held, sent_at, usage: None }
    }

    /// The upstream took the request, and answers with these, or that there is nothing at its path.
    pub(super) fn accepted(&self, headers: &HeaderMap, gone: bool) {
        self.in_flight.accepted(self.sent_at, &allowances(headers, since_epoch()), gone);
    }

    /// The upstream did not take it.
    pub(super) fn refused(&self, pushback: &Pushback) {
        self.in_flight.refused(self.sent_at, pushback);
    }

    /// From now on it looks for the tokens in what passes.
    pub(super) fn read_usage(&mut self, headers: &HeaderMap) {
        self.usage = codings(headers).map(|codings| {
            let most = if codings.is_plain() { usize::MAX } else { READ };
            BodyDecoder::new(&codings, most, UsageReader::default())
        });
    }

    /// The next piece of the answer.
    pub(super) fn see(&mut self, piece: &[u8]) {
        if let Some(usage) = &mut self.usage {
            usage.push(piece);
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(tokens) = self.usage.as_ref().and_then(|usage| usage.sink().total()) {
            self.in_flight.settle(self.sent_at, tokens);
        }
    }
}

/// How the body of an answer is compressed; nothing where that is not known.
pub(super) fn codings(headers: &HeaderMap) -> Option<Codings> {
    let values = headers.get_all(CONTENT_ENCODING).into_iter();
    Codings::named(values.map(|value| value.to_str().unwrap_or("unreadable")))
}

/// Now, for answers that name a date.
#[expect(clippy::disallowed_methods, reason = "a date is said by the wall clock, and holds for an answer only")]
pub(super) fn since_epoch() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
