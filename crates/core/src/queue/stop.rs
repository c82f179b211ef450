use std::collections::{BTreeMap, BTreeSet};

use super::shares::FairShares;
use super::{ClientId, Seq};
use crate::limit::InstanceId;
use crate::route::Priority;

/// A pool instance as those who wait see it.
#[derive(Clone, Debug, Default)]
pub(super) struct Stop {
    pub(super) heads: Heads,
    /// How many wait that need this instance, wherever they are stopped, and what memory they take.
    pub(super) waiting: usize,
    pub(super) bytes: u64,
    /// How many positions are reserved for refused clients that come back.
    pub(super) reserved: usize,
    /// What each client has had of it.
    pub(super) shares: FairShares,
    /// What those take who are stopped elsewhere: here, and there.
    pub(super) elsewhere: BTreeMap<InstanceId, (u64, u64)>,
}

/// The order in which heads go at one instance; the lesser first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub(super) priority: Priority,
    /// The virtual time at which it is due.
    pub(super) due: u64,
    pub(super) seq: Seq,
}

/// The heads that are stopped at an instance, the next one first. Each client competes with its oldest head, at what it has
/// had by then: so it gets no more for having many lines.
#[derive(Clone, Debug, Default)]
pub(super) struct Heads {
    /// The oldest head of each client with this priority.
    first: BTreeSet<(Rank, usize)>,
    of: BTreeMap<(Priority, ClientId), ClientHeads>,
}

#[derive(Clone, Debug, Default)]
struct ClientHeads {
    /// When the oldest is due.
    due: u64,
    heads: BTreeSet<(Seq, usize)>,
}

impl Heads {
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// Which goes next, and the line whose head it is.
    pub(super) fn first(&self) -> Option<(Rank, usize)> {
        self.first.first().copied()
    }

    /// A head is stopped here, with its rank as it is now.
    pub(super) fn enter(&mut self, client: ClientId, rank: Rank, line: usize) {
        let Rank { priority, due, seq } = rank;
        let own = self.of.entry((priority, client)).or_default();
        own.stand_down(priority, &mut self.first);
        own.heads.insert((seq, line));
        own.due = due;
        own.stand_up(priority, &mut self.first);
    }

    /// It no longer is.
    pub(super) fn leave(&mut self, client: ClientId, rank: Rank, line: usize) {
        let Rank { priority, due, seq } = rank;
        let Some(own) = self.of.get_mut(&(priority, client)) else { return };
        own.stand_down(priority, &mut self.first);
        own.heads.remove(&(seq, line));
        own.due = due;
        own.stand_up(priority, &mut self.first);
        if own.heads.is_empty() {
            self.of.remove(&(priority, client));
        }
    }
}

impl ClientHeads {
    fn stand_up(&self, priority: Priority, first: &mut BTreeSet<(Rank, usize)>) {
        first.extend(self.heads.first().map(|&(seq, line)| (Rank { priority, due: self.due, seq }, line)));
    }

    fn stand_down(&self, priority: Priority, first: &mut BTreeSet<(Rank, usize)>) {
        if let Some(&(seq, line)) = self.heads.first() {
            first.remove(&(Rank { priority, due: self.due, seq }, line));
        }
    }
}

impl Stop {
    /// A request whose line is stopped elsewhere comes or goes.
    pub(super) fn count_elsewhere(&mut self, stopped_at: InstanceId, here: u64, there: u64, comes: bool) {
        let (kept, kept_there) = self.elsewhere.entry(stopped_at).or_default();
        if comes {
            *kept += here;
            *kept_there += there;
            return;
        }
        *kept -= here;
        *kept_there -= there;
        if *kept == 0 {
            self.elsewhere.remove(&stopped_at);
        }
    }
}
