use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use smallvec::SmallVec;

/// The segments of a path, as the table compares them.
pub(super) type Segments<'p> = SmallVec<[Cow<'p, str>; 8]>;

/// How a server may understand a path. They differ, and the gate cannot know which kind the upstream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// `%2F`, `\` and `%5C` part segments, instead of being part of a name.
    slashes: bool,
    dots: Dots,
    /// A segment ends at its `;` (RFC 3986 §3.3 leaves parameters to the server).
    cuts: bool,
}

/// What becomes of `.` and `..`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dots {
    /// They are resolved once doubled slashes are folded.
    AfterFolding,
    /// They are resolved first, with `//` holding an empty segment (RFC 3986 §5.2.4).
    BeforeFolding,
    /// They are names like any other.
    Kept,
}

/// The only reading of a path that is not disguised.
const PLAIN: Reading = Reading { slashes: true, dots: Dots::AfterFolding, cuts: false };

const DOTS: [Dots; 3] = [Dots::AfterFolding, Dots::BeforeFolding, Dots::Kept];

/// The ways in which this path can be understood; for all but disguised ones there is only one.
pub(super) fn readings(path: &str) -> SmallVec<[Reading; 1]> {
    if !is_disguised(path) {
        return SmallVec::from_buf([PLAIN]);
    }
    let both = [true, false];
    let with_dots = |slashes, cuts| DOTS.map(|dots| Reading { slashes, dots, cuts });
    both.iter().flat_map(|&slashes| both.iter().flat_map(move |&cuts| with_dots(slashes, cuts))).collect()
}

/// Splits a path. Doubled and trailing slashes vanish in every reading.
pub(super) fn segments(path: &str, reading: Reading) -> Segments<'_> {
    read(path, reading).0
}

/// Whether, to some server, this path leads above its own root, and so out of a base path put before it.
#[must_use]
pub fn climbs(path: &str) -> bool {
    is_disguised(path) && readings(path).iter().any(|&reading| read(path, reading).1)
}

/// The resources that this path may lead to, one for each way in which it can be understood: in lower case, with a `/`
/// behind every segment and before the first.
#[must_use]
pub fn resources(path: &str) -> SmallVec<[String; 1]> {
    let resource = |reading| {
        let segments = segments(path, reading);
        segments.iter().fold("/".to_owned(), |path, segment| path + &segment.to_lowercase() + "/")
    };
    let mut resources: SmallVec<[String; 1]> = readings(path).into_iter().map(resource).collect();
    resources.dedup();
    resources
}

fn is_disguised(path: &str) -> bool {
    let encoded =
        |window: &[u8]| [b"%2f", b"%2e", b"%5c", b"%3b"].iter().any(|code| window.eq_ignore_ascii_case(*code));
    let bytes = path.as_bytes();
    bytes.windows(2).any(|pair| pair == b"/.")
        || memchr::memchr2(b'\\', b';', bytes).is_some()
        || bytes.contains(&b'%') && bytes.windows(3).any(encoded)
}

/// The segments, and whether a `..` had nothing left to take away.
fn read(path: &str, reading: Reading) -> (Segments<'_>, bool) {
    let mut segments = Segments::new();
    let mut climbs = false;
    for segment in split(path, reading) {
        match (&*segment, reading.dots) {
            ("", Dots::AfterFolding | Dots::Kept) | (".", Dots::AfterFolding | Dots::BeforeFolding) => {}
            ("..", Dots::AfterFolding | Dots::BeforeFolding) => climbs |= segments.pop().is_none(),
            _ => segments.push(segment),
        }
    }
    segments.retain(|segment| !segment.is_empty());
    (segments, climbs)
}

fn split(path: &str, reading: Reading) -> Segments<'_> {
    // What stands before the first slash is no segment.
    let path = path.strip_prefix('/').unwrap_or(path);
    if !reading.slashes {
        return path.split('/').map(|segment| decoded(cut(segment, reading))).collect();
    }
    let is_slash = ['/', '\\'];
    match decoded(path) {
        Cow::Borrowed(path) => path.split(is_slash).map(|segment| cut(segment, reading).into()).collect(),
        Cow::Owned(path) => path.split(is_slash).map(|segment| cut(segment, reading).to_owned().into()).collect(),
    }
}

fn cut(segment: &str, reading: Reading) -> &str {
    if reading.cuts { segment.split(';').next().unwrap_or_default() } else { segment }
}

/// Undone once, as servers do: `%252F` is the text `%2F`, not a slash.
fn decoded(text: &str) -> Cow<'_, str> {
    if text.contains('%') { percent_decode_str(text).decode_utf8_lossy() } else { Cow::Borrowed(text) }
}
