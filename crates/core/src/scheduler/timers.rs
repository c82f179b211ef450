use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::limit::{InstanceId, NotYet};
use crate::queue::Ticket;

/// How often unused pool instances are looked for, while there are any. A guess: half a usual window.
const SWEEP: Duration = Duration::from_secs(30);

/// How often waiting requests are checked for turns that come too late by now. A guess: a second is soon enough, and the
/// check costs a forecast for each line.
const REVIEW: Duration = Duration::from_secs(1);

/// When the scheduler wants to be called, and what for.
///
/// Every waiting request has one deadline. An instance has at most one wake-up: it is set while a head is stopped there and
/// the instant at which there is room is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    deadlines: BTreeSet<(Instant, Ticket)>,
    /// The wake-ups in order of time; `wake_of` has the same by instance.
    wakes: BTreeSet<(Instant, InstanceId)>,
    wake_of: BTreeMap<InstanceId, Instant>,
    sweep_at: Option<Instant>,
    review_at: Option<Instant>,
}

impl Timers {
    /// The first of all.
    pub(super) fn next(&self) -> Option<Instant> {
        let deadline = self.deadlines.first().map(|&(at, _)| at);
        let wake = self.wakes.first().map(|&(at, _)| at);
        [deadline, wake, self.review_at, self.sweep_at].into_iter().flatten().min()
    }

    /// A request waits until its deadline.
    pub(super) fn set_deadline(&mut self, at: Instant, ticket: Ticket) {
        self.deadlines.insert((at, ticket));
    }

    /// A request no longer waits.
    pub(super) fn clear_deadline(&mut self, at: Instant, ticket: Ticket) {
        self.deadlines.remove(&(at, ticket));
    }

    /// The first request whose deadline has come. It stays until [`Timers::clear_deadline`].
    pub(super) fn due_deadline(&self, now: Instant) -> Option<Ticket> {
        self.deadlines.first().filter(|&&(at, _)| at <= now).map(|&(_, ticket)| ticket)
    }

    /// Comes back to this instance when it has room, instead of when that was expected before. Where a place must be freed
    /// first, no timer helps: what frees it looks here.
    pub(super) fn wake(&mut self, instance: InstanceId, not_yet: NotYet) {
        if let Some(before) = self.wake_of.remove(&instance) {
            self.wakes.remove(&(before, instance));
        }
        if let NotYet::Until(at) = not_yet {
            self.wakes.insert((at, instance));
            self.wake_of.insert(instance, at);
        }
    }

    /// When this instance is expected to have room, if that is known.
    pub(super) fn wake_of(&self, instance: InstanceId) -> Option<Instant> {
        self.wake_of.get(&instance).copied()
    }

    /// Takes out the first instance whose wake-up has come.
    pub(super) fn due_wake(&mut self, now: Instant) -> Option<InstanceId> {
        let &(at, instance) = self.wakes.first().filter(|&&(at, _)| at <= now)?;
        self.wakes.remove(&(at, instance));
        self.wake_of.remove(&instance);
        Some(instance)
    }

    /// There is something to sweep.
    pub(super) fn start_sweeps(&mut self, now: Instant) {
        self.sweep_at.get_or_insert(now + SWEEP);
    }

    /// Whether it is time to sweep; not again before [`Timers::start_sweeps`].
    pub(super) fn due_sweep(&mut self, now: Instant) -> bool {
        self.sweep_at.take_if(|at| *at <= now).is_some()
    }

    /// A request waits.
    pub(super) fn start_reviews(&mut self, now: Instant) {
        self.review_at.get_or_insert(now + REVIEW);
    }

    /// Whether it is time to check those who wait; not again before [`Timers::start_reviews`].
    pub(super) fn due_review(&mut self, now: Instant) -> bool {
        self.review_at.take_if(|at| *at <= now).is_some()
    }

    /// No request waits any more.
    pub(super) fn clear_waits(&mut self) {
        self.deadlines.clear();
        self.wakes.clear();
        self.wake_of.clear();
    }
}
