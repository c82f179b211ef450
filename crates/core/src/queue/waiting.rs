use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::time::Instant;

use smallvec::SmallVec;

use crate::limit::{Charge, InstanceId};
use crate::route::{Priority, RouteId};

/// What a request takes, one charge a pool instance.
pub type Charges = SmallVec<[Charge; 2]>;

/// A client that shares the pools with others. The number tells clients apart and does not give them away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

impl ClientId {
    /// Its share of what clients have in turns: one where it has no other.
    pub(super) fn weight_in(self, weights: &HashMap<Self, NonZeroU32>) -> u32 {
        if weights.is_empty() { 1 } else { weights.get(&self).map_or(1, |weight| weight.get()) }
    }
}

/// As people speak of it.
impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client-{:016x}", self.0)
    }
}

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

/// The requests of one line, in short.
#[derive(Clone, Debug)]
pub struct LineSummary {
    /// What they have in common.
    pub flow: Flow,
    /// How many they are.
    pub count: usize,
    /// The instance that its head waits for.
    pub stopped_at: InstanceId,
    /// When its head came.
    pub oldest: Instant,
}

/// The client comes back after a refusal, as the official SDKs do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Returns {
    /// What it asks for.
    pub route: RouteId,
    /// How often it still comes.
    pub left: u32,
}
