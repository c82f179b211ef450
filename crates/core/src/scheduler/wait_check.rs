use std::time::Duration;

use super::rules::PoolRules;
use crate::limit::PoolId;
use crate::refusal::Reason;

/// One of the pools that a request needs, with those who wait for it: what decides whether one more may.
#[derive(Clone, Copy, Debug)]
pub struct PoolLine {
    /// Which pool.
    pub pool: PoolId,
    /// How it treats waiting requests.
    pub rules: PoolRules,
    /// How many requests wait for it.
    pub waiting: usize,
    /// How many positions are reserved for refused clients that come back.
    pub reserved: usize,
    /// How much memory the waiting requests use, in bytes.
    pub bytes: u64,
    /// The request could go now.
    pub has_room: bool,
}

/// The one place that decides whether a request that cannot go now may wait: for the scheduler, and for `explain`. In
/// [`WaitCheck::refuses`] the first reason counts.
#[derive(Clone, Copy, Debug)]
pub struct WaitCheck {
    /// How many requests wait in all, positions that are reserved for others not counted.
    pub waiting: usize,
    /// How many positions are reserved.
    pub reserved: usize,
    /// How many requests may wait in all.
    pub max_waiting: usize,
    /// How much memory the request needs while it waits, in bytes.
    pub bytes: u64,
    /// How long it would wait.
    pub eta: Duration,
}

impl WaitCheck {
    /// Why the request may not wait, and which of its pools decides that; nothing where it may.
    #[must_use]
    pub fn refuses(self, lines: &[PoolLine]) -> Option<(Reason, usize)> {
        let Self { waiting, reserved, max_waiting, eta, .. } = self;
        if waiting + reserved >= max_waiting {
            return Some((Reason::QueueFull { pool: None, waiting, eta }, 0));
        }
        lines.iter().enumerate().find_map(|(at, line)| self.refuses_at(line).map(|reason| (reason, at)))
    }

    fn refuses_at(self, line: &PoolLine) -> Option<Reason> {
        let (eta, &PoolLine { pool, rules, waiting, reserved, bytes, has_room }) = (self.eta, line);
        if rules.refuse_when_full && !has_room {
            Some(Reason::NoQueue { pool, eta })
        } else if waiting + reserved >= rules.max_waiting {
            Some(Reason::QueueFull { pool: Some(pool), waiting, eta })
        } else if bytes.saturating_add(self.bytes) > rules.max_bytes {
            Some(Reason::TooManyBytes { pool, bytes })
        } else {
            None
        }
    }
}
