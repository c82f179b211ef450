use super::RefusalCause::{Billing, Limit, Overload, TooLarge};
use super::error_body::ErrorBody;
use super::limit_headers::until_refilled;
use super::meaning::{MANY, Meanings, OVERLOADED, UNAVAILABLE, cause_of};
use super::message::RefusalMessage;
use super::response_clock::ResponseClock;
use super::time::HOUR;
use super::{HeaderLookup, LimitFigures, Pushback, UpstreamResponse, wait};

/// Says whether to send a request again, and is obeyed before anything else by the official SDKs (docs/upstream.md §5.2).
const SHOULD_RETRY: &str = "x-should-retry";

/// Whether a response with this status may be a refusal, which was not executed. Its body says whether it is.
#[must_use]
pub fn may_refuse(status: u16) -> bool {
    matches!(status, MANY | UNAVAILABLE | OVERLOADED)
}

/// Whether these headers say that the request must not be sent again.
#[must_use]
pub fn forbids_retry(headers: &dyn HeaderLookup) -> bool {
    headers.text(SHOULD_RETRY) == Some("false")
}

/// What a refusal means; nothing where the response is none, or one that may have been executed.
///
/// A 429 and a 529 are always refusals: a limit and an overload where they cannot be read. A 503 is one only if it says so.
#[must_use]
pub fn classify_refusal(response: &UpstreamResponse<'_>, meanings: &Meanings) -> Option<Pushback> {
    let &UpstreamResponse { status, headers, body, now } = response;
    if !may_refuse(status) {
        return None;
    }
    let error = ErrorBody::read(body);
    if status == UNAVAILABLE && !error.is_structured() {
        return None;
    }
    let clock = ResponseClock::new(headers, now);
    let message = RefusalMessage::of(&error.message);
    let known = meanings.of(status, &error).or_else(|| cause_of(status, &error, &message));
    let cause = known.or(match status {
        MANY => Some(Limit),
        OVERLOADED => Some(Overload),
        _ => None,
    })?;
    let figures = error.quota.or_else(|| message.figures());
    let cause = match cause {
        Limit if figures.as_ref().is_some_and(LimitFigures::never_fit) => TooLarge,
        Limit if error.quota.is_some_and(|quota| quota.limit == Some(0)) => Billing,
        // The upstream knows better than its words (docs/upstream.md §5.2).
        Billing if headers.text(SHOULD_RETRY) == Some("true") => Limit,
        cause => cause,
    };
    let page = RefusalMessage::of(&error.page);
    let told = [
        message.retry_after(),
        page.retry_after(),
        wait::by_headers(headers, &clock),
        wait::by_fields(&error.json, &clock),
    ];
    // With a quota of a day, Google names a few seconds all the same (docs/upstream.md §7).
    let is_meant = |wait: &_| error.quota.is_none_or(|quota| quota.per <= HOUR || *wait >= HOUR);
    let told = told.into_iter().flatten().max().filter(is_meant);
    let unit = figures.map(|figures| figures.unit);
    let retry_after = told.or_else(|| (cause == Limit).then(|| until_refilled(headers, &clock, unit))?);
    let family = message.family().or(error.model);
    Some(Pushback { cause, figures, family, retry_after })
}

/// How a 404 speaks of one object that is not there, where its endpoint is: `No such File object: …`.
const OF_ONE_OBJECT: [&str; 3] = [" with id ", "no such ", " not found"];

/// Whether a response says that there is nothing at all at the path, or no model of that name.
#[must_use]
pub fn is_gone(response: &UpstreamResponse<'_>) -> bool {
    if response.status != 404 {
        return false;
    }
    let error = ErrorBody::read(response.body);
    if !error.is_structured() {
        return true;
    }
    let message = RefusalMessage::of(&error.message);
    let names_model = error.codes.iter().any(|code| code == "model_not_found");
    names_model || !OF_ONE_OBJECT.iter().any(|words| message.says(words))
}
