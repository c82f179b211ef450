use std::iter;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::Index;

use super::{limits, start, wait};
use crate::limit::{Limits, NotYet, Pool, PoolUsage, Rate};

/// Something that happens to a pool.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A request of this cost comes, and takes a place if it may.
    Ask(u32),
    /// One that was granted is sent.
    Send(Index),
    /// One that was granted never will be.
    GiveBack(Index),
    /// One that was granted is over.
    Land,
    /// One that was sent is taken by the upstream.
    Taken(Index),
    /// One that was sent is refused by the upstream, which may say how long to stay away.
    Refused(Index, Option<Duration>),
    Wait(Duration),
    /// Until the instant that was told last.
    WaitAsTold,
}

/// A pool, and a naive record of all that happened to it.
pub(super) struct History {
    pub(super) pool: Pool,
    pub(super) now: Instant,
    pub(super) granted: u64,
    pub(super) given_back: u64,
    held: Vec<u32>,
    unanswered: Vec<(Instant, u32)>,
    pub(super) sent: Vec<(Instant, u32)>,
    limits: Limits,
    in_flight: u32,
    told: Option<Instant>,
}

/// Limits of these amounts, and what happens to a pool that has them.
pub(super) fn any_history(amounts: RangeInclusive<u32>) -> impl Strategy<Value = (Limits, Vec<Step>)> {
    limits(amounts).prop_flat_map(|limits| {
        let steps = vec(step(limits.capacity()), 1..120);
        (Just(limits), steps)
    })
}

/// The same, and what the upstream answers to what is sent.
pub(super) fn any_answered_history(amounts: RangeInclusive<u32>) -> impl Strategy<Value = (Limits, Vec<Step>)> {
    limits(amounts).prop_flat_map(|limits| {
        let answers = prop_oneof![
            4 => any::<Index>().prop_map(Step::Taken),
            2 => (any::<Index>(), of(wait())).prop_map(|(which, hint)| Step::Refused(which, hint)),
        ];
        let steps = vec(prop_oneof![3 => step(limits.capacity()), 1 => answers], 1..200);
        (Just(limits), steps)
    })
}

fn step(capacity: u32) -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..=capacity.div_ceil(4)).prop_map(Step::Ask),
        1 => (1..=capacity).prop_map(Step::Ask),
        5 => any::<Index>().prop_map(Step::Send),
        1 => any::<Index>().prop_map(Step::GiveBack),
        5 => Just(Step::Land),
        2 => wait().prop_map(Step::Wait),
        2 => Just(Step::WaitAsTold),
    ]
}

impl History {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            pool: Pool::new(limits),
            now: start(),
            granted: 0,
            given_back: 0,
            held: Vec::new(),
            unanswered: Vec::new(),
            sent: Vec::new(),
            limits: limits.clone(),
            in_flight: 0,
            told: None,
        }
    }

    /// Whoever was granted and not sent never will be, and everybody else is over.
    pub(super) fn settle(&mut self) {
        self.held.drain(..).for_each(|cost| self.pool.refund(cost));
        (0..std::mem::take(&mut self.in_flight)).for_each(|_| self.pool.release());
    }

    /// Lets it happen; says what a request that comes is told.
    pub(super) fn step(&mut self, step: &Step) -> Result<(), NotYet> {
        match *step {
            Step::Ask(cost) => return self.ask(cost),
            Step::Send(which) if !self.held.is_empty() => {
                let cost = self.held.swap_remove(which.index(self.held.len()));
                self.pool.commit(self.now, cost);
                self.sent.push((self.now, cost));
                self.unanswered.push((self.now, cost));
            }
            Step::GiveBack(which) if !self.held.is_empty() => {
                let cost = self.held.swap_remove(which.index(self.held.len()));
                self.pool.refund(cost);
                self.given_back += u64::from(cost);
            }
            Step::Land if self.in_flight > 0 => {
                self.pool.release();
                self.in_flight -= 1;
            }
            Step::Taken(which) if !self.unanswered.is_empty() => {
                let (sent_at, cost) = self.unanswered.swap_remove(which.index(self.unanswered.len()));
                self.pool.accepted(self.now, sent_at, cost, None);
            }
            Step::Refused(which, hint) if !self.unanswered.is_empty() => self.refuse(which, hint),
            Step::Wait(time) => self.now += time,
            Step::WaitAsTold => self.now = self.told.map_or(self.now, |told| told.max(self.now)),
            Step::Send(_) | Step::GiveBack(_) | Step::Land | Step::Taken(_) | Step::Refused(..) => {}
        }
        Ok(())
    }

    /// What is refused has never counted.
    fn refuse(&mut self, which: Index, hint: Option<Duration>) {
        let refused = self.unanswered.swap_remove(which.index(self.unanswered.len()));
        let (sent_at, cost) = refused;
        self.pool.uncommit(self.now, sent_at, cost);
        self.pool.refused(self.now, sent_at, hint, None);
        let at = self.sent.iter().position(|&sent| sent == refused).expect("it was sent");
        self.sent.remove(at);
    }

    fn ask(&mut self, cost: u32) -> Result<(), NotYet> {
        let verdict = self.pool.check(self.now, cost);
        match verdict {
            Ok(()) => {
                self.pool.reserve(cost);
                self.held.push(cost);
                self.granted += u64::from(cost);
                self.in_flight += 1;
            }
            Err(NotYet::Until(at)) => self.told = Some(at),
            Err(NotYet::Freed) => {}
        }
        verdict
    }

    /// What should be taken by now.
    pub(super) fn usage(&self) -> PoolUsage {
        PoolUsage {
            windows: self.limits.requests.iter().map(|&rate| (rate, self.sent_within(rate, self.now))).collect(),
            reserved: self.held(),
            in_flight: self.in_flight,
            learned: None,
        }
    }

    /// What was sent in the window of `rate` that ends at `end`.
    pub(super) fn sent_within(&self, rate: Rate, end: Instant) -> u64 {
        let counts = |&&(at, _): &&(Instant, u32)| at <= end && end < at + self.span(rate);
        self.sent.iter().filter(counts).map(|&(_, cost)| u64::from(cost)).sum()
    }

    /// What a request that comes should be told, by a log of all that was sent and nothing else.
    pub(super) fn foreseen(&self, step: &Step) -> Result<(), NotYet> {
        let Step::Ask(cost) = *step else { return Ok(()) };
        let room = self.limits.requests.iter().map(|&rate| self.room(rate, cost)).collect::<Option<Vec<_>>>();
        match room.ok_or(NotYet::Freed)?.into_iter().max() {
            Some(at) if at > self.now => Err(NotYet::Until(at)),
            _ => Ok(()),
        }
    }

    /// When a window has room; nothing if something that is held must be given back first.
    fn room(&self, rate: Rate, cost: u32) -> Option<Instant> {
        let asked = self.held() + u64::from(cost);
        let ends = self.sent.iter().map(|&(at, _)| at + self.span(rate)).filter(|&end| end > self.now);
        let has_room = |&at: &Instant| self.sent_within(rate, at) + asked <= u64::from(rate.amount());
        iter::once(self.now).chain(ends).find(has_room)
    }

    fn held(&self) -> u64 {
        self.held.iter().copied().map(u64::from).sum()
    }

    fn span(&self, rate: Rate) -> Duration {
        rate.per() + self.limits.margin
    }
}
