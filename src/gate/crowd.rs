use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The connections that a listener has accepted: no more than there is room for, of which those that are idle leave when
/// others come.
#[derive(Debug)]
pub(crate) struct Crowd {
    places: Arc<Semaphore>,
    closing: CancellationToken,
    /// Cancelled, and replaced, when connections that are idle are to leave.
    leaving: Mutex<CancellationToken>,
    told: Mutex<Option<Instant>>,
}

/// A connection's place among them.
#[derive(Debug)]
pub(crate) struct CrowdPlace {
    _permit: OwnedSemaphorePermit,
    leaving: CancellationToken,
}

/// How many descriptors are kept for what is neither a client nor the upstream: the admin port, the log, name servers. A
/// guess: twice what they need.
const RESERVED: u64 = 320;

/// How many there may be of a crowd whatever the system says.
const LEAST: u64 = 16;

/// How often the log says that there is no room. A guess.
const TELL: Duration = Duration::from_mins(1);

impl Crowd {
    pub(crate) fn new(most: usize) -> Self {
        let closing = CancellationToken::new();
        let leaving = Mutex::new(closing.child_token());
        Self { places: Arc::new(Semaphore::new(most)), closing, leaving, told: Mutex::default() }
    }

    /// Clients: as many as leave a descriptor for each request that may be in flight, or half of all.
    pub(super) fn of_clients(max_in_flight: u64) -> Self {
        Self::new(usize::try_from(most_clients(descriptors(), max_in_flight)).unwrap_or(Semaphore::MAX_PERMITS))
    }

    /// Of pages and probes: no more than `most`, nor than an eighth of the descriptors.
    pub(crate) fn of_pages(most: usize) -> Self {
        let few = usize::try_from(descriptors() / 8).unwrap_or(most);
        Self::new(most.min(few).max(1))
    }

    /// A place, once there is one. What is idle leaves if there is none. May be dropped at any time.
    pub(crate) async fn place(&self) -> CrowdPlace {
        if self.places.available_permits() == 0 {
            self.tell("as many connections as there is room for: those that are idle are closed");
            self.thin();
        }
        let permit = Arc::clone(&self.places).acquire_owned().await.expect("it is never closed");
        // A token of its own: all connections would take turns at the lock of a shared one. It is there with the place, so that
        // who comes next has this one leave, too.
        let leaving = self.leaving.lock().unwrap_or_else(PoisonError::into_inner).child_token();
        CrowdPlace { _permit: permit, leaving }
    }

    /// Says it to the log, unless something was said a moment ago.
    pub(crate) fn tell(&self, what: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| told.elapsed() >= TELL) {
            *told = Some(Instant::now());
            tracing::warn!("{what}");
        }
    }

    fn thin(&self) {
        let mut leaving = self.leaving.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *leaving, self.closing.child_token()).cancel();
    }

    /// Whether every connection is to leave.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.is_cancelled()
    }

    /// Has every connection leave.
    pub(crate) fn close(&self) {
        self.closing.cancel();
    }
}

impl CrowdPlace {
    /// Cancelled when the connection is to end with what is under way on it.
    pub(crate) fn leaving(&self) -> &CancellationToken {
        &self.leaving
    }
}

/// How many files the process may have open.
fn descriptors() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

fn most_clients(descriptors: u64, max_in_flight: u64) -> u64 {
    let free = descriptors - RESERVED.min(descriptors / 4);
    (free - max_in_flight.min(free / 2)).clamp(LEAST, Semaphore::MAX_PERMITS as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_leave_descriptors_for_all_else() {
        for (descriptors, max_in_flight, clients) in [
            (1_024, 10_000, 384),
            (20_000, 10_000, 9_840),
            (1_048_576, 10_000, 1_038_256),
            (20_000, 50, 19_630),
            (8, 1, 16),
        ] {
            assert_eq!(most_clients(descriptors, max_in_flight), clients, "{descriptors} {max_in_flight}");
        }
    }

    #[tokio::test]
    async fn idle_connections_leave_when_others_come() {
        let crowd = Crowd::new(1);
        let place = crowd.place().await;
        assert!(!place.leaving().is_cancelled());
        let idle = tokio::spawn(async move { place.leaving().cancelled().await });
        let second = crowd.place().await;
        assert!(!second.leaving().is_cancelled());
        idle.await.expect("no panic");
    }

    #[tokio::test]
    async fn connection_that_has_not_begun_leaves_too() {
        let crowd = Crowd::new(1);
        let place = crowd.place().await;
        let next = crowd.place();
        let waits = tokio::time::timeout(Duration::ZERO, next).await;
        assert!(waits.is_err() && place.leaving().is_cancelled());
    }
}
