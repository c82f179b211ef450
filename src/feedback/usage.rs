/// Finds the tokens that an answer has cost, while it passes in pieces: in JSON, or in the events of a stream.
#[derive(Clone, Debug, Default)]
pub struct UsageReader {
    total: Option<u64>,
}

impl UsageReader {
    /// The next piece of the body.
    pub fn push(&mut self, _piece: &[u8]) {}

    /// What the answer has cost in all, as far as it has said so.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        self.total
    }
}
