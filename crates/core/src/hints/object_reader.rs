use std::mem;

use memchr::memmem::Finder;

/// Finds the objects of a name, while JSON passes in pieces, or the events of a stream.
///
/// Within the strings of JSON, quotes are escaped, so that what a model writes is never taken for a name.
#[derive(Clone, Debug)]
pub(super) struct ObjectReader {
    name: &'static Finder<'static>,
    at: ReadState,
}

/// How far it has come.
#[derive(Clone, Debug)]
enum ReadState {
    /// So much of the name is there.
    Name(usize),
    /// The name is there, and perhaps the colon.
    Colon { seen: bool },
    /// The object is there in part.
    Object(JsonObject),
}

/// An object as far as it has come: it ends with the brace that closes the first.
#[derive(Clone, Debug, Default)]
struct JsonObject {
    text: Vec<u8>,
    depth: usize,
    in_string: bool,
    is_escaped: bool,
}

/// Most objects that are looked for are shorter. A guess: with all their details they have some hundred bytes.
const USUAL: usize = 512;

/// No object that is looked for is longer. A guess: many times what they have.
const LONGEST: usize = 4096;

impl ObjectReader {
    /// One that looks for what this finds, which ends with the quote behind a name.
    pub(super) fn new(name: &'static Finder<'static>) -> Self {
        Self { name, at: ReadState::default() }
    }

    /// The next piece; each object that is complete is shown.
    pub(super) fn push(&mut self, mut piece: &[u8], mut found: impl FnMut(&[u8])) {
        while let Some((&first, rest)) = piece.split_first() {
            (self.at, piece) = match mem::take(&mut self.at) {
                ReadState::Name(0) => self.seek(piece),
                ReadState::Name(matched) => (self.after_name(matched, first), rest),
                ReadState::Colon { seen } => (self.after_colon(seen, first), rest),
                ReadState::Object(object) => within(object, piece, &mut found),
            };
        }
    }

    /// To the end of the first name in the piece, or of the piece, where a name may have begun.
    fn seek<'p>(&self, piece: &'p [u8]) -> (ReadState, &'p [u8]) {
        let name = self.name.needle();
        if let Some(at) = self.name.find(piece) {
            return (ReadState::Colon { seen: false }, &piece[at + name.len()..]);
        }
        let begun = (1..name.len()).rev().find(|&begun| piece.ends_with(&name[..begun]));
        (ReadState::Name(begun.unwrap_or(0)), &[])
    }

    fn after_name(&self, matched: usize, byte: u8) -> ReadState {
        let name = self.name.needle();
        if byte != name[matched] {
            return ReadState::Name(usize::from(byte == name[0]));
        }
        if matched + 1 == name.len() { ReadState::Colon { seen: false } } else { ReadState::Name(matched + 1) }
    }

    fn after_colon(&self, seen: bool, byte: u8) -> ReadState {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => ReadState::Colon { seen },
            b':' if !seen => ReadState::Colon { seen: true },
            b'{' if seen => ReadState::Object(JsonObject::begin()),
            _ => ReadState::Name(usize::from(byte == self.name.needle()[0])),
        }
    }
}

/// To the end of the object, or of the piece.
fn within<'p>(mut object: JsonObject, piece: &'p [u8], found: &mut impl FnMut(&[u8])) -> (ReadState, &'p [u8]) {
    let rest = object.push(piece);
    if object.depth == 0 {
        found(&object.text);
        return (ReadState::default(), rest);
    }
    (if object.text.len() < LONGEST { ReadState::Object(object) } else { ReadState::default() }, rest)
}

impl Default for ReadState {
    fn default() -> Self {
        Self::Name(0)
    }
}

impl JsonObject {
    /// One of which the first brace is there.
    fn begin() -> Self {
        let mut text = Vec::with_capacity(USUAL);
        text.push(b'{');
        Self { text, depth: 1, ..Self::default() }
    }

    /// Takes what belongs to it, and leaves the rest.
    fn push<'p>(&mut self, piece: &'p [u8]) -> &'p [u8] {
        let room = LONGEST.saturating_sub(self.text.len()).min(piece.len());
        let end = piece[..room].iter().position(|&byte| self.ends_with(byte)).map_or(room, |at| at + 1);
        let (own, rest) = piece.split_at(end);
        self.text.extend_from_slice(own);
        rest
    }

    /// Whether this is the brace that closes the first.
    fn ends_with(&mut self, byte: u8) -> bool {
        match byte {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' => self.is_escaped = self.in_string,
            b'"' => self.in_string = !self.in_string,
            b'{' if !self.in_string => self.depth += 1,
            b'}' if !self.in_string => self.depth -= 1,
            _ => {}
        }
        self.depth == 0
    }
}
