use std::time::Duration;

use crate::queue::ClientId;
use crate::route::{Priority, RouteId};

/// Who asks for places, and what he may expect.
#[derive(Clone, Copy, Debug, Default)]
pub struct Applicant {
    /// Whose share it comes from.
    pub client: ClientId,
    /// Before whom it goes.
    pub priority: Priority,
    /// How long it will wait by its own account; the pools' `max_wait` may be shorter.
    pub patience: Option<Duration>,
    /// Which kind of request it is.
    pub route: RouteId,
    /// How often the same request has been refused and come again; nothing if its client does not say.
    pub returns: Option<u32>,
    /// How much memory it takes while it waits.
    pub bytes: u64,
}
