use std::io::{self, Write};

use flate2::write::DeflateDecoder;

/// Decodes `deflate`, which is zlib's format (RFC 9110, section 8.4.1.2) or, by mistake, the bare stream within.
pub(super) struct Deflate<W: Write> {
    stream: DeflateDecoder<W>,
    /// What is still to come of zlib's header; nothing before the first byte.
    header: Option<usize>,
}

/// CMF and FLG (RFC 1950 §2.2).
const HEADER: usize = 2;

impl<W: Write> Deflate<W> {
    pub(super) fn new(sink: W) -> Self {
        Self { stream: DeflateDecoder::new(sink), header: None }
    }

    pub(super) fn get_ref(&self) -> &W {
        self.stream.get_ref()
    }
}

impl<W: Write> Write for Deflate<W> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let Some(&first) = piece.first() else { return Ok(0) };
        let header = self.header.get_or_insert(if is_zlib(first) { HEADER } else { 0 });
        if *header == 0 {
            return self.stream.write(piece);
        }
        let skipped = piece.len().min(*header);
        *header -= skipped;
        Ok(skipped)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// The method "deflate", as zlib says it; in a bare stream it would be a stored block with bits set that are always zero.
fn is_zlib(first: u8) -> bool {
    first & 0x0f == 8
}
