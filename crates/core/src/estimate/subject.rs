use smallvec::SmallVec;

use crate::route::RouteId;

/// How many kinds of keys are looked at: the account, the model, and one path parameter.
pub(super) const KEYS: usize = 3;

/// What a limit may be counted by, beside the pool and the route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyKind {
    /// The credential's account.
    Account,
    /// The model that is asked for.
    Model,
    /// A path parameter, for example `thread_id`.
    Path,
}

impl KeyKind {
    pub(super) const ALL: [Self; KEYS] = [Self::Account, Self::Model, Self::Path];

    pub(super) fn index(self) -> usize {
        self as usize
    }
}

/// A request, as far as limits may depend on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The pool instances that it takes from, by their place.
    pub pools: SmallVec<[u16; 2]>,
    /// Its route.
    pub route: RouteId,
    /// A hash of each key's value that it has.
    pub keys: [Option<u64>; KEYS],
}
