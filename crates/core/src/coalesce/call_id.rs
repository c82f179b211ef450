use std::fmt;

/// A slot of the slab, and the number of the call in it: slots are used again, numbers are not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct CallId {
    pub(super) slot: usize,
    pub(super) number: u64,
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call {}", self.number)
    }
}
