//! Fair queueing: which requests wait, for what, and which is next.
//!
//! Requests of one client that need the same pools with the same priority stand in one **line**, first in, first out. The
//! head of a line is **stopped** at one pool, the one that it waits for. The heads stopped at a pool go by priority, then by
//! what their client has had of that pool, then by age. So a short pool delays only the requests that need it, a busy client
//! delays itself, and no later and cheaper request slips past at a pool that both wait for.
//!
//! # Invariants
//!
//! 1. A line has at least one request: it comes with its first and goes with its last.
//! 2. The head of each line is listed at exactly one instance, `stopped_at` of its line, under its present rank. Whatever
//!    changes the head, its rank or its instance takes it out first (`step_back`) and lists it again (`step_up`).
//! 3. At each instance, `waiting`, `bytes` and `shares` count every request that needs it, wherever its line is stopped, and
//!    `shares` the reserved positions as well. Each request leaves with what it entered with.
//! 4. `ages` lists the heads of low priority, and no others.
//! 5. A ticket's number is never used again: a ticket of a request that has left finds nothing.

mod ahead;
mod demand;
mod line;
mod shares;
mod stop;
#[cfg(test)]
mod tests;
mod ticket;
mod waiting;

pub use ahead::{Ahead, CostShare, Elsewhere};
pub use ticket::{Seq, Ticket};
pub use waiting::{Charges, ClientId, Flow, LineSummary, QueuedRequest, Returns};

use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use slab::Slab;
use smallvec::SmallVec;

use crate::limit::{Charge, InstanceId};
use crate::route::Priority;
use line::{FlowLine, QueueNode, Slot};
use stop::{Rank, Stop};

/// The waiting requests.
///
/// # Examples
///
/// Clients take turns, however many requests one of them has in line:
///
/// ```
/// use std::collections::HashMap;
/// use std::time::{Duration, Instant};
/// use tidegate_core::limit::{Charge, Ledger, Limits, PoolId};
/// use tidegate_core::queue::{ClientId, Flow, Queue, QueuedRequest};
/// use tidegate_core::route::Priority;
///
/// let pool = Ledger::new(vec![Limits::default()]).instance(PoolId(0), None);
/// let mut queue = Queue::new(HashMap::new(), Duration::from_secs(30));
/// let now = Instant::now();
/// for (client, waiter) in [(1, "a1"), (1, "a2"), (1, "a3"), (2, "b1")] {
///     let pools = [pool].into_iter().collect();
///     let flow = Flow { client: ClientId(client), priority: Priority::Normal, pools };
///     let charges = [Charge { instance: pool, cost: 1 }].into_iter().collect();
///     let deadline = now + Duration::from_mins(2);
///     let waiting = QueuedRequest { charges, arrived: now, turn: now, deadline, bytes: 0, returns: None, waiter };
///     let seq = queue.next_seq();
///     queue.push(flow, seq, waiting, pool);
/// }
///
/// let mut order = Vec::new();
/// while let Some((ticket, _)) = queue.first_at(pool) {
///     order.extend(queue.serve(ticket).map(|waiting| waiting.waiter));
/// }
/// assert_eq!(order, ["a1", "b1", "a2", "a3"]);
/// ```
#[derive(Clone, Debug)]
pub struct Queue<W> {
    weights: HashMap<ClientId, NonZeroU32>,
    ageing: Duration,
    nodes: Slab<QueueNode<W>>,
    lines: Slab<FlowLine>,
    by_flow: HashMap<Flow, usize>,
    stops: Vec<Stop>,
    /// When the heads of low lines will have waited long enough to count as normal.
    ages: BTreeSet<(Instant, usize)>,
    next: u64,
    entries: u64,
}

impl<W> Queue<W> {
    /// An empty queue. Clients have weight 1 unless they are named; low-priority requests count as normal after `ageing`.
    #[must_use]
    pub fn new(weights: HashMap<ClientId, NonZeroU32>, ageing: Duration) -> Self {
        Self {
            weights,
            ageing,
            nodes: Slab::new(),
            lines: Slab::new(),
            by_flow: HashMap::new(),
            stops: Vec::new(),
            ages: BTreeSet::new(),
            next: 0,
            entries: 0,
        }
    }

    /// From now on clients have these shares; a request that waits keeps its place.
    pub fn reweigh(&mut self, weights: HashMap<ClientId, NonZeroU32>) {
        self.weights = weights;
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether no request waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// How many wait that need this instance.
    #[must_use]
    pub fn waiting_for(&self, instance: InstanceId) -> usize {
        self.stops.get(instance.index()).map_or(0, |stop| stop.waiting)
    }

    /// How many positions are reserved at this instance.
    #[must_use]
    pub fn reserved_for(&self, instance: InstanceId) -> usize {
        self.stops.get(instance.index()).map_or(0, |stop| stop.reserved)
    }

    /// How much memory the requests use that wait for this instance, in bytes.
    #[must_use]
    pub fn bytes_for(&self, instance: InstanceId) -> u64 {
        self.stops.get(instance.index()).map_or(0, |stop| stop.bytes)
    }

    /// Whether a head is stopped here.
    #[must_use]
    pub fn is_stopped_at(&self, instance: InstanceId) -> bool {
        self.stops.get(instance.index()).is_some_and(|stop| !stop.heads.is_empty())
    }

    /// The instance that keeps the line of a request; nothing if it waits no longer.
    #[must_use]
    pub fn stopped_at(&self, ticket: Ticket) -> Option<InstanceId> {
        Some(self.lines[self.node(ticket)?.at.line].stopped_at)
    }

    /// The position of a request that comes now.
    pub fn next_seq(&mut self) -> Seq {
        self.next += 1;
        Seq(self.next)
    }

    /// Puts a request in its line, by its age. `stopped_at` is the instance that keeps it if its line is new. Says where the
    /// line is stopped if it is the head.
    pub fn push(
        &mut self,
        flow: Flow,
        seq: Seq,
        waiting: QueuedRequest<W>,
        stopped_at: InstanceId,
    ) -> (Ticket, Option<InstanceId>) {
        let Flow { client, priority, .. } = flow;
        let line = self.line_of(flow, stopped_at);
        let stopped_at = self.lines[line].stopped_at;
        for charge in &waiting.charges {
            let stop = self.stop_mut(charge.instance);
            stop.waiting += 1;
            stop.bytes += waiting.bytes;
            stop.shares.enter(priority, client, charge.cost);
        }
        self.count_elsewhere(line, &waiting.charges, true);
        let head = self.lines[line].head();
        self.entries += 1;
        let number = self.entries;
        let node = self.lines[line].push(&mut self.nodes, Slot { line, seq, number }, waiting);
        let is_head = head != self.lines[line].head();
        if is_head {
            self.step_back(line, head);
            self.step_up(line);
        }
        (Ticket { node, seq, number }, is_head.then_some(stopped_at))
    }

    /// Takes a request out, wherever it stands. Says where its line is stopped if it was the head.
    pub fn remove(&mut self, ticket: Ticket) -> Option<(QueuedRequest<W>, Option<InstanceId>)> {
        let node = self.node(ticket)?;
        let (at, priority) = (node.at.line, node.priority);
        let line = &self.lines[at];
        let (client, stopped_at) = (line.flow.client, line.stopped_at);
        let was_head = line.head() == Some(ticket.node);
        if was_head {
            self.step_back(at, Some(ticket.node));
        }
        let waiting = self.lines[at].remove(&mut self.nodes, ticket.node);
        self.count_elsewhere(at, &waiting.charges, false);
        for charge in &waiting.charges {
            let stop = self.stop_mut(charge.instance);
            stop.waiting -= 1;
            stop.bytes -= waiting.bytes;
            stop.shares.leave(priority, client, charge.cost);
        }
        if was_head && self.lines[at].head().is_some() {
            self.step_up(at);
        } else if was_head {
            let line = self.lines.remove(at);
            self.by_flow.remove(&line.flow);
        }
        Some((waiting, was_head.then_some(stopped_at)))
    }

    /// Takes out a request that goes, and charges its client for it.
    pub fn serve(&mut self, ticket: Ticket) -> Option<QueuedRequest<W>> {
        let node = self.node(ticket)?;
        let (client, priority) = (self.lines[node.at.line].flow.client, node.priority);
        let weight = client.weight_in(&self.weights);
        for charge in node.waiting.charges.clone() {
            self.stop_mut(charge.instance).shares.serve(priority, client, charge.cost, weight);
        }
        self.remove(ticket).map(|(waiting, _)| waiting)
    }

    /// The head that goes next of those that are stopped at this instance.
    #[must_use]
    pub fn first_at(&self, instance: InstanceId) -> Option<(Ticket, &QueuedRequest<W>)> {
        let (_, line) = self.stops.get(instance.index())?.heads.first()?;
        let node = self.lines[line].head()?;
        Some((self.ticket(node), &self.nodes[node].waiting))
    }

    /// An instance that this head needs and at which another head is stopped that goes first.
    #[must_use]
    pub fn preceded_at(&self, ticket: Ticket) -> Option<InstanceId> {
        let node = &self.nodes[ticket.node];
        let is_preceded = |&instance: &InstanceId| {
            let stop = self.stops.get(instance.index());
            let first = stop.and_then(|stop| stop.heads.first());
            first.is_some_and(|(first, line)| line != node.at.line && first < self.rank_at(node, instance))
        };
        node.waiting.charges.iter().map(|charge| charge.instance).find(is_preceded)
    }

    /// The head of a line is kept by another instance now.
    pub fn stop_at(&mut self, ticket: Ticket, instance: InstanceId) {
        let at = self.nodes[ticket.node].at.line;
        self.step_back(at, Some(ticket.node));
        let pools = self.lines[at].flow.pools.clone();
        let taken: Charged = pools.iter().copied().zip(self.lines[at].taken.iter().copied()).collect();
        self.count_taken(at, &taken, false);
        self.lines[at].stopped_at = instance;
        self.count_taken(at, &taken, true);
        self.step_up(at);
    }

    /// When the next low-priority head counts as normal.
    #[must_use]
    pub fn next_ageing(&self) -> Option<Instant> {
        self.ages.first().map(|&(at, _)| at)
    }

    /// Lets one head count as normal that has waited long enough; says where it is stopped.
    pub fn age(&mut self, now: Instant) -> Option<InstanceId> {
        let &(_, at) = self.ages.first().filter(|&&(due, _)| due <= now)?;
        let head = self.lines[at].head()?;
        self.step_back(at, Some(head));
        let (client, stopped_at) = (self.lines[at].flow.client, self.lines[at].stopped_at);
        for charge in self.nodes[head].waiting.charges.clone() {
            let shares = &mut self.stop_mut(charge.instance).shares;
            shares.enter(Priority::Normal, client, charge.cost);
            shares.leave(Priority::Low, client, charge.cost);
        }
        self.nodes[head].priority = Priority::Normal;
        self.step_up(at);
        Some(stopped_at)
    }

    /// All lines.
    #[must_use]
    pub fn lines(&self) -> Vec<usize> {
        self.lines.iter().map(|(at, _)| at).collect()
    }

    /// Every line, in short.
    pub fn line_summaries(&self) -> impl Iterator<Item = LineSummary> {
        self.lines.iter().filter_map(|(_, line)| {
            let oldest = self.nodes[line.head()?].waiting.arrived;
            Some(LineSummary { flow: line.flow.clone(), count: line.count, stopped_at: line.stopped_at, oldest })
        })
    }

    /// The last of a line, with the priority that it has by now, and whether it is the only one.
    #[must_use]
    pub fn last_in(&self, line: usize) -> Option<(Flow, Ticket, &QueuedRequest<W>, bool)> {
        let line = self.lines.get(line)?;
        let node = line.tail()?;
        let QueueNode { priority, waiting, .. } = &self.nodes[node];
        Some((Flow { priority: *priority, ..line.flow.clone() }, self.ticket(node), waiting, line.head() == Some(node)))
    }

    /// A waiting request, with what it has in common with others.
    #[must_use]
    pub fn find(&self, ticket: Ticket) -> Option<(&Flow, &QueuedRequest<W>)> {
        let node = self.node(ticket)?;
        Some((&self.lines[node.at.line].flow, &node.waiting))
    }

    /// All who wait, in no order.
    pub fn all(&self) -> impl Iterator<Item = (&Flow, Seq, &QueuedRequest<W>)> {
        self.nodes.iter().map(|(_, node)| (&self.lines[node.at.line].flow, node.at.seq, &node.waiting))
    }

    /// Takes out all requests, in no order.
    pub fn drain(&mut self) -> impl Iterator<Item = QueuedRequest<W>> + use<W> {
        let fresh = Self {
            next: self.next,
            entries: self.entries,
            ..Self::new(std::mem::take(&mut self.weights), self.ageing)
        };
        std::mem::replace(self, fresh).nodes.into_iter().map(|(_, node)| node.waiting)
    }

    fn ticket(&self, node: usize) -> Ticket {
        let Slot { seq, number, .. } = self.nodes[node].at;
        Ticket { node, seq, number }
    }

    fn node(&self, ticket: Ticket) -> Option<&QueueNode<W>> {
        self.nodes.get(ticket.node).filter(|node| node.at.number == ticket.number)
    }

    fn line_of(&mut self, flow: Flow, stopped_at: InstanceId) -> usize {
        let lines = &mut self.lines;
        *self.by_flow.entry(flow).or_insert_with_key(|flow| lines.insert(FlowLine::new(flow.clone(), stopped_at)))
    }

    /// The head of a line takes its place among those who are stopped where it is.
    fn step_up(&mut self, at: usize) {
        let line = &self.lines[at];
        let Some(head) = line.head() else { return };
        let (node, stopped_at) = (&self.nodes[head], line.stopped_at);
        let rank = self.rank_at(node, stopped_at);
        if node.priority == Priority::Low {
            self.ages.insert((node.waiting.arrived + self.ageing, at));
        }
        let client = line.flow.client;
        self.stop_mut(stopped_at).heads.enter(client, rank, at);
    }

    /// It leaves that place.
    fn step_back(&mut self, at: usize, head: Option<usize>) {
        let stopped_at = self.lines[at].stopped_at;
        let Some(head) = head else { return };
        let (node, client) = (&self.nodes[head], self.lines[at].flow.client);
        if node.priority == Priority::Low {
            self.ages.remove(&(node.waiting.arrived + self.ageing, at));
        }
        let (priority, seq) = (node.priority, node.at.seq);
        let stop = self.stop_mut(stopped_at);
        let due = stop.shares.due(priority, client);
        stop.heads.leave(client, Rank { priority, due, seq }, at);
    }

    fn rank_at(&self, node: &QueueNode<W>, instance: InstanceId) -> Rank {
        let client = self.lines[node.at.line].flow.client;
        let due = self.stops.get(instance.index()).map_or(0, |stop| stop.shares.due(node.priority, client));
        Rank { priority: node.priority, due, seq: node.at.seq }
    }

    fn count_elsewhere(&mut self, at: usize, charges: &[Charge], comes: bool) {
        let charged: Charged = charges.iter().map(|charge| (charge.instance, u64::from(charge.cost))).collect();
        self.count_taken(at, &charged, comes);
    }

    /// Where else they will take something who are stopped at one of their pools.
    fn count_taken(&mut self, at: usize, charged: &[(InstanceId, u64)], comes: bool) {
        let stopped_at = self.lines[at].stopped_at;
        let there = charged.iter().find(|&&(instance, _)| instance == stopped_at).map_or(0, |&(_, cost)| cost);
        for &(instance, here) in charged.iter().filter(|&&(instance, _)| instance != stopped_at) {
            self.stop_mut(instance).count_elsewhere(stopped_at, here, there, comes);
        }
    }

    fn stop_mut(&mut self, instance: InstanceId) -> &mut Stop {
        let index = instance.index();
        if index >= self.stops.len() {
            self.stops.resize_with(index + 1, Stop::default);
        }
        &mut self.stops[index]
    }
}

type Charged = SmallVec<[(InstanceId, u64); 2]>;
