use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::limit::InstanceId;

const SOONEST: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_mins(1);

/// When those who were refused have been told to come back: one by one, so that they do not come as a herd.
#[derive(Debug, Default)]
pub(super) struct Promises {
    next: HashMap<InstanceId, Instant>,
    beyond: u32,
}

/// Multiples of it, modulo one, are spread as evenly as can be, however many there are (the golden ratio's fraction).
const GOLDEN: f64 = 0.618_033_988_749_894_9;

impl Promises {
    /// A time of its own to come back to this instance, not before `room` and one `gap` after whoever was told last.
    ///
    /// Nobody can be told more than a minute; those beyond it are spread over its second half.
    pub(super) fn slot(&mut self, now: Instant, at: InstanceId, room: Instant, gap: Duration) -> Duration {
        let slot = self.next.get(&at).map_or(room, |&next| next.max(room)).max(now + SOONEST);
        if slot <= now + LATEST {
            self.next.insert(at, slot + gap.min(LATEST));
            return slot - now;
        }
        self.beyond = self.beyond.wrapping_add(1);
        LATEST / 2 + (LATEST / 2).mul_f64((f64::from(self.beyond) * GOLDEN).fract())
    }

    /// Whether nothing is promised.
    pub(super) fn is_empty(&self) -> bool {
        self.next.is_empty()
    }

    /// Forgets what is past.
    pub(super) fn sweep(&mut self, now: Instant) {
        self.next.retain(|_, next| *next > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::{Ledger, Limits, PoolId, Shape};

    #[test]
    fn each_refused_gets_a_time_of_its_own_between_one_second_and_sixty() {
        let limits = Limits { requests: vec![], in_flight: None, shape: Shape::Window, margin: Duration::ZERO };
        let at = Ledger::new(vec![limits]).instance(PoolId(0), None);
        let (mut promises, now) = (Promises::default(), tokio::time::Instant::now().into_std());
        let gap = Duration::from_millis(700);
        let told: Vec<_> = (0..80).map(|_| promises.slot(now, at, now, gap)).collect();
        assert_eq!(told[..3], [1_000, 1_700, 2_400].map(Duration::from_millis));
        assert!(told.iter().all(|wait| (SOONEST..=LATEST).contains(wait)), "{told:?}");
        let mut distinct = told.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), told.len(), "{told:?}");
    }

    #[test]
    fn what_was_promised_for_a_past_time_is_forgotten() {
        let limits = Limits { requests: vec![], in_flight: None, shape: Shape::Window, margin: Duration::ZERO };
        let at = Ledger::new(vec![limits]).instance(PoolId(0), None);
        let (mut promises, now) = (Promises::default(), tokio::time::Instant::now().into_std());
        promises.slot(now, at, now, SOONEST);
        promises.sweep(now + LATEST);
        assert!(promises.next.is_empty());
    }
}
