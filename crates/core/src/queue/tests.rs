//! The queue beside a naive one: a list of all who wait, searched from its beginning.

use std::collections::HashMap;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, subsequence};

use super::{Charges, ClientId, Flow, Queue, QueuedRequest, Ticket};
use crate::limit::tests::{instances, start};
use crate::limit::{Charge, InstanceId};
use crate::route::Priority;

const POOLS: usize = 4;

#[derive(Clone, Debug)]
enum Step {
    /// One of two clients comes, who needs these pools at these costs, and whose line is stopped at one of them if it is new.
    Push(u64, Priority, Vec<(usize, u32)>, Index),
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
    let priority = prop_oneof![Just(Priority::High), Just(Priority::Normal), Just(Priority::Low)];
    let step = prop_oneof![
        10 => (0..2_u64, priority, charges, any::<Index>())
            .prop_map(|(client, priority, charges, at)| Step::Push(client, priority, charges, at)),
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
    flow: Flow,
    charges: Charges,
}

/// The queue and the list.
struct Both {
    queue: Queue<usize>,
    pools: Vec<InstanceId>,
    list: Vec<Listed>,
    /// Where the lines are stopped in which somebody waits.
    stopped: HashMap<Flow, InstanceId>,
    tickets: Vec<Ticket>,
}

fn cost_at(charges: &[Charge], pool: InstanceId) -> Option<u32> {
    charges.iter().find(|charge| charge.instance == pool).map(|charge| charge.cost)
}

impl Both {
    fn new() -> Self {
        let (queue, pools) = (Queue::new(HashMap::new(), Duration::from_secs(30)), instances(POOLS));
        Self { queue, pools, list: Vec::new(), stopped: HashMap::new(), tickets: Vec::new() }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Push(client, priority, charges, at) => {
                let charge = |(pool, cost): (usize, u32)| Charge { instance: self.pools[pool], cost };
                let charges: Charges = charges.into_iter().map(charge).collect();
                let pools = charges.iter().map(|charge| charge.instance).collect();
                self.push(Flow { client: ClientId(client), priority, pools }, charges, at);
            }
            Step::Remove(which) if !self.tickets.is_empty() => self.remove(*which.get(&self.tickets)),
            Step::StopAt(pool, to) => self.stop_at(self.pools[pool], to),
            Step::Drain => self.drain(),
            Step::Remove(_) => {}
        }
    }

    fn push(&mut self, flow: Flow, charges: Charges, at: Index) {
        let (who, stopped_at) = (self.tickets.len(), at.get(&charges).instance);
        let now = start();
        let charged = charges.clone();
        let waiting = QueuedRequest {
            charges: charged,
            arrived: now,
            turn: now,
            deadline: now,
            bytes: 1,
            returns: None,
            waiter: who,
        };
        let seq = self.queue.next_seq();
        let (ticket, _) = self.queue.push(flow.clone(), seq, waiting, stopped_at);
        self.stopped.entry(flow.clone()).or_insert(stopped_at);
        self.tickets.push(ticket);
        self.list.push(Listed { who, ticket, flow, charges });
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
        self.stopped.retain(|flow, _| list.iter().any(|listed| listed.flow == *flow));
    }

    fn stop_at(&mut self, pool: InstanceId, to: Index) {
        let Some((ticket, waiting)) = self.queue.first_at(pool) else { return };
        let to = to.get(&waiting.charges).instance;
        let flow = self.queue.find(ticket).expect("he waits").0.clone();
        self.queue.stop_at(ticket, to);
        self.stopped.insert(flow, to);
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
            assert_eq!(self.queue.bytes_for(pool), self.queue.waiting_for(pool) as u64);
            let stopped = (0..self.list.len()).filter(|&place| self.is_head(place) && self.stopped_at(place) == pool);
            let heads: Vec<_> = stopped.map(|place| self.list[place].ticket).collect();
            assert_eq!(self.queue.is_stopped_at(pool), !heads.is_empty());
            let first = self.queue.first_at(pool).map(|(ticket, _)| ticket);
            assert!(first.is_none_or(|first| heads.contains(&first)), "no head is first");
        }
        for listed in &self.list {
            for &pool in &listed.flow.pools {
                let ahead = self.queue.ahead_of(&listed.flow, pool, None);
                assert_eq!(ahead.waiting, self.taken(pool, |_| true));
                assert_eq!(
                    self.queue.before_in_line(&listed.flow, pool),
                    self.taken(pool, |other| other.flow == listed.flow)
                );
                for elsewhere in ahead.elsewhere {
                    assert_eq!(
                        elsewhere.cost,
                        self.taken(pool, |other| self.stopped[&other.flow] == elsewhere.stopped_at)
                    );
                }
            }
        }
    }

    /// What some take of a pool.
    fn taken(&self, pool: InstanceId, who: impl Fn(&Listed) -> bool) -> u64 {
        let costs = self.list.iter().filter(|listed| who(listed)).filter_map(|listed| cost_at(&listed.charges, pool));
        costs.map(u64::from).sum()
    }

    fn is_head(&self, place: usize) -> bool {
        self.list[..place].iter().all(|before| before.flow != self.list[place].flow)
    }

    fn stopped_at(&self, place: usize) -> InstanceId {
        self.stopped[&self.list[place].flow]
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
    fn those_of_one_line_go_in_the_order_in_which_they_came(steps in steps()) {
        let mut both = Both::new();
        steps.into_iter().for_each(|step| both.step(step));
        let mut last: HashMap<Flow, usize> = HashMap::new();
        while let Some((ticket, waiting)) = both.pools.iter().find_map(|&pool| both.queue.first_at(pool)) {
            let who = waiting.waiter;
            let flow = both.queue.find(ticket).expect("he waits").0.clone();
            let before = last.insert(flow, who);
            prop_assert!(before.is_none_or(|before| before < who));
            both.queue.serve(ticket);
        }
        prop_assert!(both.queue.is_empty());
    }
}
