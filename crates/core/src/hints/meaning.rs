use std::collections::HashMap;
use std::time::Duration;

use super::error_body::ErrorBody;
use super::limit_headers::until_refilled;
use super::message::RefusalMessage;
use super::{LimitFigures, Pushback, RefusalCause, UpstreamResponse, time};
use RefusalCause::{Billing, Limit, Overload, Ramp, TooLarge};

/// What tells a refusal: whatever of this is not empty.
struct MeaningRow {
    statuses: &'static [u16],
    code: &'static str,
    kind: &'static str,
    /// In lower case, anywhere in the message.
    says: &'static str,
    cause: RefusalCause,
}

/// Always a refusal (RFC 6585 §4).
const MANY: &[u16] = &[429];
/// A refusal where they say so: a 503 may have been executed (docs/upstream.md §4.2).
const BUSY: &[u16] = &[429, 503];

/// The first row that fits decides: by the code, then by the type, then by the message (docs/upstream.md §4.1).
///
/// A code of `"429"` says no more than the status, and the types of the last rows say no more than that it is a limit.
#[rustfmt::skip]
const ROWS: [MeaningRow; 22] = [
    row(BUSY, "rate_limit_exceeded",               "",                    "request too large",        TooLarge),
    row(BUSY, "rate_limit_exceeded",               "",                    "",                         Limit),
    row(BUSY, "slow_down",                         "",                    "",                         Ramp),
    row(BUSY, "server_is_overloaded",              "",                    "",                         Overload),
    row(BUSY, "resource_unavailable",              "",                    "",                         Overload),
    row(MANY, "credit_balance_exhausted",          "",                    "",                         Billing),
    row(MANY, "organization_spend_limit_exceeded", "",                    "",                         Billing),
    row(MANY, "project_spend_limit_exceeded",      "",                    "",                         Billing),
    row(MANY, "organization_usage_limit_exceeded", "",                    "",                         Billing),
    row(MANY, "insufficient_quota",                "",                    "",                         Billing),
    row(MANY, "billing_not_active",                "",                    "",                         Billing),
    row(MANY, "",                                  "billing_not_active",  "",                         Billing),
    row(MANY, "",                                  "insufficient_quota",  "",                         Billing),
    row(BUSY, "",                                  "overloaded_error",    "",                         Overload),
    row(MANY, "",                                  "",                    "request too large",        TooLarge),
    row(MANY, "",                                  "",                    "billing details",          Billing),
    row(BUSY, "",                                  "",                    "currently overloaded",     Overload),
    row(MANY, "",                                  "",                    "resource unavailable",     Overload),
    row(MANY, "",                                  "requests",            "",                         Limit),
    row(MANY, "",                                  "tokens",              "",                         Limit),
    row(MANY, "",                                  "rate_limit_error",    "",                         Limit),
    row(MANY, "",                                  "rate_limit_exceeded", "",                         Limit),
];

const fn row(
    statuses: &'static [u16],
    code: &'static str,
    kind: &'static str,
    says: &'static str,
    cause: RefusalCause,
) -> MeaningRow {
    MeaningRow { statuses, code, kind, says, cause }
}

/// What the codes of an upstream mean, where it is something else than usual: on Azure `insufficient_quota` can pass (§4.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meanings(HashMap<Box<str>, RefusalCause>);

impl Meanings {
    /// The causes of codes; of types, where a refusal has no code.
    pub fn new<C: Into<Box<str>>>(causes: impl IntoIterator<Item = (C, RefusalCause)>) -> Self {
        Self(causes.into_iter().map(|(code, cause)| (code.into(), cause)).collect())
    }

    fn of(&self, error: &ErrorBody) -> Option<RefusalCause> {
        let name = if error.code.is_empty() { &error.kind } else { &error.code };
        self.0.get(&**name).copied()
    }
}

/// What a refusal means; nothing where the answer is none, or one that may have been executed.
///
/// A 429 is always a refusal, and a limit where it cannot be read. A 503 is one only if it says so.
#[must_use]
pub fn classify_refusal(answer: &UpstreamResponse<'_>, meanings: &Meanings) -> Option<Pushback> {
    if !BUSY.contains(&answer.status) {
        return None;
    }
    let error = ErrorBody::of(answer.body).unwrap_or_default();
    let message = RefusalMessage::of(&error.message);
    let rows = ROWS.iter().filter(|row| row.statuses.contains(&answer.status));
    let known = meanings.of(&error).or_else(|| first_of(rows, &error, &message));
    let cause = known.or_else(|| MANY.contains(&answer.status).then_some(Limit))?;
    let pushback = Pushback::worded(cause, &message);
    let said = pushback.retry_after.max(told(answer));
    let unit = pushback.figures.map(|figures| figures.unit);
    let retry_after = said.or_else(|| (cause == Limit).then(|| until_refilled(answer.headers, answer.now, unit))?);
    Some(Pushback { retry_after, ..pushback })
}

/// How a 404 speaks of one object that is not there, where its endpoint is: `No such File object: …`.
const OF_ONE_OBJECT: [&str; 3] = [" with id ", "no such ", " not found"];

/// Whether an answer says that there is nothing at all at the path, or no model of that name.
#[must_use]
pub fn is_gone(answer: &UpstreamResponse<'_>) -> bool {
    let error = ErrorBody::of(answer.body).unwrap_or_default();
    let message = RefusalMessage::of(&error.message);
    let is_one_object = error.code != "model_not_found" && OF_ONE_OBJECT.iter().any(|words| message.says(words));
    answer.status == 404 && !is_one_object
}

fn first_of<'r>(
    mut rows: impl Iterator<Item = &'r MeaningRow>,
    error: &ErrorBody,
    message: &RefusalMessage<'_>,
) -> Option<RefusalCause> {
    let fits = |row: &&MeaningRow| {
        (row.code.is_empty() || row.code == error.code)
            && (row.kind.is_empty() || row.kind == error.kind)
            && message.says(row.says)
    };
    rows.find(fits).map(|row| row.cause)
}

impl Pushback {
    fn worded(cause: RefusalCause, message: &RefusalMessage<'_>) -> Self {
        let figures = message.figures();
        let never_fits = cause == Limit && figures.as_ref().is_some_and(LimitFigures::never_fit);
        Self {
            cause: if never_fits { TooLarge } else { cause },
            figures,
            family: message.family(),
            retry_after: message.retry_after(),
        }
    }
}

/// How long to stay away by the headers that are there to say so.
fn told(answer: &UpstreamResponse<'_>) -> Option<Duration> {
    let millis = answer.headers.text("retry-after-ms").and_then(time::millis);
    let seconds = answer.headers.text("retry-after").and_then(|text| time::until(text, answer.now));
    millis.max(seconds)
}
