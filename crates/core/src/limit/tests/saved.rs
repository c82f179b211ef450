//! What is kept over a restart holds after it as it would have without, and never loosens what is configured.

use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::{capped, just_before, small_limits, start, wait};
use crate::limit::{EstimateView, Hint, Learn, Limits, Outdated, Pool, Rate, SavedEstimate, SavedLimit};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

fn rate(text: &str) -> Rate {
    text.parse().expect("a rate")
}

fn kept(finding: SavedLimit, heard: Instant) -> SavedEstimate {
    SavedEstimate { limit: finding, since: heard, heard }
}

fn spend(pool: &mut Pool, now: Instant) {
    pool.reserve(1);
    pool.commit(now, 1);
    pool.release();
}

/// A pool of which so many are spent within so long, and the end of that.
fn spent(limits: &Limits, count: u32, within: Duration) -> (Pool, Instant) {
    let (mut pool, began) = (Pool::new(limits), start());
    (0..count).for_each(|nth| spend(&mut pool, began + within * nth / count));
    (pool, began + within)
}

/// One that has met a refusal.
fn refused(count: u32, within: Duration) -> (Pool, Instant) {
    let (mut pool, now) = spent(&capped(&["300/min"]), count, within);
    pool.refused(now, now, None, None);
    (pool, now)
}

fn lesson(pool: &mut Pool, now: Instant) -> Option<EstimateView> {
    pool.usage(now).learned.and_then(|learned| learned.estimate)
}

/// Starts again with what was kept.
fn started_again(pool: &Pool, limits: &Limits, now: Instant) -> Pool {
    let mut again = Pool::new(limits);
    again.recall(now, pool.saved().expect("something is kept")).expect("it holds");
    again
}

#[test]
fn what_was_learned_is_in_force_again() {
    let (mut lower, mut even) = (refused(180, MINUTE / 2), refused(30, SECOND));
    even.0.refused(even.1 + SECOND, even.1 + SECOND, None, None);
    let (mut ramp, now) = spent(&capped(&["300/min"]), 90, MINUTE / 2);
    ramp.ramp(now, None);
    assert_eq!(ramp.saved().map(|kept| kept.limit), Some(SavedLimit::Ramp { limit: rate("60/min") }));
    for (pool, now) in [&mut lower, &mut even, &mut (ramp, now)] {
        let mut again = started_again(pool, &capped(&["300/min"]), *now + SECOND);
        let (before, after) = (pool.usage(*now).learned.expect("a lesson"), again.usage(*now).learned);
        let after = after.expect("a lesson");
        assert_eq!((after.estimate, after.since), (before.estimate, before.since));
        assert!(after.recalled && !before.recalled, "{after:?} after {before:?}");
        assert_eq!(again.saved(), pool.saved());
    }
    let (lower, even) = (lesson(&mut lower.0, lower.1), lesson(&mut even.0, even.1));
    assert_eq!(lower, Some(EstimateView::Lower { limit: rate("180/min") }));
    assert_eq!(even, Some(EstimateView::Smooth { limit: rate("300/min"), burst: 27 }));
}

#[test]
fn a_lower_limit_keeps_from_the_first_request_on() {
    let (pool, now) = refused(180, MINUTE / 2);
    let again = started_again(&pool, &capped(&["300/min"]), now + SECOND);
    assert_eq!(again.room_by(now, now + MINUTE / 4), 45, "a quarter of 180");
}

#[test]
fn of_a_limit_that_was_told_is_left_what_has_come_back_since_then() {
    let limits = Limits { learn: Learn::Discover, ..capped(&[]) };
    let (mut pool, now) = (Pool::new(&limits), start());
    pool.accepted(now, now, 1, Some(Hint { limit: rate("60/min"), left: Some(59) }));
    let mut again = started_again(&pool, &limits, now + 10 * SECOND);
    assert_eq!(lesson(&mut again, now + 10 * SECOND), Some(EstimateView::Reported { limit: rate("60/min"), left: 10 }));
    again.accepted(now + 11 * SECOND, now + 10 * SECOND, 1, Some(Hint { limit: rate("60/min"), left: Some(40) }));
    let learned = again.usage(now + 11 * SECOND).learned.expect("a lesson");
    assert_eq!(
        (learned.estimate, learned.recalled),
        (Some(EstimateView::Reported { limit: rate("60/min"), left: 40 }), false)
    );
}

#[test]
fn it_is_forgotten_when_it_would_have_been_without_the_restart() {
    let (pool, heard) = refused(180, MINUTE / 2);
    let lesson = pool.saved().expect("something is kept");
    let mut again = Pool::new(&capped(&["300/min"]));
    assert_eq!(again.recall(heard + HOUR, lesson), Err(Outdated::Expired));
    again.recall(just_before(heard + HOUR), lesson).expect("it holds");
    again.accepted(heard + HOUR, heard + HOUR, 1, None);
    assert_eq!(again.usage(heard + HOUR).learned, None);
}

#[test]
fn more_is_tried_after_a_window() {
    let (pool, now) = refused(180, MINUTE / 2);
    let mut again = started_again(&pool, &capped(&["300/min"]), now);
    for millis in (0..=62_000).step_by(10).map(Duration::from_millis) {
        if again.check(now + millis, 1).is_ok() {
            spend(&mut again, now + millis);
            again.accepted(now + millis, now + millis, 1, None);
        }
    }
    assert_eq!(lesson(&mut again, now + MINUTE), Some(EstimateView::Lower { limit: rate("185/min") }));
    let kept = again.saved().map(|kept| kept.limit);
    assert_eq!(kept, Some(SavedLimit::Lower { limit: rate("180/min") }), "of what is tried nobody knows yet");
}

#[test]
fn a_refusal_soon_after_the_restart_says_nothing_of_the_rate() {
    let (pool, now) = refused(180, MINUTE / 2);
    let mut again = started_again(&pool, &capped(&["300/min"]), now);
    spend(&mut again, now);
    for at in [now + 50 * SECOND, now + 51 * SECOND] {
        again.refused(at, now, None, None);
    }
    assert_eq!(lesson(&mut again, now + MINUTE), Some(EstimateView::Lower { limit: rate("180/min") }));
}

#[test]
fn what_is_configured_otherwise_by_now_stays_as_it_is_configured() {
    let lower = |limit| SavedLimit::Lower { limit: rate(limit) };
    let smooth = |limit| SavedLimit::Smooth { limit: rate(limit), burst: 30, slower: 5 };
    let told = |limit| SavedLimit::Reported { limit: rate(limit) };
    let fixed = Limits { learn: Learn::Never, ..capped(&["300/min"]) };
    for (finding, limits) in [
        (lower("180/min"), capped(&["180/min"])),
        (SavedLimit::Ramp { limit: rate("180/min") }, capped(&["100/min"])),
        (told("180/min"), capped(&["500/s", "100/min"])),
        (lower("180/min"), capped(&["10/s"])),
        (smooth("300/min"), capped(&["200/min"])),
        (smooth("300/min"), capped(&["400/min"])),
        (smooth("300/min"), capped(&[])),
        (lower("180/min"), fixed),
    ] {
        let mut pool = Pool::new(&limits);
        let recalled = pool.recall(start(), kept(finding, start()));
        assert_eq!(recalled, Err(Outdated::Otherwise), "{finding:?} under {limits:?}");
        assert_eq!(pool.usage(start()).learned, None);
    }
}

#[test]
fn what_is_known_by_now_is_better_than_what_was() {
    let (mut pool, now) = refused(180, MINUTE / 2);
    let recalled = pool.recall(now, kept(SavedLimit::Lower { limit: rate("200/min") }, now));
    assert_eq!(recalled, Err(Outdated::Known));
    assert_eq!(lesson(&mut pool, now), Some(EstimateView::Lower { limit: rate("180/min") }));
}

#[test]
fn nothing_is_kept_of_what_passes_or_is_not_known() {
    let limits = Limits { learn: Learn::Discover, ..capped(&[]) };
    let mut pool = Pool::new(&limits);
    assert_eq!(pool.saved(), None);
    pool.back_off(start(), start(), Some(MINUTE));
    pool.accepted(start(), start(), 1, None);
    assert_eq!(pool.saved(), None);
}

/// Limits, and a finding that may be of one of them.
fn limits_and_finding() -> impl Strategy<Value = (Limits, SavedLimit)> {
    (small_limits(), super::rate(1..=8), any::<Index>(), 0..4, 1..8_u32).prop_map(|(limits, other, at, kind, burst)| {
        let configured = (!limits.requests.is_empty()).then(|| limits.requests[at.index(limits.requests.len())]);
        let per = configured.map_or(other.per(), Rate::per);
        let amount = std::num::NonZeroU32::new(other.amount()).expect("from 1 up");
        let limit = Rate::new(amount, per).expect("some time");
        let finding = match kind {
            0 => SavedLimit::Lower { limit },
            1 => SavedLimit::Ramp { limit },
            2 => SavedLimit::Reported { limit },
            _ => SavedLimit::Smooth { limit: configured.unwrap_or(limit), burst, slower: burst },
        };
        (limits, finding)
    })
}

proptest! {
    #[test]
    fn what_is_recalled_never_loosens_what_is_configured(
        (limits, finding) in limits_and_finding(),
        age in 0..4_000_u64,
        comes in vec((wait(), 1..=3_u32), 1..60),
    ) {
        let mut now = start();
        let (mut plain, mut taught) = (Pool::new(&limits), Pool::new(&limits));
        let heard = now.checked_sub(Duration::from_secs(age)).expect("no test is at the beginning of time");
        let recalled = taught.recall(now, kept(finding, heard));
        prop_assert!(recalled != Ok(()) || age < 3_600);
        for (wait, cost) in comes {
            now += wait;
            prop_assert!(taught.turn_of(now, 0, cost) >= plain.turn_of(now, 0, cost));
            if taught.check(now, cost).is_ok() {
                prop_assert_eq!(plain.check(now, cost), Ok(()), "with {:?}", finding);
                for pool in [&mut plain, &mut taught] {
                    pool.reserve(cost);
                    pool.commit(now, cost);
                    pool.accepted(now, now, cost, None);
                    pool.release();
                }
            }
        }
    }
}
