use std::sync::atomic::{AtomicU64, Ordering};

use super::books::{Counted, Refused};
use super::{Coalesced, Gate};
use crate::admission::ClientId;

/// How many connections of clients there are and have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// Are there.
    pub open: u64,
    /// Have gone.
    pub closed: u64,
}

/// Counts connections as they come and go.
#[derive(Debug, Default)]
pub(super) struct Doorbell {
    opened: AtomicU64,
    closed: AtomicU64,
}

/// One connection, until it is dropped.
pub(super) struct Visit<'d>(&'d Doorbell);

impl Doorbell {
    pub(super) fn visit(&self) -> Visit<'_> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        Visit(self)
    }

    /// Of those that have closed it is known that they have opened, so that none is missed where one is closing.
    fn connections(&self) -> Connections {
        let closed = self.closed.load(Ordering::Acquire);
        Connections { open: self.opened.load(Ordering::Relaxed).saturating_sub(closed), closed }
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.0.closed.fetch_add(1, Ordering::Release);
    }
}

/// What can be seen of a gate that serves.
impl Gate {
    /// How many connections of clients there are and have been.
    #[must_use]
    pub fn connections(&self) -> Connections {
        self.shared.doorbell.connections()
    }

    /// How much is held of bodies, and how much may be, in bytes.
    #[must_use]
    pub fn buffered(&self) -> (u64, u64) {
        (self.shared.bodies.held(), self.shared.bodies.most())
    }

    /// What has come of the requests of each route, in the order of the table.
    #[must_use]
    pub fn by_route(&self) -> Vec<Counted> {
        self.shared.books.routes()
    }

    /// What has come of the requests of each client that is told apart, who asks most first; and of the others.
    #[must_use]
    pub fn by_client(&self) -> (Vec<(ClientId, Counted)>, Counted) {
        self.shared.books.clients()
    }

    /// How many requests the gate has refused, by what.
    #[must_use]
    pub fn refusals(&self) -> Vec<(Refused, u64)> {
        self.shared.books.refusals()
    }

    /// What came of the GETs of each route that shares them.
    #[must_use]
    pub fn coalesced(&self) -> Vec<Coalesced> {
        self.shared.sharing.coalesced(&self.shared.routes)
    }
}
