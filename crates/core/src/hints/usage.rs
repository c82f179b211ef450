use std::io::{self, Write};
use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::Deserialize;

use super::object_reader::ObjectReader;

/// Finds the tokens that an answer has cost, while it passes in pieces: in JSON, or in the events of a stream.
///
/// It looks for the name `"usage"` and reads the object after it.
#[derive(Clone, Debug)]
pub struct UsageReader {
    objects: ObjectReader,
    usage: Usage,
}

/// What has been said so far.
#[derive(Clone, Copy, Debug, Default)]
struct Usage {
    input: Option<u64>,
    output: Option<u64>,
    total: Option<u64>,
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

/// Looks for the name; made once, as that costs more than to look through a short answer.
static NAME: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"usage\""));

impl Default for UsageReader {
    fn default() -> Self {
        Self { objects: ObjectReader::new(&NAME), usage: Usage::default() }
    }
}

impl UsageReader {
    /// The next piece of the body.
    pub fn push(&mut self, piece: &[u8]) {
        let Self { objects, usage } = self;
        objects.push(piece, |object| usage.note(object));
    }

    /// What the answer has cost in all, as far as it has said so.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        self.usage.total
    }
}

impl Usage {
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
