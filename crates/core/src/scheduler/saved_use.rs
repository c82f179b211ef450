use std::time::Instant;

use crate::limit::{NamedCharges, SavedPool};
use crate::queue::ClientId;
use crate::route::{Priority, RouteId};

/// What is used of one pool instance, and when clients may come back to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedInstanceUse {
    /// What is used.
    pub pool: SavedPool,
    /// When the next client may come back, if one was told a time that may still lie ahead.
    pub next_retry: Option<Instant>,
    /// How many requests had been sent in all when this was so: later ones are not in it.
    pub sent: u64,
}

/// The place of a client that comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedRetry {
    /// Whose it is.
    pub client: ClientId,
    /// Before whom it goes.
    pub priority: Priority,
    /// What it asks for.
    pub route: RouteId,
    /// Of which pools, by which keys, and how much.
    pub charges: NamedCharges,
    /// When its turn would have come.
    pub turn: Instant,
    /// How long its place is kept.
    pub ends: Instant,
}
