use std::collections::BTreeMap;
use std::time::Instant;

use smallvec::SmallVec;

use crate::limit::{Charge, InstanceId, LaterCharge};
use crate::queue::Seq;

/// Room that is reserved for heads that need several pools.
///
/// A head may be first at each of its pools, while one of them stops it until a known instant. Then its room in the other
/// pools is reserved for that instant. Other requests may go before it only if that room remains (known as *EASY
/// backfilling*). So the head goes when the last of its pools has room. Without reservations it could be overtaken for ever
/// where two pools are never free at the same moment. Of several reservations in a pool the one of the oldest request
/// counts, and it does not bind older heads that have reservations of their own: so no two of them wait for each other.
#[derive(Clone, Debug, Default)]
pub(super) struct Backfill {
    /// By the instance that keeps the head.
    by_stop: BTreeMap<InstanceId, HeadReservation>,
    /// By the instance of which it takes, oldest first.
    on: BTreeMap<(InstanceId, Seq), LaterCharge>,
}

/// What one head keeps.
#[derive(Clone, Debug)]
pub(super) struct HeadReservation {
    pub(super) seq: Seq,
    pub(super) on: SmallVec<[InstanceId; 2]>,
}

impl Backfill {
    /// Keeps room for a head that is kept by `stop` until `at`.
    pub(super) fn make(&mut self, stop: InstanceId, seq: Seq, charges: &[Charge], at: Instant) {
        let others = charges.iter().filter(|charge| charge.instance != stop);
        self.on.extend(others.clone().map(|charge| ((charge.instance, seq), LaterCharge { cost: charge.cost, at })));
        self.by_stop.insert(stop, HeadReservation { seq, on: others.map(|charge| charge.instance).collect() });
    }

    /// Ends that of the head which this instance keeps.
    pub(super) fn end(&mut self, stop: InstanceId) -> Option<HeadReservation> {
        let ended = self.by_stop.remove(&stop)?;
        for &instance in &ended.on {
            self.on.remove(&(instance, ended.seq));
        }
        Some(ended)
    }

    /// Whether the head that this instance keeps is the same as before it was ended.
    pub(super) fn is_made_again(&self, stop: InstanceId, ended: &HeadReservation) -> bool {
        self.by_stop.get(&stop).is_some_and(|made| made.seq == ended.seq)
    }

    /// What is reserved of an instance for another head: for one older than `holder`, if that has reservations itself.
    pub(super) fn binding(&self, holder: Option<Seq>, instance: InstanceId) -> Option<LaterCharge> {
        if self.on.is_empty() {
            return None;
        }
        let oldest = self.on.range((instance, Seq::FIRST)..(instance, holder.unwrap_or(Seq::LAST))).next();
        oldest.map(|(_, &later)| later)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
