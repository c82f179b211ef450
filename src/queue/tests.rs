//! The queue beside a naive one: a list of all who wait, searched from its beginning.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, subsequence};

use super::{Charges, Queue, Ticket, Waiting};
use crate::limit::tests::{instances, start};
use crate::limit::{Charge, InstanceId};

const POOLS: usize = 4;

#[derive(Clone, Debug)]
enum Step {
    /// Somebody comes who needs these pools at these costs, and whose line is stopped at one of them if it is new.
    Push(Vec<(usize, u32)>, Index),
    /// One of all who ever came leaves, if he is still there.
    Remove(Index),
    /// The first who is stopped at one pool is stopped at another that he needs.
    StopAt(usize, Index),
    /// Everybody leaves.
    Drain,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pools = subsequence((0..POOLS).collect::<Vec<_>>(), 1..=3).prop_shuffle();
    let charges = (pools, vec(1..5_u32, 3)).prop_map(|(pools, costs)| pools.into_iter().zip(costs).collect());
    let step = prop_oneof![
        10 => (charges, any::<Index>()).prop_map(|(charges, at)| Step::Push(charges, at)),
        8 => any::<Index>().prop_map(Step::Remove),
        5 => (0..POOLS, any::<Index>()).prop_map(|(pool, to)| Step::StopAt(pool, to)),
        1 => Just(Step::Drain),
    ];
    vec(step, 1..80)
}

/// One who waits, as the list knows him.
struct Listed {
    who: usize,
    ticket: Ticket,
    charges: Charges,
}

/// The pools that a line needs, in their order.
type Line = Vec<InstanceId>;

/// The queue and the list.
struct Both {
    queue: Queue<usize>,
    pools: Vec<InstanceId>,
    list: Vec<Listed>,
    /// Where the lines are stopped in which somebody waits.
    stopped: BTreeMap<Line, InstanceId>,
    tickets: Vec<Ticket>,
}

fn line(charges: &[Charge]) -> Line {
    charges.iter().map(|charge| charge.instance).collect()
}

fn cost_at(charges: &[Charge], pool: InstanceId) -> Option<u32> {
    charges.iter().find(|charge| charge.instance == pool).map(|charge| charge.cost)
}

impl Both {
    fn new() -> Self {
        let (queue, pools) = (Queue::default(), instances(POOLS));
        Self { queue, pools, list: Vec::new(), stopped: BTreeMap::new(), tickets: Vec::new() }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Push(charges, at) => {
                let charge = |(pool, cost): (usize, u32)| Charge { instance: self.pools[pool], cost };
                self.push(charges.into_iter().map(charge).collect(), at);
            }
            Step::Remove(which) if !self.tickets.is_empty() => self.remove(*which.get(&self.tickets)),
            Step::StopAt(pool, to) => self.stop_at(self.pools[pool], to),
            Step::Drain => self.drain(),
            Step::Remove(_) => {}
        }
    }

    fn push(&mut self, charges: Charges, at: Index) {
        let (who, stopped_at) = (self.tickets.len(), at.get(&charges).instance);
        let now = start();
        let waiting = Waiting { charges: charges.clone(), arrived: now, deadline: now, waiter: who };
        let ticket = self.queue.push(waiting, stopped_at);
        self.stopped.entry(line(&charges)).or_insert(stopped_at);
        self.tickets.push(ticket);
        self.list.push(Listed { who, ticket, charges });
    }

    fn remove(&mut self, ticket: Ticket) {
        let removed = self.queue.remove(ticket).map(|(waiting, stopped_at)| (waiting.waiter, stopped_at));
        let Some(place) = self.list.iter().position(|listed| listed.ticket == ticket) else {
            return assert_eq!(removed, None);
        };
        let stopped_at = self.is_head(place).then(|| self.stopped_at(place));
        let gone = self.list.remove(place);
        assert_eq!(removed, Some((gone.who, stopped_at)));
        let list = &self.list;
        self.stopped.retain(|pools, _| list.iter().any(|listed| line(&listed.charges) == *pools));
    }

    fn stop_at(&mut self, pool: InstanceId, to: Index) {
        let Some(first) = self.first_at(pool).map(|place| &self.list[place]) else { return };
        let to = to.get(&first.charges).instance;
        self.queue.stop_at(first.ticket, to);
        self.stopped.insert(line(&first.charges), to);
    }

    fn drain(&mut self) {
        let mut drained: Vec<_> = self.queue.drain().map(|waiting| waiting.waiter).collect();
        drained.sort_unstable();
        assert_eq!(drained, self.list.drain(..).map(|listed| listed.who).collect::<Vec<_>>());
        self.stopped.clear();
    }

    /// Holds what the queue says against what the list says.
    fn compare(&self) {
        assert_eq!(self.queue.len(), self.list.len());
        assert_eq!(self.queue.is_empty(), self.list.is_empty());
        for &pool in &self.pools {
            let needs_it = |listed: &&Listed| cost_at(&listed.charges, pool).is_some();
            assert_eq!(self.queue.waiting_for(pool), self.list.iter().filter(needs_it).count());
            assert_eq!(self.queue.is_stopped_at(pool), self.first_at(pool).is_some());
            let first = self.queue.first_at(pool).map(|(ticket, waiting)| (ticket, waiting.waiter));
            assert_eq!(first, self.first_at(pool).map(|place| (self.list[place].ticket, self.list[place].who)));
        }
        for (place, listed) in self.list.iter().enumerate() {
            assert_eq!(self.queue.older_at(listed.ticket, &listed.charges), self.older_at(place));
            for &pool in &line(&listed.charges) {
                assert_eq!(self.queue.ahead_of(&listed.charges, pool), self.ahead_of(&listed.charges, pool));
                assert_eq!(self.queue.before_in_line(&listed.charges, pool), self.in_line(&listed.charges, pool));
            }
        }
    }

    fn is_head(&self, place: usize) -> bool {
        self.list[..place].iter().all(|before| line(&before.charges) != line(&self.list[place].charges))
    }

    fn stopped_at(&self, place: usize) -> InstanceId {
        self.stopped[&line(&self.list[place].charges)]
    }

    fn first_at(&self, pool: InstanceId) -> Option<usize> {
        (0..self.list.len()).find(|&place| self.stopped_at(place) == pool)
    }

    fn older_at(&self, place: usize) -> Option<InstanceId> {
        let is_older = |&pool: &InstanceId| self.first_at(pool).is_some_and(|first| first < place);
        line(&self.list[place].charges).into_iter().find(is_older)
    }

    fn in_line(&self, charges: &[Charge], pool: InstanceId) -> u64 {
        let own = self.list.iter().filter(|listed| line(&listed.charges) == line(charges));
        own.filter_map(|listed| cost_at(&listed.charges, pool)).map(u64::from).sum()
    }

    fn ahead_of(&self, charges: &[Charge], pool: InstanceId) -> u64 {
        let is_ahead =
            |&place: &usize| self.stopped_at(place) == pool || line(&self.list[place].charges) == line(charges);
        let places = (0..self.list.len()).filter(is_ahead);
        places.filter_map(|place| cost_at(&self.list[place].charges, pool)).map(u64::from).sum()
    }
}

proptest! {
    #[test]
    fn the_queue_says_what_a_list_of_all_who_wait_says(steps in steps()) {
        let mut both = Both::new();
        for step in steps {
            both.step(step);
            both.compare();
        }
    }

    #[test]
    fn those_who_need_the_same_pools_are_first_in_the_order_in_which_they_came(steps in steps()) {
        let mut both = Both::new();
        steps.into_iter().for_each(|step| both.step(step));
        let mut last: BTreeMap<Line, usize> = BTreeMap::new();
        while let Some((ticket, waiting)) = both.pools.iter().find_map(|&pool| both.queue.first_at(pool)) {
            let before = last.insert(line(&waiting.charges), waiting.waiter);
            prop_assert!(before.is_none_or(|before| before < waiting.waiter));
            both.queue.remove(ticket);
        }
        prop_assert!(both.queue.is_empty());
    }
}
