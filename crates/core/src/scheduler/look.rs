//! Reads the state: as a whole, or some instances at a time, so that no request waits for a reader.

use std::time::Instant;

use super::diagnosis::{InstanceFacts, diagnose};
use super::forecast::tolerance;
use super::snapshot::{InstanceState, Snapshot};
use super::state::Scheduler;
use super::waiters::WaitersByInstance;
use crate::limit::{InstanceId, InstanceUsage, PoolUsage};
use crate::queue::{ClientId, LineSummary};

/// The pool instances that are still to be looked at.
pub struct Rest {
    ids: Vec<InstanceId>,
    lines: Vec<LineSummary>,
    crowd: Option<WaitersByInstance>,
    /// Whose next request is foretold; without one, that of a client with nothing in line.
    client: Option<ClientId>,
}

/// For how many of the clients that wait at an instance the next request is foretold. A guess: it bounds how long a reader
/// keeps the lock.
const FORETOLD: usize = 3;

impl<W> Scheduler<W> {
    /// The state at `now` without any pool instance, and what leads to those.
    #[must_use]
    pub fn overview(&self, now: Instant) -> (Snapshot, Rest) {
        let refusals = self.refusals.iter().map(|(&(pool, cause), &count)| (pool, cause, count));
        let mut ids = self.ledger.ids();
        ids.reverse();
        let snapshot = Snapshot {
            at: now,
            waiting: self.queue.len(),
            totals: self.totals,
            draining: self.draining,
            refusals: refusals.collect(),
            instances: Vec::with_capacity(ids.len()),
        };
        let lines = self.queue.line_summaries().collect();
        (snapshot, Rest { ids, lines, crowd: None, client: None })
    }

    fn instance(
        &mut self,
        now: Instant,
        id: InstanceId,
        crowd: &mut WaitersByInstance,
        client: Option<ClientId>,
    ) -> Option<InstanceState> {
        let InstanceUsage { pool, key, usage, fill } = self.ledger.usage(now, id)?;
        let evidence = self.evidence.view(now, id);
        let most_in_flight = self.ledger.limits(pool).in_flight;
        let diagnosis = diagnose(InstanceFacts { now, usage: &usage, most_in_flight, evidence: &evidence });
        let waiters = crowd.at(id);
        let mut next = |client| self.turn_of_next(now, id, Some(client)).saturating_duration_since(now);
        let next_of = waiters.of.iter().take(FORETOLD).map(|&(client, _)| next(client)).collect();
        Some(InstanceState {
            pool,
            key,
            fill,
            waiters,
            waiting: self.queue.waiting_for(id),
            head_goes: self.head_goes(id),
            stalled_since: self.stalled_since(now, id, &usage),
            eta: self.turn_of_next(now, id, client).saturating_duration_since(now),
            next_of,
            waits: self.waits.recent(now, id),
            usage,
            evidence,
            diagnosis,
        })
    }

    /// When the first head stopped here goes; nothing where it waits for a request in flight to end.
    pub(super) fn head_goes(&self, instance: InstanceId) -> Option<Instant> {
        self.timers.wake_of(instance).filter(|_| self.queue.is_stopped_at(instance))
    }

    /// Since when this instance keeps them for longer than the forecast bears, or because the upstream refused.
    pub(super) fn stalled_since(&self, now: Instant, instance: InstanceId, taken: &PoolUsage) -> Option<Instant> {
        let refused = taken.learned.filter(|learned| learned.not_until.is_some());
        let held = refused.and_then(|learned| learned.refused_at);
        held.or_else(|| {
            let (_, head) = self.queue.first_at(instance)?;
            let late = head.turn + tolerance(head.turn - head.arrived);
            (late < now).then_some(head.turn)
        })
    }
}

impl Rest {
    /// The next so many instances, if they are still there.
    pub fn next<W>(&mut self, scheduler: &mut Scheduler<W>, now: Instant, most: usize) -> Vec<InstanceState> {
        let Self { ids, lines, crowd, client } = self;
        let crowd = crowd.get_or_insert_with(|| WaitersByInstance::new(lines));
        let some = ids.split_off(ids.len().saturating_sub(most)).into_iter().rev();
        some.filter_map(|id| scheduler.instance(now, id, crowd, *client)).collect()
    }

    /// Has the next request of this client foretold.
    #[must_use]
    pub fn foretelling(self, client: ClientId) -> Self {
        Self { client: Some(client), ..self }
    }

    /// Does what needs no scheduler.
    pub fn prepare(&mut self) {
        self.crowd = Some(WaitersByInstance::new(&self.lines));
    }

    /// Whether all have been looked at.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }
}
