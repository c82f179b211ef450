use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use smallvec::SmallVec;

/// The segments of a path, as the table compares them.
pub(super) type Segments<'p> = SmallVec<[Cow<'p, str>; 8]>;

/// How a server may understand a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Percent-encoding is undone first, so `%2F` parts segments; then `.` and `..` are resolved (RFC 3986 §5.2.4).
    Resolved,
    /// Segments are parted first, so `%2F`, `.` and `..` are part of a name.
    Literal,
}

/// The ways in which this path can be understood; for all but disguised ones there is only one.
pub(super) fn readings(path: &str) -> &'static [Reading] {
    let disguised =
        path.contains("/.") || path.as_bytes().windows(3).any(|w| is_encoded(w, b"%2f") || is_encoded(w, b"%2e"));
    if disguised { &[Reading::Resolved, Reading::Literal] } else { &[Reading::Resolved] }
}

/// Splits a path. Doubled and trailing slashes vanish in either reading.
pub(super) fn segments(path: &str, reading: Reading) -> Segments<'_> {
    match reading {
        Reading::Resolved => match decoded(path) {
            Cow::Borrowed(path) => resolve(path.split('/').map(Cow::Borrowed)),
            Cow::Owned(path) => resolve(path.split('/').map(|segment| Cow::Owned(segment.to_owned()))),
        },
        Reading::Literal => path.split('/').filter(|segment| !segment.is_empty()).map(decoded).collect(),
    }
}

fn resolve<'p>(parts: impl Iterator<Item = Cow<'p, str>>) -> Segments<'p> {
    let mut segments = Segments::new();
    for part in parts {
        match &*part {
            "" | "." => {}
            ".." => drop(segments.pop()),
            _ => segments.push(part),
        }
    }
    segments
}

/// Undone once, as servers do: `%252F` is the text `%2F`, not a slash.
fn decoded(text: &str) -> Cow<'_, str> {
    if text.contains('%') { percent_decode_str(text).decode_utf8_lossy() } else { Cow::Borrowed(text) }
}

fn is_encoded(window: &[u8], what: &[u8]) -> bool {
    window.eq_ignore_ascii_case(what)
}
