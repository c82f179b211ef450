use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::key::Key;
use super::scope::{ancestors, changed};

/// Which calls are under way, `F`, and which answers, `A`, still serve. Resources are paths that end with a `/`.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use std::time::{Duration, Instant};
/// use tidegate_core::coalesce::{Board, Found, Key};
///
/// let key = Key::new("/v1/files/f", [("authorization", &b"Bearer one"[..])].into_iter());
/// let (file, reuse, now) = ("/v1/files/f/", Duration::from_millis(500), Instant::now());
/// let mut board = Board::new(1_000);
///
/// // Nothing serves the first request, so it begins a call. The second one joins that.
/// assert_eq!(board.find(now, file, &key, reuse), None);
/// let call = Arc::new("a call");
/// let ticket = board.begin(file, &key, &call);
/// assert_eq!(board.find(now, file, &key, reuse), Some(Found::Flying(call)));
///
/// // The answer serves for half a second, and no other credential.
/// assert!(board.land(now, &ticket, "an answer"));
/// assert_eq!(board.find(now, file, &key, reuse), Some(Found::Landed("an answer")));
/// assert_eq!(board.find(now + reuse, file, &key, reuse), None);
/// let other = Key::new("/v1/files/f", [("authorization", &b"Bearer two"[..])].into_iter());
/// assert_eq!(board.find(now, file, &other, reuse), None);
///
/// // A write to the file ends all of it.
/// board.wrote(file);
/// assert_eq!(board.find(now, file, &key, reuse), None);
/// ```
#[derive(Debug)]
pub struct Board<F, A> {
    resources: BTreeMap<String, HashMap<Key, Entry<F, A>>>,
    count: usize,
    most: usize,
    next: u64,
}

#[derive(Debug)]
struct Entry<F, A> {
    number: u64,
    stage: Stage<F, A>,
}

#[derive(Debug)]
enum Stage<F, A> {
    /// Held by those who want it only.
    Flying(Weak<F>),
    Landed {
        at: Instant,
        answer: A,
    },
}

/// What serves a request without a call of its own.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<F, A> {
    /// A call that is under way.
    Flying(Arc<F>),
    /// An answer that has just come.
    Landed(A),
}

/// A call's place on the board. A write under its resource takes it away.
#[derive(Debug)]
pub struct Ticket {
    resource: String,
    key: Key,
    number: u64,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl<F, A: Clone> Board<F, A> {
    /// A board with room for so many.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { resources: BTreeMap::new(), count: 0, most, next: 0 }
    }

    /// What serves a request that comes now, if an answer serves for so long.
    #[must_use]
    pub fn find(&self, now: Instant, resource: &str, key: &Key, reuse: Duration) -> Option<Found<F, A>> {
        match &self.resources.get(resource)?.get(key)?.stage {
            Stage::Flying(flight) => flight.upgrade().map(Found::Flying),
            Stage::Landed { at, answer } => {
                (now.saturating_duration_since(*at) < reuse).then(|| Found::Landed(answer.clone()))
            }
        }
    }

    /// Whether one more call may begin.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.count < self.most
    }

    /// A call begins, and has a place until that is given back by [`Self::forget`].
    pub fn begin(&mut self, resource: &str, key: &Key, flight: &Arc<F>) -> Ticket {
        self.next += 1;
        let entry = Entry { number: self.next, stage: Stage::Flying(Arc::downgrade(flight)) };
        let before = self.resources.entry(resource.to_owned()).or_default().insert(*key, entry);
        self.count += usize::from(before.is_none());
        Ticket { resource: resource.to_owned(), key: *key, number: self.next }
    }

    /// The answer has come whole and serves from now on, unless a write went through meanwhile. Says whether it does.
    pub fn land(&mut self, now: Instant, ticket: &Ticket, answer: A) -> bool {
        let entry = self.resources.get_mut(&ticket.resource).and_then(|entries| entries.get_mut(&ticket.key));
        let Some(entry) = entry.filter(|entry| entry.number == ticket.number) else { return false };
        entry.stage = Stage::Landed { at: now, answer };
        true
    }

    /// From now on it serves nobody who comes.
    pub fn forget(&mut self, ticket: &Ticket) {
        let Some(entries) = self.resources.get_mut(&ticket.resource) else { return };
        if entries.get(&ticket.key).is_some_and(|entry| entry.number == ticket.number) {
            entries.remove(&ticket.key);
            self.count -= 1;
        }
        if entries.is_empty() {
            self.resources.remove(&ticket.resource);
        }
    }

    /// A write to this path begins, or has been answered: nothing that began before serves those who come after.
    pub fn wrote(&mut self, path: &str) {
        ancestors(path).for_each(|resource| self.clear(resource));
        if let Some(changed) = changed(path) {
            let parts = self.resources.range(changed.to_owned()..).map(|(resource, _)| resource);
            let parts: Vec<String> = parts.take_while(|resource| resource.starts_with(changed)).cloned().collect();
            parts.iter().for_each(|resource| self.clear(resource));
        }
    }

    fn clear(&mut self, resource: &str) {
        self.count -= self.resources.remove(resource).map_or(0, |entries| entries.len());
    }

    /// How many calls and answers there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }
}
