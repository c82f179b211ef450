use super::traffic::ClientGroup;
use crate::route::{Body, Facts};

/// What decides the keys and costs of a simulated request.
pub(super) struct SimulatedFacts<'s> {
    pub(super) sender: &'s ClientGroup,
    pub(super) body: Option<&'s Body<'s>>,
    /// Its recorded tokens.
    pub(super) tokens: Option<u32>,
}

impl Facts for SimulatedFacts<'_> {
    fn header(&self, name: &str) -> Option<&[u8]> {
        self.sender.header(name)
    }

    fn body(&self) -> Option<&Body<'_>> {
        self.body
    }

    fn tokens(&self) -> Option<u32> {
        self.tokens.or(self.sender.tokens).or_else(|| self.body.map(Body::tokens))
    }
}
