/// The bytes that base64 stands for, read one by one where they are asked for.
#[derive(Clone, Copy)]
pub(super) struct Base64Bytes<'b>(pub(super) &'b str);

impl Base64Bytes<'_> {
    /// Up to four bytes at a place, the highest first.
    pub(super) fn big(self, at: usize, count: usize) -> Option<u32> {
        (at..at + count).try_fold(0, |number, at| Some(number << 8 | u32::from(self.byte(at)?)))
    }

    /// Up to four bytes at a place, the lowest first.
    pub(super) fn little(self, at: usize, count: usize) -> Option<u32> {
        (at..at + count).rev().try_fold(0, |number, at| Some(number << 8 | u32::from(self.byte(at)?)))
    }

    /// Whether these bytes are there.
    pub(super) fn is(self, at: usize, bytes: &[u8]) -> bool {
        bytes.iter().zip(at..).all(|(&byte, at)| self.byte(at) == Some(byte))
    }

    /// Three bytes are four letters.
    fn byte(self, at: usize) -> Option<u8> {
        let letters = self.0.as_bytes().get(at / 3 * 4..at / 3 * 4 + 4)?;
        let bits = letters.iter().try_fold(0_u32, |bits, &letter| Some(bits << 6 | value(letter)?))?;
        Some(bits.to_be_bytes()[1 + at % 3])
    }
}

/// Of both alphabets (RFC 4648 §4 and §5); padding stands for nothing.
fn value(letter: u8) -> Option<u32> {
    let value = match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        b'=' => 0,
        _ => return None,
    };
    Some(value.into())
}
