use std::collections::BTreeMap;

use super::ClientId;
use crate::route::Priority;

/// What one unit of cost is in virtual time, for a client of weight 1: so much that a client of the heaviest weight,
/// 1000, loses less than a ten-thousandth to rounding, and 500 billion units fit.
pub(super) const UNIT: u64 = 1 << 24;

/// How many clients a forecast looks at; of more than these it takes the first for the rest. A guess: it bounds what an
/// arrival costs.
const LOOKED_AT: usize = 64;

/// Clients are swept once there are this many, and then at twice what is left. A guess.
const SWEPT_FROM: usize = 64;

/// Who has had how much of a pool instance while others waited for it: start-time fair queueing, which gives every client
/// its share as deficit round-robin does, and a newcomer its turn a round earlier.
///
/// Each priority has a virtual time. A client's next request is due at the virtual time at which its last one was paid
/// off; one that has had nothing lately is due now. So a light client goes at once, however long the line of another.
#[derive(Clone, Debug, Default)]
pub(super) struct FairShares {
    now: [u64; 3],
    of: BTreeMap<(Priority, ClientId), ClientShare>,
    /// What all take who wait.
    waiting: [u64; 3],
    /// At how many clients it is looked which of them can be forgotten.
    sweep_at: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct ClientShare {
    /// The virtual time at which what the client has had is paid off.
    paid: u64,
    /// What those of it take who wait, or were promised a place, and how many they are.
    waiting: u64,
    count: u64,
}

impl FairShares {
    /// The virtual time at which the next of a client is due.
    pub(super) fn due(&self, priority: Priority, client: ClientId) -> u64 {
        let paid = self.of.get(&(priority, client)).map_or(0, |share| share.paid);
        paid.max(self.now[priority as usize])
    }

    /// One of a client goes.
    pub(super) fn serve(&mut self, priority: Priority, client: ClientId, cost: u32, weight: u32) {
        let due = self.due(priority, client);
        self.now[priority as usize] = due;
        if let Some(share) = self.of.get_mut(&(priority, client)) {
            share.paid = due + u64::from(cost) * UNIT / u64::from(weight);
        }
    }

    /// One of a client comes to wait.
    pub(super) fn enter(&mut self, priority: Priority, client: ClientId, cost: u32) {
        if self.of.len() > self.sweep_at {
            let now = self.now;
            self.of.retain(|&(priority, _), share| share.count > 0 || share.paid > now[priority as usize]);
            self.sweep_at = SWEPT_FROM.max(2 * self.of.len());
        }
        let share = self.of.entry((priority, client)).or_default();
        share.waiting += u64::from(cost);
        share.count += 1;
        self.waiting[priority as usize] += u64::from(cost);
    }

    /// A request of a client no longer waits. With the last of all, what each client had is forgotten.
    pub(super) fn leave(&mut self, priority: Priority, client: ClientId, cost: u32) {
        let Some(share) = self.of.get_mut(&(priority, client)) else { return };
        share.waiting -= u64::from(cost);
        share.count -= 1;
        self.waiting[priority as usize] -= u64::from(cost);
        if self.waiting() == 0 {
            self.of.clear();
            self.now = [0; 3];
        }
    }

    /// What goes before one of a client, of whose own `own` does: all of them where it is yet to come.
    pub(super) fn before(
        &self,
        priority: Priority,
        client: ClientId,
        own: Option<u64>,
        weight: impl Fn(ClientId) -> u32,
    ) -> u64 {
        let class = priority as usize;
        let higher: u64 = self.waiting[..class].iter().sum();
        let all_own = self.of.get(&(priority, client)).map_or(0, |share| share.waiting);
        let own = own.unwrap_or(all_own);
        let due = self.due(priority, client) + own * UNIT / u64::from(weight(client));
        let peers = self.of.range((priority, ClientId(0))..=(priority, ClientId(u64::MAX)));
        let peers = peers.filter(|&(&(_, peer), share)| peer != client && share.waiting > 0);
        let (mut before, mut looked_at, mut seen) = (0, 0, 0);
        for (&(_, peer), share) in peers.take(LOOKED_AT) {
            looked_at += 1;
            seen += share.waiting;
            before += share.before(due, self.now[class], weight(peer));
        }
        let others = self.waiting[class].saturating_sub(all_own);
        let all = if looked_at < LOOKED_AT { before } else { before * others / seen.max(1) };
        higher + own + all
    }

    /// How many clients wait.
    pub(super) fn clients(&self) -> u64 {
        self.of.values().filter(|share| share.count > 0).count() as u64
    }

    /// What all of them take who wait.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting.iter().sum()
    }
}

impl ClientShare {
    /// What of it is due up to this virtual time.
    fn before(&self, due: u64, now: u64, weight: u32) -> u64 {
        let first = self.paid.max(now);
        if first > due {
            return 0;
        }
        let each = self.waiting.div_ceil(self.count).max(1);
        let rounds = (due - first) * u64::from(weight) / (each * UNIT) + 1;
        (rounds * each).min(self.waiting)
    }
}
