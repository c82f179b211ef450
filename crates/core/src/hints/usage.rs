use std::io::{self, Write};
use std::mem;
use std::sync::LazyLock;

use memchr::memmem;
use serde::Deserialize;

/// Finds the tokens that an answer has cost, while it passes in pieces: in JSON, or in the events of a stream.
///
/// It looks for the name `"usage"` and reads the object after it; within the strings of JSON, quotes are escaped, so
/// that what a model writes is never taken for it.
#[derive(Clone, Debug, Default)]
pub struct UsageReader {
    at: ReadState,
    input: Option<u64>,
    output: Option<u64>,
    total: Option<u64>,
}

/// How far it has come.
#[derive(Clone, Debug)]
enum ReadState {
    /// So much of the name is there.
    Name(usize),
    /// The name is there, and perhaps the colon.
    Colon { seen: bool },
    /// The object is there in part.
    Object(UsageObject),
}

/// An object as far as it has come: it ends with the brace that closes the first.
#[derive(Clone, Debug, Default)]
struct UsageObject {
    text: Vec<u8>,
    depth: usize,
    in_string: bool,
    is_escaped: bool,
}

/// What an upstream says it has counted; the names are OpenAI's, those of its older endpoints, and Anthropic's.
#[derive(Deserialize)]
struct TokenUsage {
    #[serde(rename = "total_tokens")]
    total: Option<u64>,
    #[serde(rename = "input_tokens")]
    input: Option<u64>,
    #[serde(rename = "output_tokens")]
    output: Option<u64>,
    #[serde(rename = "prompt_tokens")]
    prompt: Option<u64>,
    #[serde(rename = "completion_tokens")]
    completion: Option<u64>,
}

const NAME: &[u8] = b"\"usage\"";

/// Looks for the name; made once, as that costs more than to look through a short answer.
static NAME_FINDER: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(NAME));

/// Most usage objects are shorter. A guess: with all their details they have some hundred bytes.
const USUAL: usize = 512;

/// No usage object is longer. A guess: many times what they have.
const LONGEST: usize = 4096;

impl UsageReader {
    /// The next piece of the body.
    pub fn push(&mut self, mut piece: &[u8]) {
        while let Some((&first, rest)) = piece.split_first() {
            (self.at, piece) = match mem::take(&mut self.at) {
                ReadState::Name(0) => seek(piece),
                ReadState::Name(matched) => (after_name(matched, first), rest),
                ReadState::Colon { seen } => (after_colon(seen, first), rest),
                ReadState::Object(object) => self.within(object, piece),
            };
        }
    }

    /// What the answer has cost in all, as far as it has said so.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// To the end of the object, or of the piece.
    fn within<'p>(&mut self, mut object: UsageObject, piece: &'p [u8]) -> (ReadState, &'p [u8]) {
        let rest = object.push(piece);
        if object.depth == 0 {
            self.note(&object.text);
            return (ReadState::default(), rest);
        }
        (if object.text.len() < LONGEST { ReadState::Object(object) } else { ReadState::default() }, rest)
    }

    /// Anthropic tells the input as a stream begins, and the output as it ends.
    fn note(&mut self, object: &[u8]) {
        let Ok(usage) = serde_json::from_slice::<TokenUsage>(object) else { return };
        let (input, output) = (usage.input.or(usage.prompt), usage.output.or(usage.completion));
        self.input = input.or(self.input);
        self.output = output.or(self.output);
        let sum = || self.input.unwrap_or(0).saturating_add(self.output.unwrap_or(0));
        self.total = usage.total.or_else(|| input.or(output).map(|_| sum())).or(self.total);
    }
}

impl Write for UsageReader {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.push(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Default for ReadState {
    fn default() -> Self {
        Self::Name(0)
    }
}

impl UsageObject {
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

/// To the end of the first name in the piece, or of the piece, where a name may have begun.
fn seek(piece: &[u8]) -> (ReadState, &[u8]) {
    if let Some(at) = NAME_FINDER.find(piece) {
        return (ReadState::Colon { seen: false }, &piece[at + NAME.len()..]);
    }
    let begun = (1..NAME.len()).rev().find(|&begun| piece.ends_with(&NAME[..begun]));
    (ReadState::Name(begun.unwrap_or(0)), &[])
}

fn after_name(matched: usize, byte: u8) -> ReadState {
    if byte != NAME[matched] {
        return ReadState::Name(usize::from(byte == NAME[0]));
    }
    if matched + 1 == NAME.len() { ReadState::Colon { seen: false } } else { ReadState::Name(matched + 1) }
}

fn after_colon(seen: bool, byte: u8) -> ReadState {
    match byte {
        b' ' | b'\t' | b'\r' | b'\n' => ReadState::Colon { seen },
        b':' if !seen => ReadState::Colon { seen: true },
        b'{' if seen => ReadState::Object(UsageObject::begin()),
        _ => ReadState::Name(usize::from(byte == NAME[0])),
    }
}
