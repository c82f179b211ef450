use slab::Slab;
use smallvec::SmallVec;

use super::{Flow, QueuedRequest, Seq};
use crate::limit::InstanceId;
use crate::route::Priority;

/// Requests of one client that need the same pools with the same priority, first in, first out.
#[derive(Clone, Debug)]
pub(super) struct FlowLine {
    pub(super) flow: Flow,
    /// The instance that keeps the head.
    pub(super) stopped_at: InstanceId,
    first: Option<usize>,
    last: Option<usize>,
    /// What all of the line take, one number a pool.
    pub(super) taken: SmallVec<[u64; 2]>,
    /// How many they are.
    pub(super) count: usize,
}

/// Where a request waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) line: usize,
    pub(super) seq: Seq,
    pub(super) number: u64,
}

/// A waiting request, linked to those before and behind it in its line.
#[derive(Clone, Debug)]
pub(super) struct QueueNode<W> {
    pub(super) at: Slot,
    /// What it counts as by now.
    pub(super) priority: Priority,
    pub(super) waiting: QueuedRequest<W>,
    before: Option<usize>,
    behind: Option<usize>,
}

impl FlowLine {
    pub(super) fn new(flow: Flow, stopped_at: InstanceId) -> Self {
        let taken = SmallVec::from_elem(0, flow.pools.len());
        Self { flow, stopped_at, first: None, last: None, taken, count: 0 }
    }

    /// Adds a request by its age: nearly always to the end.
    pub(super) fn push<W>(&mut self, nodes: &mut Slab<QueueNode<W>>, entry: Slot, waiting: QueuedRequest<W>) -> usize {
        for (taken, charge) in self.taken.iter_mut().zip(&waiting.charges) {
            *taken += u64::from(charge.cost);
        }
        self.count += 1;
        let (mut before, mut behind) = (self.last, None);
        while let Some(at) = before.filter(|&at| nodes[at].at.seq > entry.seq) {
            (before, behind) = (nodes[at].before, Some(at));
        }
        let at = nodes.insert(QueueNode { at: entry, priority: self.flow.priority, waiting, before, behind });
        self.tie(nodes, before, Some(at));
        self.tie(nodes, Some(at), behind);
        at
    }

    pub(super) fn remove<W>(&mut self, nodes: &mut Slab<QueueNode<W>>, at: usize) -> QueuedRequest<W> {
        self.count -= 1;
        let QueueNode { waiting, before, behind, .. } = nodes.remove(at);
        for (taken, charge) in self.taken.iter_mut().zip(&waiting.charges) {
            *taken -= u64::from(charge.cost);
        }
        self.tie(nodes, before, behind);
        waiting
    }

    pub(super) fn head(&self) -> Option<usize> {
        self.first
    }

    pub(super) fn tail(&self) -> Option<usize> {
        self.last
    }

    /// What all of the line take of one of its pools.
    pub(super) fn taken_of(&self, instance: InstanceId) -> u64 {
        let pool = self.flow.pools.iter().position(|&pool| pool == instance);
        pool.map_or(0, |index| self.taken[index])
    }

    fn tie<W>(&mut self, nodes: &mut Slab<QueueNode<W>>, before: Option<usize>, behind: Option<usize>) {
        match before {
            Some(at) => nodes[at].behind = behind,
            None => self.first = behind,
        }
        match behind {
            Some(at) => nodes[at].before = before,
            None => self.last = before,
        }
    }
}
