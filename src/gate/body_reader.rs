use std::io::{self, Write};

use crate::hints::{RefusalReader, UsageReader};

/// What is looked for in the body of a response that passes.
#[derive(Default)]
pub(super) struct BodyReader {
    /// The tokens that it has cost, where a pool counts them.
    pub(super) usage: Option<UsageReader>,
    /// A refusal behind a `200`, in an event stream.
    pub(super) refusal: Option<RefusalReader>,
}

impl Write for BodyReader {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.usage.iter_mut().for_each(|usage| usage.push(piece));
        self.refusal.iter_mut().for_each(|refusal| refusal.push(piece));
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
