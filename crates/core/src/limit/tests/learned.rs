//! What holds of a pool whatever the upstream answers.

use std::num::NonZeroU32;
use std::time::Duration;

use proptest::prelude::*;

use super::history::{History, Step, any_answered_history};
use super::{capped, just_before, start};
use crate::limit::{EstimateView, Limits, NotYet, Pool, Shape, Unit};

const MINUTE: Duration = Duration::from_mins(1);

proptest! {
    #[test]
    fn whatever_is_learned_no_trailing_window_is_over_what_is_configured((limits, steps) in any_answered_history(1..=6)) {
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
    fn whatever_is_learned_it_goes_at_the_instant_that_was_told_and_not_before((limits, steps) in any_answered_history(1..=6)) {
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
    fn no_lesson_is_above_what_is_configured((limits, steps) in any_answered_history(1..=6)) {
        let mut history = History::new(&limits);
        for step in &steps {
            let _ = history.step(step);
            let lesson = history.pool.usage(history.now).learned.and_then(|learned| learned.estimate);
            if let Some(EstimateView::Lower { limit } | EstimateView::Smooth { limit, .. }) = lesson {
                let same = limits.requests.iter().filter(|rate| rate.per() == limit.per());
                let configured = same.map(|rate| rate.amount()).max();
                prop_assert!(configured.is_none_or(|configured| limit.amount() <= configured), "{limit}");
            }
        }
    }

    #[test]
    fn what_was_granted_is_accounted_for_whatever_is_answered((limits, steps) in any_answered_history(1..=6)) {
        let mut history = History::new(&limits);
        for step in &steps {
            let _ = history.step(step);
            let usage = history.usage();
            let taken = history.pool.usage(history.now);
            prop_assert_eq!((taken.windows, taken.reserved, taken.in_flight), (usage.windows, usage.reserved, usage.in_flight));
        }
    }
}

/// A pool of which so many were taken, one a second.
fn used(rate: &str, requests: u32) -> (Pool, std::time::Instant) {
    let (mut pool, mut now) = (Pool::new(&capped(&[rate])), start());
    for _ in 0..requests {
        now += Duration::from_secs(1);
        pool.reserve(1);
        pool.commit(now, 1);
        pool.release();
        pool.accepted(now, now, 1, None);
    }
    (pool, now)
}

fn limit_in_force(pool: &mut Pool, now: std::time::Instant) -> Option<u32> {
    let lesson = pool.usage(now).learned.and_then(|learned| learned.estimate)?;
    let EstimateView::Lower { limit } = lesson else { panic!("{lesson:?}") };
    Some(limit.amount())
}

#[test]
fn who_grew_too_fast_falls_back_and_grows_by_half_in_a_quarter_of_an_hour() {
    let (mut pool, mut now) = used("300/min", 59);
    pool.ramp(now, None);
    assert_eq!(limit_in_force(&mut pool, now), Some(40));
    for quarter in [60, 90, 135] {
        now += MINUTE * 15;
        pool.accepted(now, now, 1, None);
        assert_eq!(limit_in_force(&mut pool, now), Some(quarter));
    }
    now += MINUTE * 60;
    pool.accepted(now, now, 1, None);
    assert_eq!(limit_in_force(&mut pool, now), None, "what is configured is back");
}

#[test]
fn an_upstream_that_refuses_who_hardly_asks_is_asked_again_after_longer_and_longer() {
    let (mut pool, mut now) = used("300/min", 20);
    let mut pauses = Vec::new();
    for _ in 0..4 {
        pool.refused(now, now, None, None);
        let Err(NotYet::Until(at)) = pool.check(now, 1) else { panic!("is paused") };
        pauses.push(at - now);
        now = at + Duration::from_secs(3);
    }
    assert!(pauses.is_sorted() && pauses[3] >= pauses[0] * 4, "{pauses:?}");
    assert_eq!(limit_in_force(&mut pool, now), None, "nothing is learned of the rate");
}

#[test]
fn what_the_upstream_says_to_wait_is_waited() {
    let (mut pool, now) = used("300/min", 20);
    pool.refused(now, now, Some(Duration::from_secs(7)), None);
    assert_eq!(pool.check(now, 1), Err(NotYet::Until(now + Duration::from_secs(7))));
}

#[test]
fn one_overload_counts_once_however_many_were_under_way() {
    let (mut pool, now) = used("300/min", 20);
    (0..10).for_each(|_| pool.back_off(now, now, None));
    assert_eq!(pool.check(now, 1), Err(NotYet::Until(now + Duration::from_millis(500))));
    let later = now + Duration::from_secs(1);
    pool.back_off(later, later, Some(Duration::ZERO));
    assert_eq!(pool.check(later, 1), Err(NotYet::Until(later + Duration::from_secs(1))), "a hint of nothing is none");
    let well = later + Duration::from_secs(2);
    pool.accepted(well, well, 1, None);
    pool.back_off(well + Duration::from_secs(1), well + Duration::from_secs(1), None);
    assert!(pool.check(well + Duration::from_millis(1_500), 1).is_ok(), "who has been taken since starts again");
}

#[test]
fn who_is_refused_a_window_late_says_nothing_of_the_count() {
    let (mut pool, now) = (Pool::new(&capped(&["300/min"])), start());
    for _ in 0..200 {
        pool.reserve(1);
        pool.commit(now, 1);
    }
    pool.uncommit(now + Duration::from_secs(1), now, 1);
    pool.refused(now + Duration::from_secs(1), now, None, None);
    let late = now + Duration::from_secs(61);
    pool.uncommit(late, now, 1);
    pool.refused(late, now, None, None);
    assert_eq!(limit_in_force(&mut pool, late), Some(199));
}

#[test]
fn an_even_pace_of_tokens_is_corrected_by_what_they_were() {
    let limits = Limits { unit: Unit::Tokens, shape: Shape::Smooth { burst: NonZeroU32::MIN }, ..capped(&["60/min"]) };
    let (mut pool, now) = (Pool::new(&limits), start());
    pool.reserve(50);
    pool.commit(now, 50);
    pool.correct(now, now, 50, 5);
    assert_eq!(pool.check(now, 1), Err(NotYet::Until(now + Duration::from_secs(5))));
}
