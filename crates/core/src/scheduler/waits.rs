//! How long requests waited for each pool instance in the last minute.

use std::time::{Duration, Instant};

use crate::limit::{Charge, InstanceId};

/// How long the requests that went in the last minute had waited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecentWaits {
    /// How many went.
    pub requests: u64,
    /// One half had waited no longer; as a bound that is up to a third too long.
    pub p50: Duration,
    /// All but a twentieth had waited no longer, in the same way.
    pub p95: Duration,
    /// The longest.
    pub longest: Duration,
}

/// The waits at all pool instances.
#[derive(Clone, Debug, Default)]
pub(super) struct WaitLog {
    of: Vec<Option<Box<InstanceWaits>>>,
}

/// The waits at one, in slots of a quarter of a minute. Four of them are full, and one is being filled.
#[derive(Clone, Debug)]
struct InstanceWaits {
    /// When the slot that is being filled began.
    began: Instant,
    slots: [WaitCounts; SLOTS],
    /// The slot that is being filled.
    at: usize,
}

#[derive(Clone, Copy, Debug)]
struct WaitCounts {
    /// How many waited no longer than each of [`BOUNDS_MS`], and longer than the one before.
    counts: [u16; BOUNDS_MS.len()],
    longest_ms: u32,
}

const SLOT: Duration = Duration::from_secs(15);
const SLOTS: usize = 5;

/// From no wait at all to ten minutes and more, each a third longer than the one before. A guess: as fine as people ask, and
/// 500 bytes an instance.
const BOUNDS_MS: [u32; 48] = {
    let (mut bounds, mut at) = ([0; 48], 1);
    while at < bounds.len() {
        let before = bounds[at - 1];
        bounds[at] = before + 1 + before / 3;
        at += 1;
    }
    bounds
};

impl WaitLog {
    /// A request goes that takes these, at once.
    pub(super) fn went_at_once(&mut self, now: Instant, charges: &[Charge]) {
        charges.iter().for_each(|charge| self.slot(now, charge.instance).add(0));
    }

    /// A request goes that takes these and has waited so long, at last for this instance.
    pub(super) fn went(&mut self, now: Instant, charges: &[Charge], waited_for: InstanceId, wait: Duration) {
        let ms = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX);
        for charge in charges {
            let own = if charge.instance == waited_for { ms } else { 0 };
            self.slot(now, charge.instance).add(own);
        }
    }

    /// The waits of the last minute.
    pub(super) fn recent(&self, now: Instant, instance: InstanceId) -> RecentWaits {
        let known = self.of.get(instance.index()).and_then(Option::as_ref);
        known.map_or_else(RecentWaits::default, |waits| waits.recent(now))
    }

    /// Forgets the instances that are there no more.
    pub(super) fn sweep(&mut self, is_there: impl Fn(usize) -> bool) {
        let gone = self.of.iter_mut().enumerate().filter(|&(slot, _)| !is_there(slot));
        gone.for_each(|(_, waits)| *waits = None);
    }

    fn slot(&mut self, now: Instant, instance: InstanceId) -> &mut WaitCounts {
        if self.of.len() <= instance.index() {
            self.of.resize_with(instance.index() + 1, || None);
        }
        let waits = self.of[instance.index()].get_or_insert_with(|| Box::new(InstanceWaits::new(now)));
        waits.turn(now);
        &mut waits.slots[waits.at]
    }
}

impl InstanceWaits {
    fn new(now: Instant) -> Self {
        Self { began: now, slots: [WaitCounts::EMPTY; SLOTS], at: 0 }
    }

    /// Empties the slots whose time is over.
    fn turn(&mut self, now: Instant) {
        let over = self.slots_over(now);
        if over == 0 {
            return;
        }
        for _ in 0..over.min(SLOTS) {
            self.at = (self.at + 1) % SLOTS;
            self.slots[self.at] = WaitCounts::EMPTY;
        }
        self.began += SLOT * u32::try_from(over).unwrap_or(u32::MAX);
    }

    /// How many slots have ended since the one that is being filled began.
    fn slots_over(&self, now: Instant) -> usize {
        let age = now.saturating_duration_since(self.began);
        if age < SLOT { 0 } else { usize::try_from(age.as_secs() / SLOT.as_secs()).unwrap_or(usize::MAX) }
    }

    fn recent(&self, now: Instant) -> RecentWaits {
        let kept = SLOTS.saturating_sub(self.slots_over(now));
        let slots: Vec<&WaitCounts> = (0..kept).map(|back| &self.slots[(self.at + SLOTS - back) % SLOTS]).collect();
        let count = |at: usize| slots.iter().map(|slot| u64::from(slot.counts[at])).sum::<u64>();
        let counts: Vec<u64> = (0..BOUNDS_MS.len()).map(count).collect();
        let longest = slots.iter().map(|slot| slot.longest_ms).max().unwrap_or_default();
        let quantile = |hundredths| Duration::from_millis(quantile_ms(&counts, hundredths).min(longest).into());
        RecentWaits {
            requests: counts.iter().sum(),
            p50: quantile(50),
            p95: quantile(95),
            longest: Duration::from_millis(longest.into()),
        }
    }
}

impl WaitCounts {
    const EMPTY: Self = Self { counts: [0; BOUNDS_MS.len()], longest_ms: 0 };

    fn add(&mut self, ms: u32) {
        // Most do not wait.
        let at = if ms == 0 { 0 } else { BOUNDS_MS.partition_point(|&bound| bound < ms).min(BOUNDS_MS.len() - 1) };
        self.counts[at] = self.counts[at].saturating_add(1);
        self.longest_ms = self.longest_ms.max(ms);
    }
}

/// The bound up to which so many hundredths of all are; beyond the last there is none.
fn quantile_ms(counts: &[u64], hundredths: u64) -> u32 {
    let (all, mut sum) = (counts.iter().sum::<u64>(), 0);
    let reached = counts.iter().position(|count| {
        sum += count;
        sum * 100 >= all * hundredths
    });
    reached.filter(|&at| at + 1 < BOUNDS_MS.len()).map_or(u32::MAX, |at| BOUNDS_MS[at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::tests::start;
    use crate::limit::{Ledger, Limits, PoolId};

    fn instances() -> (InstanceId, InstanceId) {
        let mut ledger = Ledger::new(vec![Limits::default(), Limits::default()]);
        (ledger.instance(PoolId(0), None), ledger.instance(PoolId(1), None))
    }

    #[test]
    fn bounds_reach_ten_minutes_in_steps_of_a_third() {
        assert_eq!(BOUNDS_MS[..8], [0, 1, 2, 3, 5, 7, 10, 14]);
        assert!(BOUNDS_MS[46] > 600_000, "{BOUNDS_MS:?}");
        assert!(BOUNDS_MS.windows(2).skip(3).all(|two| two[1] * 3 <= two[0] * 4 + 3));
    }

    #[test]
    fn quantiles_count_those_that_did_not_wait() {
        let ((here, other), mut log) = (instances(), WaitLog::default());
        let charges = [here, other].map(|instance| Charge { instance, cost: 1 });
        for _ in 0..60 {
            log.went_at_once(start(), &charges);
        }
        for _ in 0..40 {
            log.went(start(), &charges, here, Duration::from_secs(20));
        }
        let waits = log.recent(start(), here);
        assert_eq!((waits.requests, waits.p50, waits.longest), (100, Duration::ZERO, Duration::from_secs(20)));
        assert_eq!(waits.p95, Duration::from_secs(20), "no longer than the longest");
        assert_eq!(log.recent(start(), other).longest, Duration::ZERO, "it was not waited for");
        log.went(start(), &charges, here, Duration::from_secs(200));
        let p95 = log.recent(start(), here).p95;
        assert!((20_000..27_000).contains(&p95.as_millis()), "{p95:?}");
    }

    #[test]
    fn waits_are_forgotten_after_a_minute() {
        let ((here, _), mut log) = (instances(), WaitLog::default());
        let (charges, second) = ([Charge { instance: here, cost: 1 }], Duration::from_secs(1));
        for at in 0..300 {
            log.went(start() + at * second, &charges, here, at * second);
        }
        let now = start() + 299 * second;
        let waits = log.recent(now, here);
        assert!((60..=75).contains(&waits.requests), "{waits:?}");
        assert_eq!(log.recent(now + 45 * second, here).requests, waits.requests - 45);
        assert_eq!(log.recent(now + 75 * second, here), RecentWaits::default());
    }
}
