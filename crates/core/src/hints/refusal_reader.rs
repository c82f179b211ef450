use std::io::{self, Write};
use std::sync::LazyLock;

use http::HeaderMap;
use memchr::memmem::Finder;

use super::classify::classify_refusal;
use super::error_body::ErrorBody;
use super::meaning::{MANY, Meanings, cause_of};
use super::message::RefusalMessage;
use super::object_reader::ObjectReader;
use super::{Pushback, UpstreamResponse};

/// Finds a refusal that an upstream tells behind a `200`, while the events of a stream pass in pieces: an `event: error`, the
/// `error` of a response that has failed, or the `last_error` of a run (OpenAI's and Anthropic's API references, 2026-12-01).
#[derive(Clone, Debug)]
pub struct RefusalReader {
    objects: ObjectReader,
    error: Option<Vec<u8>>,
}

/// Of `"error"` and of `"last_error"`.
static NAME: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"error\""));

impl Default for RefusalReader {
    fn default() -> Self {
        Self { objects: ObjectReader::new(&NAME), error: None }
    }
}

impl RefusalReader {
    /// The next piece of the body.
    pub fn push(&mut self, piece: &[u8]) {
        let Self { objects, error } = self;
        objects.push(piece, |object| {
            error.get_or_insert_with(|| object.to_vec());
        });
    }

    /// Whether an error has come.
    #[must_use]
    pub fn has_error(&self) -> bool {
        self.error.is_some()
    }

    /// What the first error means, once it is here and if it is a refusal: by its code, its type or its words, as its status says
    /// nothing.
    #[must_use]
    pub fn refusal(&self, meanings: &Meanings) -> Option<Pushback> {
        let error = self.error.as_ref()?;
        let body = [b"{\"error\":", &error[..], b"}"].concat();
        let said = ErrorBody::read(&body);
        let known = meanings.of(MANY, &said).or_else(|| cause_of(MANY, &said, &RefusalMessage::of(&said.message)));
        known?;
        let headers = HeaderMap::new();
        let response =
            UpstreamResponse { status: MANY, headers: &headers, body: &body, now: std::time::Duration::ZERO };
        classify_refusal(&response, meanings)
    }
}

impl Write for RefusalReader {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.push(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
