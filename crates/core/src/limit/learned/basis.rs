use std::num::NonZeroU32;
use std::time::Duration;

use crate::limit::Rate;
use crate::limit::pace::Pace;
use crate::limit::window::Window;

/// Within so long as many may go at once as would go evenly. A guess: a timer is 1 ms late.
const TIMER: Duration = Duration::from_millis(10);

/// What is known before anything is learned.
#[derive(Clone, Copy, Debug)]
pub(in crate::limit) struct Basis {
    /// The configured limit, if there is one.
    pub(in crate::limit) limit: Option<u32>,
    /// The window that is counted in.
    pub(in crate::limit) per: Duration,
    /// Against jitter on the way.
    pub(in crate::limit) margin: Duration,
}

impl Basis {
    /// Of what this window counts.
    pub(in crate::limit) fn of(log: &Window, margin: Duration) -> Self {
        Self { limit: (!log.is_open()).then(|| log.rate().amount()), per: log.rate().per(), margin }
    }

    /// So many in each window, evenly, as far as a timer can: it is up to a millisecond late, and that must not add up.
    pub(super) fn even(self, amount: u32) -> Pace {
        let at_least_one = |count: u32| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        let rate = Rate::new(at_least_one(amount), self.per + self.margin).expect("a window takes some time");
        let at_once = TIMER.as_nanos() / rate.interval().as_nanos().max(1);
        Pace::new(rate, Duration::ZERO, at_least_one(u32::try_from(at_once).unwrap_or(u32::MAX).saturating_add(1)))
    }
}
