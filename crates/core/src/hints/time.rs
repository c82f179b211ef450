use std::time::Duration;

use super::date::date;
use super::response_clock::ResponseClock;

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MINUTE: Duration = Duration::from_mins(1);
pub(super) const HOUR: Duration = Duration::from_hours(1);
pub(super) const DAY: Duration = Duration::from_hours(24);
const WEEK: Duration = Duration::from_hours(7 * 24);
pub(super) const MONTH: Duration = Duration::from_hours(30 * 24);

/// No wait is longer: what names a longer one is read as this. A guess: limits per month are the longest.
const LONGEST: Duration = Duration::from_hours(31 * 24);

/// The spans by how people begin to write them.
const WORDS: [(&str, Duration); 9] = [
    ("ms", Duration::from_millis(1)),
    ("milli", Duration::from_millis(1)),
    ("sec", SECOND),
    ("min", MINUTE),
    ("hour", HOUR),
    ("hr", HOUR),
    ("day", DAY),
    ("week", WEEK),
    ("month", MONTH),
];

/// The units of Go's durations.
const GO_UNITS: [(&str, Duration); 7] = [
    ("ns", Duration::from_nanos(1)),
    ("us", Duration::from_micros(1)),
    ("µs", Duration::from_micros(1)),
    ("ms", Duration::from_millis(1)),
    ("s", SECOND),
    ("m", MINUTE),
    ("h", HOUR),
];

/// The units of ISO 8601's durations; those that follow a `T` are of time.
const ISO_UNITS: [(char, bool, Duration); 5] =
    [('W', false, WEEK), ('D', false, DAY), ('H', true, HOUR), ('M', true, MINUTE), ('S', true, SECOND)];

/// How long it is until what a header says: seconds, a duration of Go or of ISO 8601, a Unix time in seconds or milliseconds,
/// a date of RFC 3339 or of HTTP, or a span in words. Of several with commas between them, which a proxy may have joined, the
/// longest counts. Nothing for what is over.
pub(super) fn until(text: &str, clock: &ResponseClock<'_>) -> Option<Duration> {
    let one = |text: &str| {
        let text = text.trim().trim_matches(['"', ';']);
        let text = text.strip_prefix('+').unwrap_or(text);
        let span = go_duration(text).or_else(|| iso_duration(text)).or_else(|| number(text, clock));
        span.or_else(|| leading(text)).or_else(|| clock.until(date(text)?))
    };
    one(text).or_else(|| text.split(',').filter_map(one).max()).map(|until| until.min(LONGEST))
}

/// A number of milliseconds.
pub(super) fn millis(text: &str) -> Option<Duration> {
    scaled(text.trim(), Duration::from_millis(1)).map(|span| span.min(LONGEST))
}

/// The time at the beginning of a text, which may be within JSON or HTML: `7m12s.`, `37 seconds.` or `4 days 20 hours 9
/// minutes.`
pub(super) fn leading(text: &str) -> Option<Duration> {
    let is_between = |c: char| c.is_ascii_whitespace() || matches!(c, '"' | '\\' | '<');
    let mut words = text.split(is_between).filter(|word| !word.is_empty());
    let mut total: Option<Duration> = None;
    while let Some(word) = words.next() {
        let amount = word.trim_end_matches(ENDS);
        if amount == "and" && total.is_some() {
            continue;
        }
        let unit_is_next = || spelled(words.clone().next()?.trim_end_matches(ENDS));
        let (span, last) = match go_duration(amount) {
            Some(span) => (Some(span), word),
            None => (unit_is_next().and_then(|unit| scaled(amount, unit)), words.next().unwrap_or_default()),
        };
        let Some(span) = span else { break };
        total = Some(total.unwrap_or_default().saturating_add(span));
        if last.ends_with(['.', ';', ')', '!']) {
            break;
        }
    }
    total.map(|span| span.min(LONGEST))
}

/// What ends a word of a sentence.
const ENDS: [char; 5] = ['.', ',', ';', ')', '!'];

/// A unit by itself: `s` or `seconds`.
fn spelled(unit: &str) -> Option<Duration> {
    let short = GO_UNITS.into_iter().find(|&(name, _)| name == unit).map(|(_, span)| span);
    short.or_else(|| window(unit))
}

/// The span at the beginning of a text: `min (TPM)`, `day` or `seconds`.
pub(super) fn window(text: &str) -> Option<Duration> {
    WORDS.iter().find(|(word, _)| text.starts_with(word)).map(|&(_, span)| span)
}

/// A duration as Go writes it, to the nanosecond: `20ms`, `1.898s`, `6m0s`.
fn go_duration(text: &str) -> Option<Duration> {
    let (mut rest, mut total) = (text, Duration::ZERO);
    while !rest.is_empty() {
        let (amount, after) = rest.split_at(rest.find(|c| !is_numeric(c))?);
        let (unit, after) = after.split_at(after.find(is_numeric).unwrap_or(after.len()));
        let (_, unit) = GO_UNITS.into_iter().find(|&(name, _)| name == unit)?;
        total = total.checked_add(scaled(amount, unit)?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

/// A duration as ISO 8601 writes it: `PT3S`, `PT1M30.5S`, `P1DT2H`. Years and months are not always as long, and are not read.
fn iso_duration(text: &str) -> Option<Duration> {
    let (mut rest, mut is_time, mut total) = (text.strip_prefix(['P', 'p'])?, false, None);
    while !rest.is_empty() {
        if let (false, Some(time)) = (is_time, rest.strip_prefix(['T', 't'])) {
            (rest, is_time) = (time, true);
        }
        let (amount, after) = rest.split_at(rest.find(|c| !is_numeric(c))?);
        let mut after = after.chars();
        let unit = after.next()?.to_ascii_uppercase();
        let (.., unit) = ISO_UNITS.into_iter().find(|&(name, of_time, _)| (name, of_time) == (unit, is_time))?;
        total = Some(total.unwrap_or(Duration::ZERO).checked_add(scaled(amount, unit)?)?);
        rest = after.as_str();
    }
    total
}

/// No wait takes thirty years, so a number beyond that is a Unix time.
fn number(text: &str, clock: &ResponseClock<'_>) -> Option<Duration> {
    let seconds = scaled(text, SECOND)?;
    match seconds.as_secs() {
        ..1_000_000_000 => Some(seconds),
        1_000_000_000..1_000_000_000_000 => clock.until(seconds),
        _ => clock.until(seconds / 1_000),
    }
}

/// So many units: `6.937`, without sign or exponent.
fn scaled(number: &str, unit: Duration) -> Option<Duration> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let fraction = fraction.get(..fraction.len().min(MOST_DIGITS))?;
    let whole = unit.as_nanos().checked_mul(digits(whole)?)?;
    let part = unit.as_nanos().checked_mul(digits(fraction)?)? / 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let nanos = whole.checked_add(part)?;
    let seconds = u64::try_from(nanos / SECOND.as_nanos()).ok()?;
    Some(Duration::new(seconds, u32::try_from(nanos % SECOND.as_nanos()).ok()?))
}

/// Enough for a nanosecond of the largest unit: a month has 2.6 · 10^15 of them.
const MOST_DIGITS: usize = 16;

fn digits(text: &str) -> Option<u128> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn is_numeric(c: char) -> bool {
    c.is_ascii_digit() || c == '.'
}
