use std::time::{Duration, Instant};

use crate::queue::{ClientId, Seq};
use crate::route::{Priority, RouteId};

/// A request for places in its pools: whose it is, and how it may wait.
#[derive(Clone, Copy, Debug, Default)]
pub struct AdmissionRequest {
    /// Whose share it comes from.
    pub client: ClientId,
    /// Before whom it goes.
    pub priority: Priority,
    /// How long it will wait by its own account; the pools' `max_wait` may be shorter.
    pub patience: Option<Duration>,
    /// Which kind of request it is.
    pub route: RouteId,
    /// How often the same request was refused before and came again; nothing if its client does not say.
    pub returns: Option<u32>,
    /// How much memory it takes while it waits.
    pub bytes: u64,
    /// Where it stands if it went before, and the upstream refused it.
    pub position: Option<QueuePosition>,
}

/// The position of a sent request in the order of arrival. If the upstream refuses it, it asks again from there: no later
/// request goes first, and the time that it waited before counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueuePosition {
    pub(super) seq: Seq,
    pub(super) arrived: Instant,
}

impl QueuePosition {
    /// When the request came for the first time.
    #[must_use]
    pub fn arrived(&self) -> Instant {
        self.arrived
    }

    /// The place of one who takes from no pool.
    #[must_use]
    pub fn nowhere(arrived: Instant) -> Self {
        Self { seq: Seq::FIRST, arrived }
    }
}
