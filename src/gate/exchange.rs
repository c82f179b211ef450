use std::time::{Duration, Instant, SystemTime};

use http::header::CONTENT_ENCODING;
use http::{HeaderMap, Response, StatusCode};

use super::body::PeekedBody;
use super::body_reader::BodyReader;
use super::headers::are_of_event_stream;
use super::observed_request::ObservedRequest;
use crate::admission::{Acceptance, InFlight};
use crate::hints::{
    self, BodyDecoder, Codings, Meanings, Pushback, RefusalReader, UpstreamResponse, UsageReader, allowances,
    classify_refusal, is_gone,
};
use crate::limit::PoolId;
use crate::upstream::{Held, ResponseBody};

/// A response of the upstream, and what its request occupies until its last byte.
pub(super) struct Exchange {
    pub(super) response: Response<PeekedBody>,
    /// None once the request is in flight no longer, or its connection carries a WebSocket.
    pub(super) meter: Option<Box<ResponseMeter>>,
}

/// What a request occupies while its response comes in, and what the response says it cost.
pub(super) struct ResponseMeter {
    in_flight: InFlight,
    /// Its place among all requests in flight.
    _slot: Held,
    observed: Option<ObservedRequest>,
    sent_at: Instant,
    /// What admission has not been told yet.
    acceptance: Option<Acceptance>,
    /// Reads along in the response's body.
    reader: Option<BodyDecoder<BodyReader>>,
    /// An error in the body has been judged.
    has_reported: bool,
}

/// How much of a compressed response is decoded to find the tokens it used, in bytes. A guess: more than any response
/// that is no file.
const MAX_DECODED: usize = 8 << 20;

/// How much of a refusal is read. A guess: OpenAI's have less than a thousand bytes (docs/upstream.md §4.1).
const MAX_REFUSAL: usize = 64 << 10;

/// How long a refusal may take to come; after that it passes through unread. A guess.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(3);

/// Whether the body of a response says what its status means: it may be a refusal, or nothing may be at that path.
pub(super) fn says_why_in_its_body(status: StatusCode) -> bool {
    may_refuse(status) || status == StatusCode::NOT_FOUND
}

/// Whether a response may be a refusal, which was not executed.
pub(super) fn may_refuse(status: StatusCode) -> bool {
    hints::may_refuse(status.as_u16())
}

impl Exchange {
    pub(super) fn new(response: Response<ResponseBody>, meter: Box<ResponseMeter>) -> Self {
        Self { response: response.map(Into::into), meter: Some(meter) }
    }

    /// Its connection carries a WebSocket.
    pub(super) fn relayed(response: Response<ResponseBody>) -> Self {
        Self { response: response.map(Into::into), meter: None }
    }

    /// Whether the upstream refused the request, and what it said; tells admission.
    pub(super) async fn classify_refusal(&mut self, meanings: &Meanings) -> Option<Pushback> {
        if !says_why_in_its_body(self.response.status()) {
            return None;
        }
        let meter = self.meter.as_mut()?;
        self.response.body_mut().peek(MAX_REFUSAL, REFUSAL_TIMEOUT).await;
        let (status, headers, seen) =
            (self.response.status().as_u16(), self.response.headers(), self.response.body().seen());
        let body = codings(headers).map(|codings| codings.decode(seen, MAX_REFUSAL)).unwrap_or_default();
        let answer = UpstreamResponse { status, headers, body: &body, now: since_epoch() };
        let refusal = classify_refusal(&answer, meanings);
        if let Some(refusal) = &refusal {
            meter.refused(refusal);
        } else {
            meter.accept(headers, is_gone(&answer));
            meter.report();
        }
        refusal
    }

    /// Its request is in flight no longer.
    pub(super) fn release(&mut self) {
        self.meter = None;
    }
}

impl ResponseMeter {
    pub(super) fn new(in_flight: InFlight, slot: Held, observed: Option<ObservedRequest>, sent_at: Instant) -> Self {
        Self { in_flight, _slot: slot, observed, sent_at, acceptance: None, reader: None, has_reported: false }
    }

    /// The upstream took the request; these headers say what is left, or nothing is at its path. Admission is told at the
    /// end, or when it is [reported](Self::report) before.
    pub(super) fn accept(&mut self, headers: &HeaderMap, is_gone: bool) {
        self.acceptance = Some(Acceptance { allowances: allowances(headers, since_epoch()), is_gone });
    }

    /// Tells admission that the upstream took the request, as the end may be far away.
    pub(super) fn report(&mut self) {
        if let Some(acceptance) = self.acceptance.take() {
            self.in_flight.accepted(self.sent_at, &acceptance);
        }
    }

    /// See [`InFlight::tightest`].
    pub(super) fn tightest(&self) -> Option<(PoolId, u64)> {
        self.in_flight.tightest()
    }

    /// An error that a WebSocket brings, which may be a refusal.
    pub(super) fn hear_error(&mut self, status: u16, event: &[u8], meanings: &Meanings) {
        let answer = UpstreamResponse { status, headers: &HeaderMap::new(), body: event, now: since_epoch() };
        if let Some(refusal) = classify_refusal(&answer, meanings) {
            self.acceptance = None;
            self.refused(&refusal);
        }
    }

    fn refused(&self, refusal: &Pushback) {
        self.in_flight.refused(self.sent_at, refusal);
    }

    /// From now on it looks for the tokens used in what it [sees](Self::see), if they are counted, and in an event stream for a
    /// refusal.
    pub(super) fn read_body(&mut self, headers: &HeaderMap, counts_tokens: bool) {
        let refusal = are_of_event_stream(headers).then(RefusalReader::default);
        if !counts_tokens && refusal.is_none() {
            return;
        }
        self.reader = codings(headers).map(|codings| {
            let most = if codings.is_plain() { usize::MAX } else { MAX_DECODED };
            let usage = counts_tokens.then(UsageReader::default);
            BodyDecoder::new(&codings, most, BodyReader { usage, refusal })
        });
    }

    /// The same for the events of a WebSocket.
    pub(super) fn read_turn(&mut self) {
        let sink = BodyReader { usage: Some(UsageReader::default()), refusal: Some(RefusalReader::default()) };
        self.reader = Some(BodyDecoder::new(&Codings::default(), usize::MAX, sink));
    }

    /// The next piece of the response's body.
    pub(super) fn see(&mut self, piece: &[u8]) {
        if let Some(reader) = &mut self.reader {
            reader.push(piece);
        }
    }

    /// Tells admission of a refusal, if what it has seen has one: the request was taken, and is not sent again.
    pub(super) fn report_refusal(&mut self, meanings: &Meanings) {
        let reader = self.reader.as_ref().and_then(|reader| reader.sink().refusal.as_ref());
        let Some(reader) = reader.filter(|reader| reader.has_error() && !self.has_reported) else { return };
        self.has_reported = true;
        if let Some(refusal) = reader.refusal(meanings) {
            self.acceptance = None;
            self.refused(&refusal);
        }
    }
}

impl Drop for ResponseMeter {
    fn drop(&mut self) {
        let tokens = self.reader.as_ref().and_then(|reader| reader.sink().usage.as_ref()?.total());
        self.in_flight.end(self.sent_at, self.acceptance.as_ref(), tokens);
        if let Some(observed) = self.observed.take() {
            observed.end(tokens);
        }
    }
}

/// How the body of a response is compressed; none if that is not known.
pub(super) fn codings(headers: &HeaderMap) -> Option<Codings> {
    let values = headers.get_all(CONTENT_ENCODING).into_iter();
    Codings::named(values.map(|value| value.to_str().unwrap_or("unreadable")))
}

/// Now, for responses that name a date.
#[expect(clippy::disallowed_methods, reason = "a date names the time of day, and holds for one response only")]
fn since_epoch() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
