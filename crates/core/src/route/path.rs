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
    /// White space and control characters around a segment count for nothing: the `$` of Python's `re` matches before a
    /// last line feed, and Starlette's routes end in one.
    trims: bool,
    start: Start,
}

/// What two slashes at the start of a path mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// As much as one.
    Path,
    /// A host follows, which is no part of the path (RFC 3986 §4.2), as `new URL(path, base)` has it.
    Host,
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
const PLAIN: Reading =
    Reading { slashes: true, dots: Dots::AfterFolding, cuts: false, trims: false, start: Start::Path };

const DOTS: [Dots; 3] = [Dots::AfterFolding, Dots::BeforeFolding, Dots::Kept];

/// The ways in which this path can be understood; for all but disguised ones there is only one.
pub(super) fn readings(path: &str) -> SmallVec<[Reading; 1]> {
    if !is_disguised(path) {
        return SmallVec::from_buf([PLAIN]);
    }
    let trims = options(has_margins(path));
    let starts: &[Start] = if begins_with_host(path) { &[Start::Path, Start::Host] } else { &[Start::Path] };
    let mut readings = SmallVec::new();
    for (&start, &trims) in starts.iter().flat_map(|start| trims.iter().map(move |trims| (start, trims))) {
        for (slashes, cuts) in [(true, true), (true, false), (false, true), (false, false)] {
            readings.extend(DOTS.map(|dots| Reading { slashes, dots, cuts, trims, start }));
        }
    }
    readings
}

/// Whether a path is written in several ways at once that servers read differently, each by itself or one within the other:
/// an encoded slash, a backslash, dot segments, encoded dots, parameters, white space around a segment. No SDK sends two of
/// them, and no list of readings covers all that servers make of them.
pub(super) fn is_mixed(path: &str) -> bool {
    let has = |code: &[u8]| path.as_bytes().windows(code.len()).any(|window| window.eq_ignore_ascii_case(code));
    let kinds = [
        has(b"%2f"),
        has(b"\\") || has(b"%5c"),
        path.split('/').any(|segment| segment == "." || segment == ".."),
        has(b"%2e"),
        has(b";") || has(b"%3b"),
        has_margins(path),
    ];
    kinds.into_iter().filter(|&is_there| is_there).count() > 1
}

/// Whether something may be so, or is not.
fn options(may_be: bool) -> &'static [bool] {
    if may_be { &[false, true] } else { &[false] }
}

/// Whether there is white space, or a control character, at an end of a segment.
fn has_margins(path: &str) -> bool {
    path.contains('%') && path.split('/').map(decoded).any(|segment| trimmed(&segment).len() < segment.len())
}

fn begins_with_host(path: &str) -> bool {
    path.strip_prefix('/').is_some_and(|rest| rest.starts_with(['/', '\\']))
}

fn trimmed(segment: &str) -> &str {
    segment.trim_matches(|c: char| c.is_whitespace() || c.is_control())
}

/// Splits a path. Doubled and trailing slashes vanish in every reading.
pub(super) fn segments(path: &str, reading: Reading) -> Segments<'_> {
    read(path, reading).0
}

/// Whether, to some server, this path leads above its own root, and so out of a base path put before it. Behind a base path
/// it begins with no host.
#[must_use]
pub fn climbs(path: &str) -> bool {
    is_disguised(path) && readings(path).iter().any(|&reading| reading.start == Start::Path && read(path, reading).1)
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
        || begins_with_host(path)
        || has_margins(path)
        || memchr::memchr2(b'\\', b';', bytes).is_some()
        || bytes.contains(&b'%') && bytes.windows(3).any(encoded)
}

/// The segments, and whether a `..` had nothing left to take away.
fn read(path: &str, reading: Reading) -> (Segments<'_>, bool) {
    let mut segments = Segments::new();
    let mut climbs = false;
    let mut parts = split(path, reading);
    if reading.start == Start::Host {
        let empty = parts.iter().take_while(|part| part.is_empty()).count();
        parts.drain(..parts.len().min(empty + 1));
    }
    for segment in parts {
        let segment = if reading.trims { Cow::Owned(trimmed(&segment).to_owned()) } else { segment };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disguise_is_seen_through_alone() {
        for (path, resource) in [
            ("/v1/chat/completions%0a", "/v1/chat/completions/"),
            ("/v1/chat/completions%20", "/v1/chat/completions/"),
            ("/v1/chat/%09completions%0D", "/v1/chat/completions/"),
            ("/v1/chat/completions%C2%A0", "/v1/chat/completions/"),
            ("//x/v1/chat/completions", "/v1/chat/completions/"),
            ("///x/v1/chat", "/v1/chat/"),
            ("/\\x/v1/chat/completions", "/v1/chat/completions/"),
            ("/v1/threads/../chat", "/v1/chat/"),
            ("/v1/a%2Fb", "/v1/a/b/"),
            ("/v1\\chat", "/v1/chat/"),
            ("/v1/chat;x=y", "/v1/chat/"),
        ] {
            let read = resources(path);
            assert!(read.iter().any(|read| read == resource), "{path}: {read:?}");
            assert!(!is_mixed(path), "{path}");
        }
    }

    #[test]
    fn plain_path_has_one_reading() {
        for path in
            ["/v1/chat/completions", "/v1/models/org%3Aname", "/v1/files/my%20file.txt", "/v1//chat/", "/v1/a.b"]
        {
            assert_eq!(readings(path).len(), 1, "{path}");
        }
    }

    #[test]
    fn mixed_disguises_are_told_from_single_ones() {
        for path in [
            "/v1%2fchat/a\\..\\..\\..\\b/../completions",
            "/v1\\chat/a%2f..%2f..%2f..%2fb/../completions",
            "/v1/threads/t/%2e%2e/../runs",
            "/v1/a%2Fb/../c",
            "/v1/a;b/../c",
            "/v1/a%2F%2e%2e",
            "/v1/chat%0a/../x",
            "/v1/a%5Cb%2Fc",
        ] {
            assert!(is_mixed(path), "{path}");
        }
        for path in ["/v1/models/org%2Fname", "/v1/a/../b", "/v1/%2e%2e/b", "/v1/chat%0a", "/v1/a;b", "/v1/a%5cb\\c"] {
            assert!(!is_mixed(path), "{path}");
        }
    }
}
