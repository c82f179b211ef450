use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Instant;

/// Future events, earliest first; events of the same time in the order in which they were added.
pub(super) struct EventQueue<E> {
    heap: BinaryHeap<ScheduledEvent<E>>,
    said: u64,
}

struct ScheduledEvent<E> {
    at: Instant,
    number: u64,
    what: E,
}

impl<E> EventQueue<E> {
    pub(super) fn new() -> Self {
        Self { heap: BinaryHeap::new(), said: 0 }
    }

    pub(super) fn say(&mut self, at: Instant, what: E) {
        self.said += 1;
        self.heap.push(ScheduledEvent { at, number: self.said, what });
    }

    pub(super) fn next_at(&self) -> Option<Instant> {
        self.heap.peek().map(|event| event.at)
    }

    pub(super) fn pop(&mut self) -> Option<E> {
        self.heap.pop().map(|event| event.what)
    }
}

impl<E> Ord for ScheduledEvent<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl<E> PartialOrd for ScheduledEvent<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Eq for ScheduledEvent<E> {}

impl<E> PartialEq for ScheduledEvent<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
