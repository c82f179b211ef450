use std::io::{self, Write};
use std::mem;

use ruzstd::decoding::FrameDecoder;

/// Decodes a frame of zstd block by block, as these are whole; the last window of it is held back to its end.
pub(super) struct Zstd<W: Write> {
    decoder: FrameDecoder,
    sink: W,
    /// What has come and is not whole.
    pending: Vec<u8>,
    next: FramePart,
}

/// What comes next.
#[derive(Clone, Copy)]
enum FramePart {
    Header,
    Block,
    Nothing,
}

/// No header of a frame is longer (RFC 8878, section 3.1.1).
const HEADER: usize = 18;

/// Nor is any window of what goes over HTTP (RFC 9659).
const WINDOW: u64 = 8 << 20;

impl<W: Write> Zstd<W> {
    pub(super) fn new(sink: W) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(WINDOW);
        Self { decoder, sink, pending: Vec::new(), next: FramePart::Header }
    }

    pub(super) fn get_ref(&self) -> &W {
        &self.sink
    }

    /// Decodes one thing, if all of it is there, and tells how long it was.
    fn step(&mut self, coded: &[u8]) -> io::Result<Option<usize>> {
        match self.next {
            FramePart::Header => self.header(coded),
            FramePart::Block => self.block(coded),
            FramePart::Nothing => Ok(None),
        }
    }

    fn header(&mut self, mut coded: &[u8]) -> io::Result<Option<usize>> {
        let there = coded.len();
        match self.decoder.reset(&mut coded) {
            Ok(()) => self.next = FramePart::Block,
            Err(_) if there < HEADER => return Ok(None),
            Err(error) => return Err(io::Error::other(error)),
        }
        Ok(Some(there - coded.len()))
    }

    fn block(&mut self, coded: &[u8]) -> io::Result<Option<usize>> {
        let Some(ZstdBlock { length, is_last }) = ZstdBlock::at(coded) else { return Ok(None) };
        let Some(block) = coded.get(..length) else { return Ok(None) };
        self.decoder.decode_from_to(block, &mut []).map_err(io::Error::other)?;
        if is_last {
            self.next = FramePart::Nothing;
        }
        io::copy(&mut self.decoder, &mut self.sink)?;
        Ok(Some(length))
    }
}

impl<W: Write> Write for Zstd<W> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if matches!(self.next, FramePart::Nothing) {
            return Ok(0);
        }
        self.pending.extend_from_slice(piece);
        let mut coded = mem::take(&mut self.pending);
        let mut decoded = 0;
        while let Some(more) = self.step(&coded[decoded..])? {
            decoded += more;
        }
        coded.drain(..decoded);
        self.pending = coded;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

/// A block as its header describes it (RFC 8878, section 3.1.1.2).
struct ZstdBlock {
    length: usize,
    is_last: bool,
}

impl ZstdBlock {
    fn at(coded: &[u8]) -> Option<Self> {
        let &[low, middle, high] = coded.first_chunk()?;
        let header = u32::from_le_bytes([low, middle, high, 0]);
        let (is_last, is_repeated) = (header & 1 == 1, header >> 1 & 3 == 1);
        let size = if is_repeated { 1 } else { header as usize >> 3 };
        Some(Self { length: 3 + size, is_last })
    }
}
