use std::borrow::Cow;
use std::str;

use memchr::memchr2;

/// A string of JSON as it is written, between its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct JsonString<'b> {
    raw: &'b str,
    has_escapes: bool,
}

impl<'b> JsonString<'b> {
    /// The string that begins after a quote, and how long it is with the quote that ends it. Nothing where none does.
    ///
    /// Control characters are let through: the upstream need not be strict.
    pub(super) fn after_quote(json: &'b str) -> Option<(Self, usize)> {
        let (bytes, mut at, mut has_escapes) = (json.as_bytes(), 0, false);
        loop {
            let rest = bytes.get(at..)?;
            // Most strings are names.
            let near = &rest[..rest.len().min(NEAR)];
            at += special(near).or_else(|| Some(near.len() + memchr2(b'"', b'\\', &rest[near.len()..])?))?;
            if bytes[at] == b'"' {
                return Some((Self::of_raw(&json[..at], has_escapes), at + 1));
            }
            has_escapes = true;
            at += 2;
        }
    }

    /// What stands between the quotes.
    pub(super) fn of_raw(raw: &'b str, has_escapes: bool) -> Self {
        Self { raw, has_escapes }
    }

    /// As it is written: escapes are not read.
    pub(super) fn raw(self) -> &'b str {
        self.raw
    }

    /// What it says; nothing where an escape is none. Half of a surrogate pair is U+FFFD, as most servers read it.
    pub(super) fn read(self) -> Option<Cow<'b, str>> {
        if !self.has_escapes {
            return Some(self.raw.into());
        }
        let (mut read, mut rest) = (String::with_capacity(self.raw.len()), self.raw);
        while let Some((plain, escape)) = rest.split_once('\\') {
            read.push_str(plain);
            let (escaped, after) = unescape(escape)?;
            read.push(escaped);
            rest = after;
        }
        read.push_str(rest);
        Some(read.into())
    }
}

/// Where a string of JSON does not stand for itself: at its end, or at an escape.
///
/// Eight bytes at a time: a byte is zero where it is the one that is looked for, and then borrows from its neighbour. That
/// makes neighbours above a hit look like hits, so only the lowest counts.
fn special(text: &[u8]) -> Option<usize> {
    const LOW: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = LOW << 7;
    let zeros = |word: u64| word.wrapping_sub(LOW) & !word & HIGH;
    let (words, rest) = text.as_chunks();
    for (at, &word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(word);
        let hits = zeros(word ^ (LOW * u64::from(b'"'))) | zeros(word ^ (LOW * u64::from(b'\\')));
        if hits != 0 {
            return Some(at * 8 + hits.trailing_zeros() as usize / 8);
        }
    }
    let in_rest = rest.iter().position(|&byte| byte == b'"' || byte == b'\\')?;
    Some(words.len() * 8 + in_rest)
}

/// Names are shorter. Measured: beyond it, a call to look for more is the faster way.
const NEAR: usize = 32;

/// The character that an escape stands for, and what follows it (RFC 8259 §7).
pub(super) fn unescape(escape: &str) -> Option<(char, &str)> {
    let letter = *escape.as_bytes().first()?;
    let plain = match letter {
        b'"' | b'\\' | b'/' => char::from(letter),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(&escape[1..]),
        _ => return None,
    };
    Some((plain, &escape[1..]))
}

fn unicode(digits: &str) -> Option<(char, &str)> {
    let (unit, after) = code_unit(digits)?;
    let low = after.strip_prefix("\\u").and_then(code_unit);
    if let Some((low, after)) = low
        && let Some(Ok(pair)) = char::decode_utf16([unit, low]).next()
        && pair.len_utf16() == 2
    {
        return Some((pair, after));
    }
    Some((char::from_u32(unit.into()).unwrap_or(char::REPLACEMENT_CHARACTER), after))
}

/// Four hexadecimal digits.
fn code_unit(digits: &str) -> Option<(u16, &str)> {
    let (unit, after) = digits.split_at_checked(4)?;
    let is_hex = unit.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| u16::from_str_radix(unit, 16).ok().map(|unit| (unit, after)))?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(quoted: &str) -> Option<String> {
        let (string, length) = JsonString::after_quote(&quoted[1..])?;
        assert_eq!(length, quoted.len() - 1);
        string.read().map(Cow::into_owned)
    }

    #[test]
    fn lone_surrogates_read_as_replacement() {
        assert_eq!(read(r#""a\ud800b""#).as_deref(), Some("a\u{fffd}b"));
        assert_eq!(read(r#""\udc00\ud83d""#).as_deref(), Some("\u{fffd}\u{fffd}"));
        assert_eq!(read(r#""\ud83d\ud83d\ude00""#).as_deref(), Some("\u{fffd}😀"));
        assert_eq!(read(r#""\ud83d\n""#).as_deref(), Some("\u{fffd}\n"));
    }

    #[test]
    fn broken_escapes_say_nothing() {
        for broken in [r#""\x""#, r#""\u12""#, r#""\u+123""#, r#""\u12é""#] {
            assert_eq!(read(broken), None, "{broken}");
        }
        assert!(JsonString::after_quote(r#"never ends \""#).is_none());
        assert!(JsonString::after_quote("\\").is_none());
    }

    #[test]
    fn special_bytes_are_found_anywhere() {
        for len in 0..40 {
            for at in 0..len {
                for byte in [b'"', b'\\'] {
                    let mut text = vec![byte.wrapping_add(1); len];
                    text[at] = byte;
                    assert_eq!(special(&text), Some(at), "{len} {at}");
                    text[len - 1] = byte;
                    assert_eq!(special(&text), Some(at), "{len} {at}");
                }
            }
            assert_eq!(special(&vec![b'#'; len]), None);
        }
    }

    proptest! {
        #[test]
        fn strings_read_as_serde_reads_them(text: String) {
            let quoted = serde_json::to_string(&text).expect("a string");
            prop_assert_eq!(read(&quoted), Some(text));
        }
    }
}
