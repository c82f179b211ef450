//! What a model reads that is no text: pictures, sounds, files. The rules are the vendors' (docs/upstream.md §2.4).

use super::base64_bytes::Base64Bytes;

/// What a string in a body is, beside text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Medium {
    /// One of these, as its first bytes or its type say.
    Any,
    Image,
    Sound,
    File,
    Video,
    /// Something of the vendor's own that comes back encrypted, such as reasoning.
    Sealed,
}

/// How many pixels a picture has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ImageSize {
    pub(super) width: u32,
    pub(super) height: u32,
}

/// A picture of which only the address is known. A guess: what `gpt-image` makes unless it is asked for another size.
pub(super) const USUAL: ImageSize = ImageSize { width: 1024, height: 1024 };

/// How many bytes of a file are a token. Guesses: a page of a PDF has about 50 KB, and costs 1,250 tokens as text and
/// picture; a second of a video has 125 KB, and 300 tokens (Gemini's documentation); encrypted reasoning was measured "as
/// next to nothing of its base64" (nagobot 86), and there is no rule.
const BYTES_OF_FILE: usize = 40;
const BYTES_OF_VIDEO: usize = 400;
const BYTES_SEALED: usize = 12;
const BYTES_OF_TEXT: usize = 4;

/// Tokens of a second of sound (OpenAI's guide to the costs of Realtime, seen 2026-11-30: a token each 100 ms).
const SOUND_A_SECOND: usize = 10;

/// Bytes of a second of sound, where its head does not say so: MP3 at 128 kbit/s.
const BYTES_OF_SOUND: usize = 16_000;

/// What the address of something costs that is no picture. A guess: as much as a picture.
const LINKED: u32 = 765;

/// How names of things begin that are elsewhere.
const LINKS: [&str; 6] = ["http://", "https://", "gs://", "s3://", "file-", "file_"];

/// Media types are shorter, with all their parameters. A guess.
const LONGEST_TYPE: usize = 256;

/// Base64 is recognised by this many letters of it. A guess: words are shorter, and so are most names.
const KNOWN_BY: usize = 64;

/// Whether this is base64 by its beginning. Some servers write `\\/` for a slash in JSON.
pub(super) fn is_base64(text: &str) -> bool {
    text.as_bytes().get(..KNOWN_BY).is_some_and(|head| head.iter().all(|&byte| is_letter(byte) || byte == b'\\'))
}

/// Of either alphabet, or padding (RFC 4648 §4 and §5).
pub(super) fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=')
}

/// What something costs that comes as base64.
#[derive(Clone, Copy)]
pub(super) enum MediumCost {
    Tokens(u32),
    Image(ImageSize),
}

impl Medium {
    /// By its media type, as a data URL or a field beside it says; nothing where that says nothing.
    fn of_type(media_type: &str) -> Option<Self> {
        let kind = media_type.split('/').next()?;
        match kind {
            "image" => Some(Self::Image),
            "audio" => Some(Self::Sound),
            "video" => Some(Self::Video),
            "application" => Some(Self::File),
            _ => None,
        }
    }

    /// By how base64 begins.
    fn sniffed(base64: &str) -> Option<Self> {
        let beginnings = [
            ("iVBORw0KGgo", Self::Image),
            ("/9j/", Self::Image),
            ("R0lGOD", Self::Image),
            ("JVBERi0", Self::File),
            ("UEsDB", Self::File),
            ("SUQz", Self::Sound),
            ("//v", Self::Sound),
            ("T2dnUw", Self::Sound),
            ("ZkxhQw", Self::Sound),
            ("gAAAAA", Self::Sealed),
            ("AAAAIGZ0eXA", Self::Video),
        ];
        let known = beginnings.into_iter().find(|(beginning, _)| base64.starts_with(beginning));
        let riff = || base64.starts_with("UklGR").then(|| if is_wave(base64) { Self::Sound } else { Self::Image });
        known.map(|(_, medium)| medium).or_else(riff)
    }

    /// What this much base64 costs as this medium.
    pub(super) fn cost(self, base64: &str) -> MediumCost {
        let bytes = base64.len() / 4 * 3;
        let tokens = |bytes: usize| MediumCost::Tokens(u32::try_from(bytes).unwrap_or(u32::MAX));
        match if self == Self::Any { Self::sniffed(base64).unwrap_or(Self::Image) } else { self } {
            Self::Any | Self::Image => MediumCost::Image(image_size(base64).unwrap_or(USUAL)),
            Self::Sound => tokens(seconds(base64, bytes).max(1) * SOUND_A_SECOND),
            Self::File => tokens(bytes / BYTES_OF_FILE),
            Self::Video => tokens(bytes / BYTES_OF_VIDEO),
            Self::Sealed => tokens(bytes / BYTES_SEALED),
        }
    }

    /// What a string costs that stands where this medium does; nothing for plain text.
    pub(super) fn of_string(self, string: &str) -> Option<MediumCost> {
        if LINKS.iter().any(|beginning| string.starts_with(beginning)) {
            return Some(self.linked());
        }
        self.of_data_url(string).or_else(|| is_base64(string).then(|| self.cost(string)))
    }

    /// What a string costs that stands where text does, and is none; nothing for plain text.
    pub(super) fn of_text(string: &str) -> Option<MediumCost> {
        string.starts_with("data:").then(|| Self::Any.of_data_url(string))?
    }

    /// What a data URL costs: `data:image/png;base64,…`. Nothing for what is none.
    fn of_data_url(self, url: &str) -> Option<MediumCost> {
        let url = url.strip_prefix("data:")?;
        let (head, _) = url.get(..url.len().min(LONGEST_TYPE)).unwrap_or_default().split_once(";base64,")?;
        let base64 = &url[head.len() + ";base64,".len()..];
        if head.starts_with("text/") || head == "application/json" {
            return Some(MediumCost::Tokens(u32::try_from(base64.len() / 4 * 3 / BYTES_OF_TEXT).unwrap_or(u32::MAX)));
        }
        let medium = Self::of_type(head).unwrap_or(self);
        Some(medium.cost(base64))
    }

    /// What costs something that is only named, by an address or an id.
    fn linked(self) -> MediumCost {
        match self {
            Self::Any | Self::Image => MediumCost::Image(USUAL),
            _ => MediumCost::Tokens(LINKED),
        }
    }
}

/// How long a sound lasts.
fn seconds(base64: &str, bytes: usize) -> usize {
    let rate = is_wave(base64).then(|| Base64Bytes(base64).little(28, 4)).flatten();
    bytes / rate.and_then(|rate| usize::try_from(rate).ok()).filter(|rate| *rate > 0).unwrap_or(BYTES_OF_SOUND)
}

/// `RIFF....WAVE`.
fn is_wave(base64: &str) -> bool {
    base64.starts_with("UklGR") && Base64Bytes(base64).is(8, b"WAVE")
}

/// The size of a PNG, GIF, WebP or JPEG, as its head says.
fn image_size(base64: &str) -> Option<ImageSize> {
    let bytes = Base64Bytes(base64);
    let size = if base64.starts_with("iVBOR") {
        ImageSize { width: bytes.big(16, 4)?, height: bytes.big(20, 4)? }
    } else if base64.starts_with("R0lGOD") {
        ImageSize { width: bytes.little(6, 2)?, height: bytes.little(8, 2)? }
    } else if base64.starts_with("/9j/") {
        jpeg_size(bytes)?
    } else if base64.starts_with("UklGR") {
        webp_size(bytes)?
    } else {
        return None;
    };
    (1..=LARGEST).contains(&size.width).then_some(size).filter(|size| (1..=LARGEST).contains(&size.height))
}

/// No side of a picture is longer: PNG, JPEG and WebP end far below. A head that says more is none.
const LARGEST: u32 = 65_535;

/// Up to the frame header, from one marker to the next (ITU-T T.81 §B.1).
fn jpeg_size(bytes: Base64Bytes<'_>) -> Option<ImageSize> {
    let mut at = 2;
    for _ in 0..MOST_MARKERS {
        let marker = bytes.big(at, 2)?;
        if matches!(marker, 0xffc0..=0xffc3 | 0xffc5..=0xffc7 | 0xffc9..=0xffcb | 0xffcd..=0xffcf) {
            return Some(ImageSize { width: bytes.big(at + 7, 2)?, height: bytes.big(at + 5, 2)? });
        }
        at += 2 + usize::try_from(bytes.big(at + 2, 2)?).ok()?;
    }
    None
}

/// A guess: cameras write about ten before the frame header.
const MOST_MARKERS: usize = 100;

/// In each of its three forms (RFC 9649 §2.5 to §2.7).
fn webp_size(bytes: Base64Bytes<'_>) -> Option<ImageSize> {
    if bytes.is(12, b"VP8X") {
        return Some(ImageSize { width: bytes.little(24, 3)? + 1, height: bytes.little(27, 3)? + 1 });
    }
    if bytes.is(12, b"VP8L") {
        let bits = bytes.little(21, 4)?;
        return Some(ImageSize { width: (bits & 0x3fff) + 1, height: (bits >> 14 & 0x3fff) + 1 });
    }
    Some(ImageSize { width: bytes.little(26, 2)? & 0x3fff, height: bytes.little(28, 2)? & 0x3fff })
}
