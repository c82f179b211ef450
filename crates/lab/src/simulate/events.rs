use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Instant;

/// What will happen, the earliest first, and of what happens at the same time what was said first.
pub(super) struct Events<E> {
    heap: BinaryHeap<Event<E>>,
    said: u64,
}

struct Event<E> {
    at: Instant,
    number: u64,
    what: E,
}

impl<E> Events<E> {
    pub(super) fn new() -> Self {
        Self { heap: BinaryHeap::new(), said: 0 }
    }

    pub(super) fn say(&mut self, at: Instant, what: E) {
        self.said += 1;
        self.heap.push(Event { at, number: self.said, what });
    }

    pub(super) fn next_at(&self) -> Option<Instant> {
        self.heap.peek().map(|event| event.at)
    }

    pub(super) fn pop(&mut self) -> Option<E> {
        self.heap.pop().map(|event| event.what)
    }
}

impl<E> Ord for Event<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl<E> PartialOrd for Event<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Eq for Event<E> {}

impl<E> PartialEq for Event<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
