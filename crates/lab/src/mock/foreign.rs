use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::windows::ByWindow;

/// Requests of another client of the account: a random number in every window, at random times.
#[derive(Debug)]
pub(super) struct ForeignTraffic {
    chance: fastrand::Rng,
    per: Duration,
    /// The largest number in a window.
    most: u32,
    /// The end of the current window.
    ends: Instant,
    /// The arrivals in it that are not yet due.
    due: VecDeque<Instant>,
}

/// What foreign traffic used of a limit.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ForeignUse {
    /// Admitted, by window.
    #[serde(rename = "admitted_by_window")]
    pub admitted: ByWindow,
    /// Dropped, for lack of room.
    pub dropped: u64,
}

impl ForeignTraffic {
    /// No traffic yet.
    pub(super) fn new(chance: fastrand::Rng, per: Duration, now: Instant) -> Self {
        Self { chance, per, most: 0, ends: now, due: VecDeque::new() }
    }

    /// Allows up to `most` arrivals a window. If that is a change, a window begins now.
    pub(super) fn begin(&mut self, most: u32, now: Instant) {
        if self.most != most {
            (self.most, self.ends) = (most, now);
            self.due.clear();
        }
    }

    /// The next arrival, if it is due by now.
    pub(super) fn next(&mut self, now: Instant) -> Option<Instant> {
        while self.due.is_empty() && self.ends <= now && self.most > 0 {
            self.draw();
        }
        self.due.pop_front_if(|at| *at <= now)
    }

    /// Draws the arrivals of the next window.
    fn draw(&mut self) {
        let count = self.chance.u32(0..=self.most);
        let mut due: Vec<Instant> = (0..count).map(|_| self.ends + self.per.mul_f64(self.chance.f64())).collect();
        due.sort_unstable();
        (self.due, self.ends) = (due.into(), self.ends + self.per);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(6);

    /// The times of all arrivals in the first ten windows, from the start.
    fn arrivals(seed: u64, most: u32) -> Vec<Duration> {
        let began = tokio::time::Instant::now().into_std();
        let mut foreign = ForeignTraffic::new(fastrand::Rng::with_seed(seed), WINDOW, began);
        foreign.begin(most, began);
        std::iter::from_fn(|| foreign.next(began + WINDOW * 10)).map(|at| at - began).collect()
    }

    #[test]
    fn somebody_else_comes_up_to_so_often_in_a_window_and_not_equally_often_in_each() {
        let arrivals = arrivals(7, 50);
        let counts = (0..10).map(|window| {
            let is_in = |at: &&Duration| (WINDOW * window..WINDOW * (window + 1)).contains(*at);
            arrivals.iter().filter(is_in).count()
        });
        let counts: Vec<usize> = counts.collect();
        assert!(
            counts.iter().all(|&count| count <= 50) && counts.iter().any(|&count| count != counts[0]),
            "{counts:?}"
        );
        assert!((150..350).contains(&arrivals.len()), "{}", arrivals.len());
        assert!(arrivals.is_sorted());
    }

    #[test]
    fn the_same_seed_brings_somebody_else_at_the_same_moments() {
        assert_eq!(arrivals(7, 50), arrivals(7, 50));
        assert_ne!(arrivals(7, 50), arrivals(8, 50));
    }

    #[test]
    fn what_changes_nothing_for_somebody_else_does_not_move_him() {
        let began = tokio::time::Instant::now().into_std();
        let mut foreign = ForeignTraffic::new(fastrand::Rng::with_seed(7), WINDOW, began);
        foreign.begin(50, began);
        let first = foreign.next(began + WINDOW * 10);
        foreign.begin(50, began + WINDOW / 2);
        let all = first.into_iter().chain(std::iter::from_fn(|| foreign.next(began + WINDOW * 10)));
        assert_eq!(all.map(|at| at - began).collect::<Vec<_>>(), arrivals(7, 50));
    }

    #[test]
    fn nobody_comes_before_his_time_or_if_nobody_is_there() {
        assert!(arrivals(7, 0).is_empty());
        let began = tokio::time::Instant::now().into_std();
        let mut foreign = ForeignTraffic::new(fastrand::Rng::with_seed(7), WINDOW, began);
        foreign.begin(50, began);
        let first = began + arrivals(7, 50)[0];
        assert_eq!(foreign.next(first.checked_sub(Duration::from_nanos(1)).expect("a time")), None);
        assert_eq!(foreign.next(first), Some(first));
    }
}
