//! Fair queueing: who waits, for what, and who is next.
//!
//! Requests that need the same pools stand in one **line**, first in, first out. The head of a line is **stopped** at one
//! pool, the one that keeps it; the heads stopped at a pool go by age. So a pool that is short holds up only those who
//! need it, and nobody who came later and costs less slips past at the pool both wait for.

mod line;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use slab::Slab;
use smallvec::SmallVec;

use crate::limit::{Charge, InstanceId};
use line::Line;

/// What a request takes, one charge a pool instance.
pub type Charges = SmallVec<[Charge; 2]>;

/// A request's place in the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(u64);

/// Whoever shares the pools with others. It tells clients apart and does not give them away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// Where a waiting request is found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket {
    line: usize,
    seq: Seq,
}

/// A request that waits.
#[derive(Debug)]
pub struct Waiting<W> {
    /// What it takes.
    pub charges: Charges,
    /// When it came.
    pub arrived: Instant,
    /// When it no longer wants to go.
    pub deadline: Instant,
    /// Whom to tell.
    pub waiter: W,
}

/// Everybody who waits.
#[derive(Debug)]
pub struct Queue<W> {
    lines: Slab<Line<W>>,
    by_pools: HashMap<SmallVec<[InstanceId; 2]>, usize>,
    stops: Vec<Stop>,
    next: u64,
    waiting: usize,
}

/// A pool instance as those who wait see it.
#[derive(Debug, Default)]
struct Stop {
    /// The heads that are stopped here, oldest first.
    heads: BTreeSet<(Seq, usize)>,
    /// How many wait that need this instance, wherever their line is stopped.
    waiting: usize,
    /// What those take whose line is stopped here.
    ahead: u64,
}

impl<W> Default for Queue<W> {
    fn default() -> Self {
        Self { lines: Slab::new(), by_pools: HashMap::new(), stops: Vec::new(), next: 0, waiting: 0 }
    }
}

impl<W> Queue<W> {
    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// How many wait that need this instance.
    #[must_use]
    pub fn waiting_for(&self, instance: InstanceId) -> usize {
        self.stops.get(instance.index()).map_or(0, |stop| stop.waiting)
    }

    /// What goes before a newcomer with these charges at one of their instances: those whose line is stopped there, and
    /// those of its own line wherever that is stopped.
    #[must_use]
    pub fn ahead_of(&self, charges: &[Charge], instance: InstanceId) -> u64 {
        let stopped = self.stops.get(instance.index()).map_or(0, |stop| stop.ahead);
        let own = self.by_pools.get(&instances(charges)).map(|&line| &self.lines[line]);
        stopped + own.filter(|line| line.stopped_at != instance).map_or(0, |line| line.taken_of(instance))
    }

    /// What goes before a newcomer with these charges in its own line, at one of their instances.
    #[must_use]
    pub fn before_in_line(&self, charges: &[Charge], instance: InstanceId) -> u64 {
        self.by_pools.get(&instances(charges)).map_or(0, |&line| self.lines[line].taken_of(instance))
    }

    /// Whether somebody is stopped here.
    #[must_use]
    pub fn is_stopped_at(&self, instance: InstanceId) -> bool {
        self.stops.get(instance.index()).is_some_and(|stop| !stop.heads.is_empty())
    }

    /// Puts a request at the end of its line. `stopped_at` is the instance that keeps it if its line is new.
    pub fn push(&mut self, waiting: Waiting<W>, stopped_at: InstanceId) -> Ticket {
        let seq = Seq(self.next);
        self.next += 1;
        self.waiting += 1;
        waiting.charges.iter().for_each(|charge| self.stop_mut(charge.instance).waiting += 1);
        let line = self.line_of(&waiting.charges, stopped_at);
        self.count_ahead(line, &waiting.charges, true);
        let is_head = self.lines[line].push(seq, waiting);
        if is_head {
            self.stop_mut(stopped_at).heads.insert((seq, line));
        }
        Ticket { line, seq }
    }

    /// Takes a request out, wherever it stands. Says where its line is stopped if it was the head.
    pub fn remove(&mut self, ticket: Ticket) -> Option<(Waiting<W>, Option<InstanceId>)> {
        let line = self.lines.get_mut(ticket.line)?;
        let was_head = line.head_seq() == Some(ticket.seq);
        let stopped_at = line.stopped_at;
        let waiting = line.remove(ticket.seq)?;
        let next = line.head_seq();
        self.waiting -= 1;
        waiting.charges.iter().for_each(|charge| self.stop_mut(charge.instance).waiting -= 1);
        self.count_ahead(ticket.line, &waiting.charges, false);
        if was_head {
            let heads = &mut self.stop_mut(stopped_at).heads;
            heads.remove(&(ticket.seq, ticket.line));
            heads.extend(next.map(|seq| (seq, ticket.line)));
        }
        if next.is_none() {
            let line = self.lines.remove(ticket.line);
            self.by_pools.remove(&line.pools);
        }
        Some((waiting, was_head.then_some(stopped_at)))
    }

    /// The oldest head that is stopped at this instance.
    #[must_use]
    pub fn first_at(&self, instance: InstanceId) -> Option<(Ticket, &Waiting<W>)> {
        let &(seq, line) = self.stops.get(instance.index())?.heads.first()?;
        Some((Ticket { line, seq }, self.lines[line].head()?))
    }

    /// An instance among these at which somebody older than `ticket` is stopped.
    #[must_use]
    pub fn older_at(&self, ticket: Ticket, charges: &[Charge]) -> Option<InstanceId> {
        let is_older = |instance: InstanceId| {
            let first = self.stops.get(instance.index()).and_then(|stop| stop.heads.first());
            first.is_some_and(|&(seq, _)| seq < ticket.seq)
        };
        charges.iter().map(|charge| charge.instance).find(|&instance| is_older(instance))
    }

    /// The head of a line is kept by another instance now.
    pub fn stop_at(&mut self, ticket: Ticket, instance: InstanceId) {
        let line = &mut self.lines[ticket.line];
        let before = std::mem::replace(&mut line.stopped_at, instance);
        let taken = line.taken_of(before);
        let will_take = line.taken_of(instance);
        let head = (ticket.seq, ticket.line);
        let left = self.stop_mut(before);
        left.heads.remove(&head);
        left.ahead -= taken;
        let entered = self.stop_mut(instance);
        entered.heads.insert(head);
        entered.ahead += will_take;
    }

    /// Everybody who waits, taken out in no order.
    pub fn drain(&mut self) -> impl Iterator<Item = Waiting<W>> {
        let lines = std::mem::take(self);
        self.next = lines.next;
        lines.lines.into_iter().flat_map(|(_, line)| line.into_waiting())
    }

    fn line_of(&mut self, charges: &[Charge], stopped_at: InstanceId) -> usize {
        let lines = &mut self.lines;
        *self
            .by_pools
            .entry(instances(charges))
            .or_insert_with_key(|pools| lines.insert(Line::new(pools.clone(), stopped_at)))
    }

    fn count_ahead(&mut self, line: usize, charges: &[Charge], comes: bool) {
        let stopped_at = self.lines[line].stopped_at;
        let cost =
            charges.iter().find(|charge| charge.instance == stopped_at).map_or(0, |charge| u64::from(charge.cost));
        let ahead = &mut self.stop_mut(stopped_at).ahead;
        *ahead = if comes { *ahead + cost } else { *ahead - cost };
    }

    fn stop_mut(&mut self, instance: InstanceId) -> &mut Stop {
        let index = instance.index();
        if index >= self.stops.len() {
            self.stops.resize_with(index + 1, Stop::default);
        }
        &mut self.stops[index]
    }
}

fn instances(charges: &[Charge]) -> SmallVec<[InstanceId; 2]> {
    charges.iter().map(|charge| charge.instance).collect()
}
