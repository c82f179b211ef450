use super::key::Key;
use super::own::wants_its_own;
use crate::route::resources;

/// What a GET asks for that other requests may ask for as well.
#[derive(Clone, Debug)]
pub struct Shareable {
    pub(super) resource: String,
    pub(super) key: Key,
}

/// The longest path of what is shared, in bytes. A guess: it bounds the memory, and no thing that is polled has a
/// longer one.
const LONGEST_PATH: usize = 1 << 10;

impl Shareable {
    /// What a GET of this target, without a body, asks for that the upstream gets with these headers; names are in lower
    /// case. None if it wants an answer of its own ([`wants_its_own`]), or its path can be read in more than one way.
    #[must_use]
    pub fn new<'h>(target: &str, headers: impl Iterator<Item = (&'h str, &'h [u8])> + Clone) -> Option<Self> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if wants_its_own(query, headers.clone()) {
            return None;
        }
        let [resource] = resources(path).into_inner().ok()?;
        (resource.len() <= LONGEST_PATH).then(|| Self { resource, key: Key::new(target, headers) })
    }
}
