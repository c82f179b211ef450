use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::{Seq, Waiting};
use crate::limit::InstanceId;

/// Those who need the same pools, first in, first out.
#[derive(Debug)]
pub(super) struct Line<W> {
    pub(super) pools: SmallVec<[InstanceId; 2]>,
    /// The instance that keeps the head.
    pub(super) stopped_at: InstanceId,
    waiting: BTreeMap<Seq, Waiting<W>>,
    /// What all of the line take, one number a pool.
    taken: SmallVec<[u64; 2]>,
}

impl<W> Line<W> {
    pub(super) fn new(pools: SmallVec<[InstanceId; 2]>, stopped_at: InstanceId) -> Self {
        let taken = SmallVec::from_elem(0, pools.len());
        Self { pools, stopped_at, waiting: BTreeMap::new(), taken }
    }

    /// Adds to the end; whether it is the head.
    pub(super) fn push(&mut self, seq: Seq, waiting: Waiting<W>) -> bool {
        for (taken, charge) in self.taken.iter_mut().zip(&waiting.charges) {
            *taken += u64::from(charge.cost);
        }
        self.waiting.insert(seq, waiting);
        self.waiting.len() == 1
    }

    pub(super) fn remove(&mut self, seq: Seq) -> Option<Waiting<W>> {
        let waiting = self.waiting.remove(&seq)?;
        for (taken, charge) in self.taken.iter_mut().zip(&waiting.charges) {
            *taken -= u64::from(charge.cost);
        }
        Some(waiting)
    }

    pub(super) fn head(&self) -> Option<&Waiting<W>> {
        self.waiting.first_key_value().map(|(_, waiting)| waiting)
    }

    pub(super) fn head_seq(&self) -> Option<Seq> {
        self.waiting.first_key_value().map(|(&seq, _)| seq)
    }

    /// What all of the line take of one of its pools.
    pub(super) fn taken_of(&self, instance: InstanceId) -> u64 {
        let pool = self.pools.iter().position(|&pool| pool == instance);
        pool.map_or(0, |index| self.taken[index])
    }

    pub(super) fn into_waiting(self) -> impl Iterator<Item = Waiting<W>> {
        self.waiting.into_values()
    }
}
