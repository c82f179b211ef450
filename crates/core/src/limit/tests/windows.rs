use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use proptest::prelude::*;

use super::history::{History, Step, any_history};
use super::{capped, just_before, start};
use crate::limit::{Limits, NotYet, Pool, Shape};

/// Amounts up to which a log is kept request by request, small enough to be met soon, and those beyond.
const EXACT: RangeInclusive<u32> = 1..=6;
const IN_GRAINS: RangeInclusive<u32> = 8_193..=50_000;

proptest! {
    #[test]
    fn no_trailing_window_is_ever_over((limits, steps) in prop_oneof![any_history(EXACT), any_history(IN_GRAINS)]) {
        let mut history = History::new(&limits);
        for step in &steps {
            let _ = history.step(step);
        }
        for &rate in &limits.requests {
            for &(end, _) in &history.sent {
                prop_assert!(history.sent_within(rate, end) <= u64::from(rate.amount()), "over {rate}");
            }
        }
    }

    #[test]
    fn what_is_refused_until_an_instant_is_refused_a_nanosecond_before_and_goes_at_it(
        (limits, steps) in prop_oneof![any_history(EXACT), any_history(IN_GRAINS)],
    ) {
        let mut history = History::new(&limits);
        for step in &steps {
            if let (Step::Ask(cost), Err(NotYet::Until(at))) = (step, history.step(step)) {
                prop_assert!(at > history.now);
                prop_assert_eq!(history.pool.clone().check(just_before(at), *cost), Err(NotYet::Until(at)));
                prop_assert_eq!(history.pool.clone().check(at, *cost), Ok(()));
            }
        }
    }

    #[test]
    fn a_window_has_room_as_soon_as_a_log_of_all_that_was_sent_says_so((limits, steps) in any_history(EXACT)) {
        let mut history = History::new(&only_windows(limits));
        for step in &steps {
            let foreseen = history.foreseen(step);
            prop_assert_eq!(history.step(step), foreseen);
        }
    }

    #[test]
    fn a_large_window_has_room_never_early_and_at_most_its_8192nd_part_late((limits, steps) in any_history(IN_GRAINS)) {
        let limits = only_windows(limits);
        let longest = limits.requests.iter().map(|rate| rate.per() + limits.margin).max().unwrap_or_default();
        let mut history = History::new(&limits);
        for step in &steps {
            let (foreseen, now) = (history.foreseen(step), history.now);
            let at = |verdict| match verdict {
                Ok(()) => Some(now),
                Err(NotYet::Until(at)) => Some(at),
                Err(NotYet::Freed) => None,
            };
            let (told, foreseen) = (at(history.step(step)), at(foreseen));
            prop_assert!(told >= foreseen && told.zip(foreseen).is_none_or(|(told, due)| told <= due + longest / 8_192));
        }
    }

    #[test]
    fn what_was_granted_is_held_or_sent_or_given_back_and_nothing_else_is_taken((limits, steps) in any_history(EXACT)) {
        let mut history = History::new(&limits);
        for step in &steps {
            let _ = history.step(step);
            let usage = history.usage();
            let sent: u64 = history.sent.iter().map(|&(_, cost)| u64::from(cost)).sum();
            prop_assert_eq!(history.granted, usage.reserved + sent + history.given_back);
            prop_assert_eq!(history.pool.usage(history.now), usage);
        }
    }

    #[test]
    fn no_more_are_in_flight_than_may_be((limits, steps) in any_history(EXACT)) {
        let mut history = History::new(&limits);
        for step in &steps {
            let _ = history.step(step);
            prop_assert!(limits.in_flight.is_none_or(|most| history.usage().in_flight <= most.get()));
        }
    }
}

#[test]
fn a_place_in_flight_comes_free_with_the_landing_and_not_with_the_sending() {
    let (mut pool, now) = (Pool::new(&Limits { in_flight: NonZeroU32::new(1), ..capped(&[]) }), start());
    pool.reserve(1);
    pool.commit(now, 1);
    assert_eq!(pool.check(now + Duration::from_hours(1), 1), Err(NotYet::Freed));
    pool.release();
    assert_eq!(pool.check(now, 1), Ok(()));
}

#[test]
fn a_place_that_was_sent_late_comes_free_a_window_after_the_sending() {
    let (mut pool, now) = (Pool::new(&capped(&["1/min"])), start());
    pool.reserve(1);
    let sent = now + Duration::from_secs(10);
    pool.commit(sent, 1);
    assert_eq!(pool.check(sent, 1), Err(NotYet::Until(sent + Duration::from_mins(1))));
}

#[test]
fn the_margin_lengthens_the_window() {
    let limits = Limits { margin: Duration::from_millis(500), ..capped(&["1/s"]) };
    let (mut pool, now) = (Pool::new(&limits), start());
    pool.reserve(1);
    pool.commit(now, 1);
    assert_eq!(pool.check(now, 1), Err(NotYet::Until(now + Duration::from_millis(1_500))));
}

/// What is used by a pool in which 500 were sent, and 10 a second later, and which then learns what the 500 have cost.
fn used_after(wait: Duration, cost: u32) -> u64 {
    let (mut pool, began) = (Pool::new(&capped(&["1000/min"])), start());
    let later = began + Duration::from_secs(1);
    for (at, cost) in [(began, 500), (later, 10)] {
        pool.reserve(cost);
        pool.commit(at, cost);
    }
    let now = later + wait;
    assert_eq!(pool.check(now, 1), Ok(()));
    pool.correct(now, began, 500, cost);
    pool.usage(now).windows[0].1
}

#[test]
fn what_has_cost_less_gives_back_its_own_and_what_has_cost_more_takes_it_now() {
    assert_eq!(used_after(Duration::ZERO, 20), 20 + 10);
    assert_eq!(used_after(Duration::ZERO, 700), 700 + 10);
}

#[test]
fn what_no_longer_counts_gives_nothing_back() {
    assert_eq!(used_after(Duration::from_secs(59), 20), 10);
    assert_eq!(used_after(Duration::from_secs(59), 700), 10 + 200);
    assert_eq!(used_after(Duration::from_mins(1), 20), 0);
}

fn only_windows(limits: Limits) -> Limits {
    Limits { shape: Shape::Window, in_flight: None, ..limits }
}

#[test]
fn each_of_those_who_went_together_and_were_refused_is_given_back() {
    let (mut pool, began) = (Pool::new(&capped(&["10/min"])), start());
    for millis in 1..=10 {
        pool.reserve(1);
        pool.commit(began + Duration::from_millis(millis), 1);
        pool.release();
    }
    for left in (0..10).rev() {
        pool.uncommit(began, began, 1);
        assert_eq!(pool.usage(began).windows[0].1, left);
    }
    pool.uncommit(began, began, 1);
    assert_eq!(pool.usage(began).windows[0].1, 0);
}
