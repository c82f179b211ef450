use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MINUTE: Duration = Duration::from_mins(1);
pub(super) const HOUR: Duration = Duration::from_hours(1);
pub(super) const DAY: Duration = Duration::from_hours(24);
pub(super) const MONTH: Duration = Duration::from_hours(30 * 24);

/// Nobody is told to wait for longer: a mistake, or something else than a time. A guess: limits per month are the
/// longest.
const LONGEST: Duration = Duration::from_hours(31 * 24);

/// The spans by how people begin to write them.
const WORDS: [(&str, Duration); 7] = [
    ("ms", Duration::from_millis(1)),
    ("milli", Duration::from_millis(1)),
    ("sec", SECOND),
    ("min", MINUTE),
    ("hour", HOUR),
    ("day", DAY),
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

/// How long it is until what a header says: seconds, a duration of Go, a Unix time in seconds or milliseconds, or a date
/// of RFC 3339 or of HTTP. Nothing for what is over, and for what is too far away to be meant.
pub(super) fn until(text: &str, now: Duration) -> Option<Duration> {
    let text = text.trim();
    let until = go_duration(text).or_else(|| number(text, now)).or_else(|| date(text)?.checked_sub(now));
    until.filter(|until| *until <= LONGEST)
}

/// A number of milliseconds.
pub(super) fn millis(text: &str) -> Option<Duration> {
    scaled(text.trim(), Duration::from_millis(1)).filter(|span| *span <= LONGEST)
}

/// The time at the beginning of a text: `7m12s.` or `37 seconds.`
pub(super) fn leading(text: &str) -> Option<Duration> {
    let mut words = text.split_ascii_whitespace();
    let first = words.next()?.trim_end_matches(['.', ',', ';', ')', '!']);
    let span = go_duration(first).or_else(|| scaled(first, window(words.next()?)?));
    span.filter(|span| *span <= LONGEST)
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

/// No wait takes thirty years, so a number beyond that is a Unix time.
fn number(text: &str, now: Duration) -> Option<Duration> {
    let seconds = scaled(text, SECOND)?;
    match seconds.as_secs() {
        ..1_000_000_000 => Some(seconds),
        1_000_000_000..1_000_000_000_000 => seconds.checked_sub(now),
        _ => (seconds / 1_000).checked_sub(now),
    }
}

fn date(text: &str) -> Option<Duration> {
    let http = |_| OffsetDateTime::parse(text, &Rfc2822);
    let at = OffsetDateTime::parse(text, &Rfc3339).or_else(http).ok()?;
    Duration::try_from(at - OffsetDateTime::UNIX_EPOCH).ok()
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
