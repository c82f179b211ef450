use std::time::Instant;

use smallvec::SmallVec;

use super::{Charges, ClientId};
use crate::limit::InstanceId;
use crate::route::{Priority, RouteId};

/// A request that waits.
#[derive(Clone, Debug)]
pub struct QueuedRequest<W> {
    /// What it takes.
    pub charges: Charges,
    /// When it came.
    pub arrived: Instant,
    /// When its turn would come, as it was told.
    pub turn: Instant,
    /// When it no longer wants to go.
    pub deadline: Instant,
    /// How much memory it takes, in bytes.
    pub bytes: u64,
    /// Whether it comes back if it is refused.
    pub returns: Option<Returns>,
    /// Whom to tell.
    pub waiter: W,
}

/// What requests have in common that stand in one line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// Whose they are.
    pub client: ClientId,
    /// Before whom they go.
    pub priority: Priority,
    /// What they need.
    pub pools: SmallVec<[InstanceId; 2]>,
}

/// Somebody who is refused comes back, as the official SDKs do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Returns {
    /// What it asks for.
    pub route: RouteId,
    /// How often it still comes.
    pub left: u32,
}
