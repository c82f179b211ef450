/// How much the counts differ at which the upstream begins to refuse: hardly, where the limit is ours alone.
#[derive(Clone, Debug, Default)]
pub(in crate::estimate) struct Spread {
    /// The logarithms of the last counts.
    counts: [f32; KEPT],
    seen: usize,
    seen_at: u64,
}

/// So many are compared. A guess.
const KEPT: usize = 6;

/// The first met what had been saved up before. A guess.
const FIRST: usize = 1;

/// Refusals within this part of a window have the same cause. A guess.
const SETTLES_PART: u64 = 3;

/// The standard deviation of their logarithms from which on somebody else must take a part. Tuned.
const VARIES: f32 = 0.11;

impl Spread {
    pub(in crate::estimate) fn refused(&mut self, at: u64, used: u16, per: u64) {
        let is_same = self.seen > 0 && at < self.seen_at + per / SETTLES_PART;
        self.seen_at = at;
        if is_same {
            return;
        }
        self.counts[self.seen % KEPT] = f32::from(used.max(1)).ln();
        self.seen += 1;
    }

    pub(in crate::estimate) fn varies(&self) -> bool {
        if self.seen < FIRST + 3 {
            return false;
        }
        let first = if self.seen <= KEPT { FIRST } else { 0 };
        let counts = &self.counts[first..self.seen.min(KEPT)];
        let number = counts.len() as f32;
        let mean = counts.iter().sum::<f32>() / number;
        let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f32>() / (number - 1.0);
        variance.sqrt() > VARIES
    }
}
