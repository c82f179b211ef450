use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::world::{Name, World};
use crate::limit::tests::{small_limits, wait};
use crate::limit::{PoolId, PoolUsage};
use crate::queue::ClientId;
use crate::route::{Ask, Asks, Priority, RouteId};
use crate::scheduler::{AdmissionRequest, PoolRules, Rules};

#[derive(Clone, Debug)]
enum Step {
    Arrive(Asks, AdmissionRequest),
    Cancel(Index),
    Send(Index),
    GiveBack(Index),
    Land(Index),
    Wait(Duration),
    WaitForTimeout,
    Drain,
}

const POOLS: usize = 3;

fn weight(weight: u32) -> NonZeroU32 {
    NonZeroU32::new(weight).expect("a weight")
}

fn rules() -> impl Strategy<Value = Rules> {
    let max_wait = prop_oneof![(5..60_u64).prop_map(Duration::from_millis), Just(Duration::from_mins(2))];
    let refuse_when_full = prop_oneof![4 => Just(false), 1 => Just(true)];
    let pool_rules =
        (1..=20_usize, max_wait, refuse_when_full).prop_map(|(max_waiting, max_wait, refuse_when_full)| PoolRules {
            max_waiting,
            max_bytes: 60,
            max_wait,
            refuse_when_full,
        });
    (vec((small_limits(), pool_rules), POOLS), 1..=30_usize).prop_map(|(pools, max_waiting)| Rules {
        pools,
        max_waiting,
        weights: [(ClientId(1), weight(3))].into(),
        ageing: Duration::from_millis(20),
    })
}

fn ask() -> impl Strategy<Value = Ask> {
    let key = prop_oneof![2 => Just(None), 1 => select(vec!["one", "other"]).prop_map(|key| Some(key.into()))];
    let cost = prop_oneof![8 => (1..=3_u32).prop_map(Some), 1 => Just(None)];
    (0..POOLS, key, cost).prop_map(|(pool, key, cost)| Ask { pool: PoolId(pool), key, cost })
}

/// One of three clients, of whom one has three times the share of another.
fn applicant() -> impl Strategy<Value = AdmissionRequest> {
    let priority = prop_oneof![1 => Just(Priority::High), 4 => Just(Priority::Normal), 2 => Just(Priority::Low)];
    let patience =
        prop_oneof![3 => Just(None), 1 => (0..100_u64).prop_map(|millis| Some(Duration::from_millis(millis)))];
    let returns = prop_oneof![1 => Just(None), 2 => (0..=2_u32).prop_map(Some)];
    (0..3_u64, priority, patience, returns, 0..10_u64, 0..2_usize).prop_map(
        |(client, priority, patience, returns, bytes, route)| AdmissionRequest {
            client: ClientId(client),
            priority,
            patience,
            route: RouteId(route),
            returns,
            position: None,
            bytes,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        80 => (vec(ask(), 1..=3), applicant()).prop_map(|(asks, who)| Step::Arrive(asks.into(), who)),
        10 => any::<Index>().prop_map(Step::Cancel),
        50 => any::<Index>().prop_map(Step::Send),
        10 => any::<Index>().prop_map(Step::GiveBack),
        60 => any::<Index>().prop_map(Step::Land),
        20 => wait().prop_map(Step::Wait),
        60 => Just(Step::WaitForTimeout),
        1 => Just(Step::Drain),
    ]
}

impl World {
    fn step(&mut self, step: Step) {
        match step {
            Step::Arrive(asks, applicant) => self.arrive(&asks, applicant),
            Step::Cancel(which) => self.cancel(which),
            Step::Send(which) => self.send(which),
            Step::GiveBack(which) => self.give_back(which),
            Step::Land(which) => self.land(which),
            Step::Wait(time) => self.wait(time),
            Step::WaitForTimeout => self.wait_for_timeout(),
            Step::Drain => self.drain(),
        }
        self.hear();
    }

    /// Of those who wait for pools that hang together, one at least is kept by a pool that has no room: otherwise the first
    /// of them would be gone.
    pub(super) fn expect_nobody_held_up(&mut self) {
        let mut groups: Vec<(BTreeSet<Name>, bool)> = Vec::new();
        for waiting in self.waiting.values() {
            let has_room = waiting.costs.iter().all(|(name, &cost)| {
                self.pools.get_mut(name).expect("a pool that was asked").check(self.now, cost).is_ok()
            });
            let mut group = (waiting.costs.keys().cloned().collect::<BTreeSet<_>>(), has_room);
            for joined in groups.extract_if(.., |(names, _)| !names.is_disjoint(&group.0)).collect::<Vec<_>>() {
                group.0.extend(joined.0);
                group.1 &= joined.1;
            }
            groups.push(group);
        }
        assert!(groups.iter().all(|&(_, has_room)| !has_room), "somebody could go");
    }

    /// Holds what the scheduler says against what the world knows.
    fn compare(&mut self) {
        let snapshot = self.scheduler.snapshot(self.now);
        assert_eq!(snapshot.totals, self.tally);
        assert_eq!(self.tally.granted, self.tally.refunded + self.tally.sent + self.held.len() as u64);
        assert_eq!(self.tally.granted, self.tally.released + self.in_flight.len() as u64);
        let over = self.tally.granted + self.tally.refused + self.tally.cancelled;
        assert_eq!(u64::from(self.arrived), over + self.waiting.len() as u64);
        assert_eq!(snapshot.waiting, self.waiting.len());
        assert!(snapshot.waiting <= self.rules.max_waiting);
        for instance in snapshot.instances {
            let name = (instance.pool.0, Box::from(&*instance.key));
            let (limits, rules) = &self.rules.pools[name.0];
            let waiting = self.waiting.values().filter(|waiting| waiting.costs.contains_key(&name)).count();
            assert!(instance.waiting == waiting && waiting <= rules.max_waiting);
            let taken = self.taken(&name);
            assert!(limits.in_flight.is_none_or(|most| taken.in_flight <= most.get()));
            assert!(taken.windows.iter().all(|&(rate, used)| used <= rate.amount().into()), "over: {taken:?}");
            assert_eq!(instance.usage, taken);
        }
    }

    fn taken(&self, name: &Name) -> PoolUsage {
        let limits = &self.rules.pools[name.0].0;
        let sent_since = |span| {
            let counts = |(at, sent, _): &&(Instant, Name, u32)| sent == name && self.now < *at + span;
            self.sent.iter().filter(counts).map(|&(.., cost)| u64::from(cost)).sum()
        };
        let reserved = self.held.iter().filter_map(|(_, costs)| costs.get(name)).copied().map(u64::from).sum();
        let in_flight = self.in_flight.iter().filter(|(_, costs)| costs.contains_key(name)).count();
        PoolUsage {
            windows: limits.requests.iter().map(|&rate| (rate, sent_since(rate.per() + limits.margin))).collect(),
            reserved,
            in_flight: u32::try_from(in_flight).expect("few"),
            learned: None,
        }
    }

    /// Lets everything come to its end: whoever goes is sent and is over, until nothing is due any more.
    fn finish(&mut self, first: Index) {
        let mut rounds = 0;
        while !self.held.is_empty() || !self.in_flight.is_empty() || self.scheduler.poll_timeout().is_some() {
            rounds += 1;
            assert!(rounds < 10_000, "something is always due");
            for step in [Step::Send(first), Step::Land(first), Step::WaitForTimeout] {
                self.step(step);
                self.handle_timeout();
            }
        }
        self.wait(Duration::from_secs(1));
    }
}

proptest! {
    #[test]
    fn whatever_happens_the_scheduler_keeps_its_promises(
        rules in rules(),
        steps in vec((step(), prop::bool::weighted(0.8)), 1..120),
        first: Index,
    ) {
        let mut world = World::new(rules);
        for (step, is_on_time) in steps {
            world.step(step);
            if is_on_time {
                world.handle_timeout();
            }
            world.compare();
        }
        world.finish(first);
        world.compare();
        let snapshot = world.scheduler.snapshot(world.now);
        prop_assert_eq!(snapshot.waiting, 0);
        prop_assert_eq!(snapshot.instances.len(), POOLS, "keys are left");
        for instance in snapshot.instances {
            prop_assert!(instance.usage.windows.iter().all(|&(_, used)| used == 0));
            prop_assert_eq!((instance.usage.reserved, instance.usage.in_flight), (0, 0));
        }
    }
}
