use std::sync::Arc;

use smallvec::SmallVec;

/// A route of the configuration, by its place in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteId(pub usize);

/// What the table says of a request.
#[derive(Clone, Debug)]
pub struct Found {
    /// The route, and for a disguised path also those that it has in its other readings.
    pub(super) matches: SmallVec<[Match; 1]>,
    pub(super) is_mixed: bool,
}

/// A route with what its path parameters hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) route: RouteId,
    pub(super) params: Params,
    pub(super) lacks_v1: bool,
    /// How many segments stand before the path of the route, as the base path of some provider.
    pub(super) base: usize,
    /// Where a key asks for it.
    pub(super) endpoint: Option<String>,
}

impl Match {
    /// What a parameter of the path holds.
    pub(super) fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(param, _)| **param == *name).map(|(_, value)| &**value)
    }
}

/// The path parameters of a request.
pub(super) type Params = SmallVec<[(Arc<str>, String); 2]>;

impl Found {
    /// The route that the request goes by.
    #[must_use]
    pub fn route(&self) -> RouteId {
        self.matches[0].route
    }

    /// The other routes that a disguised path has, in other readings of it.
    pub fn others(&self) -> impl Iterator<Item = RouteId> {
        self.matches[1..].iter().map(|found| found.route).filter(|&route| route != self.route())
    }

    /// Whether the path is disguised in so many ways at once that no one can say how the upstream reads it.
    #[must_use]
    pub fn is_mixed(&self) -> bool {
        self.is_mixed
    }

    /// Whether the path lacks the `/v1` that the route has: some users forget it in their base URL.
    #[must_use]
    pub fn lacks_v1(&self) -> bool {
        self.matches[0].lacks_v1
    }

    /// Whether the base path of some provider stands before the path that the route has, in place of `/v1`.
    #[must_use]
    pub fn has_base(&self) -> bool {
        self.matches[0].base > 0
    }
}
