//! When a request may go that is held back, to tell two hypotheses apart.

/// The second is tried after so long: that tells a window of a second, and what is in flight, from longer windows.
const SECOND: u64 = 1_100_000_000;

/// Challenges that are refused are so many windows apart at most. A guess.
const APART: u32 = 16;

/// After challenges that were accepted so many more may be under way at once. A guess.
const MOST_AT_ONCE: u32 = 3;

/// So many challenges may be refused; the next waits for twice this many acceptances, and so on. A guess.
const FREE_CHALLENGES: u32 = 2;
const COSTLY: u64 = 50;

/// The challenges of one record.
#[derive(Debug, Default)]
pub(super) struct Challenge {
    pub(super) under_way: u32,
    /// Accepted in a row: as many more may be under way at once.
    accepted: u32,
    not_before: u64,
    /// How many must be accepted first, so that refused challenges stay a small part.
    accepted_before: u64,
    /// Refused in a row, and when the last was.
    refused: u32,
    refused_at: u64,
}

impl Challenge {
    pub(super) fn may_go(&self, at: u64, accepted: u64) -> bool {
        at >= self.not_before
            && accepted >= self.accepted_before
            && self.under_way <= (self.accepted / 3).min(MOST_AT_ONCE)
    }

    /// One was answered that was sent at `sent_at`, where so many have been accepted in all.
    pub(super) fn answered(&mut self, at: u64, sent_at: u64, refused: bool, per: u64, accepted: u64) {
        self.under_way = self.under_way.saturating_sub(1);
        if !refused {
            self.accepted += 1;
            self.not_before = self.not_before.max(at);
            return;
        }
        // What was under way with one that was refused says the same.
        if self.refused > 0 && sent_at < self.refused_at {
            return;
        }
        self.refused_at = at;
        self.refused = if self.accepted > 0 { 1 } else { self.refused + 1 };
        self.accepted = 0;
        let costly = self.refused.saturating_sub(FREE_CHALLENGES).min(8);
        self.accepted_before = accepted + if costly > 0 { COSTLY << costly } else { 0 };
        let apart = per.saturating_mul(u64::from(self.refused.min(APART) - 1));
        self.not_before = at + apart.max(SECOND.min(per / 2));
    }
}
