use std::collections::{BTreeMap, HashMap};
use std::ops::Bound::{Included, Unbounded};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::call_id::CallId;
use super::key::Key;
use super::scope::{ancestors, changed};
use super::shareable::Shareable;

/// What serves a request that comes now: by resource, so that a write finds all that it changes, and by key below it.
///
/// Each saved answer has one entry in `expiries`, and each entry there belongs to a saved answer.
#[derive(Debug)]
pub(super) struct InflightMap<A> {
    resources: BTreeMap<Arc<str>, HashMap<Key, Slot<A>>>,
    expiries: BTreeMap<Expiry, Place>,
}

/// Where a call or its answer is found.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) resource: Arc<str>,
    pub(super) key: Key,
}

/// What serves a request.
#[derive(Debug)]
pub(super) enum Found<A> {
    Call(CallId),
    Saved { answer: A, is_final: bool },
}

#[derive(Debug)]
enum Slot<A> {
    Call(CallId),
    Saved {
        at: Instant,
        expiry: Expiry,
        answer: A,
        /// Whether it says that the thing will not change any more.
        is_final: bool,
    },
}

/// When an answer expires, and the number of the call that it came from: no two are the same.
type Expiry = (Instant, u64);

impl<A: Clone> InflightMap<A> {
    pub(super) fn new() -> Self {
        Self { resources: BTreeMap::new(), expiries: BTreeMap::new() }
    }

    /// What serves a request that comes now, if an answer serves it for so long.
    pub(super) fn find(&self, now: Instant, wanted: &Shareable, reuse: Duration) -> Option<Found<A>> {
        match self.resources.get(&*wanted.resource)?.get(&wanted.key)? {
            Slot::Call(id) => Some(Found::Call(*id)),
            Slot::Saved { at, expiry: (until, _), answer, is_final } => {
                let serves = now < *until && now.saturating_duration_since(*at) < reuse;
                serves.then(|| Found::Saved { answer: answer.clone(), is_final: *is_final })
            }
        }
    }

    /// A call can be joined from now on. An answer that was there has expired.
    pub(super) fn start(&mut self, place: Place, id: CallId) {
        self.insert(place, Slot::Call(id));
    }

    /// A call can be joined no longer. Says whether it could until now.
    pub(super) fn end(&mut self, Place { resource, key }: &Place, id: CallId) -> bool {
        let Some(slots) = self.resources.get_mut(resource) else { return false };
        let is_current = matches!(slots.get(key), Some(Slot::Call(current)) if *current == id);
        if is_current {
            slots.remove(key);
        }
        if slots.is_empty() {
            self.resources.remove(resource);
        }
        is_current
    }

    /// An answer serves from now until then.
    pub(super) fn save(&mut self, place: Place, number: u64, serves: Range<Instant>, answer: A, is_final: bool) {
        let expiry = (serves.end, number);
        self.expiries.insert(expiry, place.clone());
        self.insert(place, Slot::Saved { at: serves.start, expiry, answer, is_final });
    }

    fn insert(&mut self, Place { resource, key }: Place, slot: Slot<A>) {
        if let Some(Slot::Saved { expiry, .. }) = self.resources.entry(resource).or_default().insert(key, slot) {
            self.expiries.remove(&expiry);
        }
    }

    /// A write to this resource ends all that lies above it, and below what it may change.
    pub(super) fn invalidate(&mut self, resource: &str) {
        ancestors(resource).for_each(|above| self.clear(above));
        let Some(changed) = changed(resource) else { return };
        while let Some((below, _)) = self.resources.range::<str, _>((Included(changed), Unbounded)).next() {
            if !below.starts_with(changed) {
                return;
            }
            let below = Arc::clone(below);
            self.clear(&below);
        }
    }

    fn clear(&mut self, resource: &str) {
        for slot in self.resources.remove(resource).into_iter().flat_map(HashMap::into_values) {
            if let Slot::Saved { expiry, .. } = slot {
                self.expiries.remove(&expiry);
            }
        }
    }

    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.expiries.first_key_value().map(|((until, _), _)| *until)
    }

    /// Forgets the answers that serve no longer.
    pub(super) fn expire(&mut self, now: Instant) {
        while self.next_expiry().is_some_and(|until| until <= now) {
            let Some((_, Place { resource, key })) = self.expiries.pop_first() else { return };
            let Some(slots) = self.resources.get_mut(&resource) else { continue };
            slots.remove(&key);
            if slots.is_empty() {
                self.resources.remove(&resource);
            }
        }
    }

    /// The number of answers.
    pub(super) fn saved(&self) -> usize {
        self.expiries.len()
    }
}
