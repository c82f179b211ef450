use std::io::{self, Write};

use brotli_decompressor::DecompressorWriter;
use flate2::write::GzDecoder;
use smallvec::SmallVec;

use super::deflate::Deflate;
use super::zstd::Zstd;

/// The codings of a body, in the order in which they were applied (RFC 9110, section 8.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Codings(SmallVec<[Coding; 2]>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

/// Decodes a body that passes in pieces, as far as it can be decoded, and writes it to a sink as soon as it can.
///
/// It takes no more than `most` bytes, however few came: what a short body becomes may be endless.
pub struct BodyDecoder<W: Write> {
    stage: DecodeStage<W>,
    is_over: bool,
}

/// One coding is taken off after the other.
enum DecodeStage<W: Write> {
    Plain(BoundedSink<W>),
    Gzip(Box<GzDecoder<Self>>),
    Deflate(Box<Deflate<Self>>),
    Brotli(Box<DecompressorWriter<Self>>),
    Zstd(Box<Zstd<Self>>),
}

struct BoundedSink<W> {
    sink: W,
    left: usize,
}

/// Nobody applies more. A guess, which bounds what a hostile answer costs.
const MOST: usize = 2;

/// What is decoded by brotli at a time. A guess: a page.
const PIECE: usize = 4 << 10;

impl Codings {
    /// The codings that the values of `content-encoding` name; nothing where one is unknown.
    pub fn named<'a>(values: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let names = values.into_iter().flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase());
        let applied = names.filter(|name| !name.is_empty() && name != "identity").take(MOST + 1);
        let codings: SmallVec<_> = applied.map(|name| Coding::named(&name)).collect::<Option<_>>()?;
        (codings.len() <= MOST).then_some(Self(codings))
    }

    /// Whether the body is as it was made.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.0.is_empty()
    }

    /// The beginning of a body, decoded as far as it goes.
    #[must_use]
    pub fn decode(&self, body: &[u8], most: usize) -> Vec<u8> {
        let mut decoded = Vec::new();
        BodyDecoder::new(self, most, &mut decoded).push(body);
        decoded
    }
}

impl Coding {
    /// By its name in lower case; gzip has another, of old.
    fn named(name: &str) -> Option<Self> {
        match name {
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            "br" => Some(Self::Brotli),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }
}

impl<W: Write> BodyDecoder<W> {
    /// A decoder of a body with these codings.
    pub fn new(codings: &Codings, most: usize, sink: W) -> Self {
        let plain = DecodeStage::Plain(BoundedSink { sink, left: most });
        Self { stage: codings.0.iter().copied().fold(plain, DecodeStage::before), is_over: false }
    }

    /// The next piece of the body.
    pub fn push(&mut self, piece: &[u8]) {
        if !self.is_over {
            let written = self.stage.write_all(piece);
            // What was decoded before it broke is there all the same.
            let flushed = self.stage.flush();
            self.is_over = written.and(flushed).is_err();
        }
    }

    /// Where everything is written that could be decoded so far.
    pub fn sink(&self) -> &W {
        self.stage.sink()
    }
}

impl<W: Write> DecodeStage<W> {
    /// The stage that takes this coding off before that one.
    fn before(self, coding: Coding) -> Self {
        match coding {
            Coding::Gzip => Self::Gzip(Box::new(GzDecoder::new(self))),
            Coding::Deflate => Self::Deflate(Box::new(Deflate::new(self))),
            Coding::Brotli => Self::Brotli(Box::new(DecompressorWriter::new(self, PIECE))),
            Coding::Zstd => Self::Zstd(Box::new(Zstd::new(self))),
        }
    }

    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Plain(plain) => plain,
            Self::Gzip(coded) => coded,
            Self::Deflate(coded) => coded,
            Self::Brotli(coded) => coded,
            Self::Zstd(coded) => coded,
        }
    }

    fn sink(&self) -> &W {
        match self {
            Self::Plain(plain) => &plain.sink,
            Self::Gzip(coded) => coded.get_ref().sink(),
            Self::Deflate(coded) => coded.get_ref().sink(),
            Self::Brotli(coded) => coded.get_ref().sink(),
            Self::Zstd(coded) => coded.get_ref().sink(),
        }
    }
}

/// Takes all of a piece or fails: brotli's decoder would write for ever to what takes nothing.
impl<W: Write> Write for DecodeStage<W> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.writer().write_all(piece).map(|()| piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer().flush()
    }
}

impl<W: Write> Write for BoundedSink<W> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let written = self.sink.write(&piece[..piece.len().min(self.left)])?;
        self.left -= written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}
