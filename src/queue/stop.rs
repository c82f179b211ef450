use std::collections::{BTreeMap, BTreeSet};

use super::Seq;
use super::shares::Shares;
use crate::limit::InstanceId;
use crate::route::Priority;

/// A pool instance as those who wait see it.
#[derive(Clone, Debug, Default)]
pub(super) struct Stop {
    /// The heads that are stopped here, the next one first.
    pub(super) heads: BTreeSet<(Rank, usize)>,
    /// How many wait that need this instance, wherever they are stopped, and what memory they take.
    pub(super) waiting: usize,
    pub(super) bytes: u64,
    /// How many places are kept for those who were told to come back.
    pub(super) kept: usize,
    /// What each client has had of it.
    pub(super) shares: Shares,
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

impl Stop {
    /// Somebody who is stopped elsewhere comes or goes.
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
