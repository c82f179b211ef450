use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use crate::limit::tests::{capped, start};
use crate::limit::{Charge, Limits, PoolId};
use crate::queue::ClientId;
use crate::route::Ask;
use crate::scheduler::{AdmissionRequest, Arrival, Decision, PoolRules, Refusal, Rules, Scheduler};

/// A gate whose clock is moved by hand. Whoever goes is sent at once, and his answer ends at once.
#[derive(Clone)]
pub(super) struct Gate<W> {
    pub(super) scheduler: Scheduler<W>,
    pub(super) now: Instant,
    /// Who went, and how many milliseconds after the beginning.
    pub(super) went: Vec<(W, u128)>,
    /// Who waited in vain, and how many milliseconds after the beginning he was told.
    pub(super) refused: Vec<(W, u128, Refusal)>,
    pub(super) began: Instant,
}

/// A pool for which a thousand may wait, two minutes each.
pub(super) fn pool(limits: Limits) -> (Limits, PoolRules) {
    (
        limits,
        PoolRules {
            max_waiting: 1_000,
            max_bytes: u64::MAX,
            max_wait: Duration::from_mins(2),
            refuse_when_full: false,
        },
    )
}

/// A pool with this rate.
pub(super) fn capped_pool(rate: &str) -> (Limits, PoolRules) {
    pool(capped(&[rate]))
}

/// A pool in which one is in flight at a time.
pub(super) fn one_in_flight() -> (Limits, PoolRules) {
    pool(Limits { in_flight: Some(NonZeroU32::MIN), ..capped(&[]) })
}

/// One place in each of these pools.
pub(super) fn on<const N: usize>(pools: [usize; N]) -> [Ask; N] {
    pools.map(|pool| costing(pool, 1))
}

pub(super) fn costing(pool: usize, cost: u32) -> Ask {
    Ask { pool: PoolId(pool), key: None, cost: Some(cost) }
}

impl<W: Copy> Gate<W> {
    pub(super) fn new<const N: usize>(pools: [(Limits, PoolRules); N]) -> Self {
        Self::for_all(pools, 1_000, HashMap::new())
    }

    /// A gate at which some clients have a greater share.
    pub(super) fn weighted<const N: usize>(
        pools: [(Limits, PoolRules); N],
        weights: HashMap<ClientId, NonZeroU32>,
    ) -> Self {
        Self::for_all(pools, 100_000, weights)
    }

    fn for_all<const N: usize>(
        pools: [(Limits, PoolRules); N],
        most: usize,
        weights: HashMap<ClientId, NonZeroU32>,
    ) -> Self {
        let ageing = Duration::from_secs(30);
        let (scheduler, now) =
            (Scheduler::new(Rules { pools: pools.into(), max_waiting: most, weights, ageing }), start());
        Self { scheduler, now, went: Vec::new(), refused: Vec::new(), began: now }
    }

    /// Who went, and how long after the beginning.
    pub(super) fn went_at(&self) -> impl Iterator<Item = (W, Duration)> {
        let millis = |at: u128| Duration::from_millis(u64::try_from(at).expect("a test's time"));
        self.went.iter().map(move |&(who, at)| (who, millis(at)))
    }

    /// A request comes, and is sent if it may go.
    pub(super) fn comes(&mut self, who: W, asks: &[Ask]) -> Arrival {
        self.comes_as(AdmissionRequest::default(), who, asks)
    }

    pub(super) fn comes_as(&mut self, applicant: AdmissionRequest, who: W, asks: &[Ask]) -> Arrival {
        let arrival = self.scheduler.arrive(self.now, asks, applicant, || who);
        if let Arrival::Granted { charges, .. } = &arrival {
            self.goes(who, charges);
        }
        self.hear();
        arrival
    }

    /// Goes on to the next timeout and does what is due; whether there was one.
    pub(super) fn step(&mut self) -> bool {
        let Some(due) = self.scheduler.poll_timeout() else { return false };
        self.now = due;
        self.scheduler.handle_timeout(due);
        self.hear();
        assert!(self.scheduler.poll_timeout().is_none_or(|next| next > due), "it comes back to the same instant");
        true
    }

    /// Goes on for some time.
    pub(super) fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while self.scheduler.poll_timeout().is_some_and(|due| due <= end) {
            self.step();
        }
        self.now = end;
    }

    /// Goes on until nothing more will happen; says who went, and when.
    pub(super) fn play(&mut self) -> &[(W, u128)] {
        assert!((0..10_000).any(|_| !self.step()), "something is always due");
        &self.went
    }

    /// Hears what was decided.
    pub(super) fn hear(&mut self) {
        let decisions = self.scheduler.take_decisions();
        for decision in decisions {
            match decision {
                Decision::Grant { waiter, charges, .. } => self.goes(waiter, &charges),
                Decision::Refuse { waiter, refusal } => self.refused.push((waiter, self.millis(), refusal)),
            }
        }
    }

    fn goes(&mut self, who: W, charges: &[Charge]) {
        self.went.push((who, self.millis()));
        self.scheduler.commit(self.now, charges);
        self.scheduler.release(self.now, charges);
    }

    fn millis(&self) -> u128 {
        (self.now - self.began).as_millis()
    }
}
