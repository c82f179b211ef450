//! What a ledger hands to the next one: that one decides as the first would have.

use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Ledger, PoolId, capped, just_before, small_limits, start};
use crate::limit::{Charge, InstanceId, Limits, Rate};

/// Sends what may go at these times, one after the other.
fn send(ledger: &mut Ledger, began: Instant, pool: InstanceId, steps: &[(u64, u32)]) -> Instant {
    let mut now = began;
    for &(pause, cost) in steps {
        now += Duration::from_millis(pause);
        let charges = [Charge { instance: pool, cost }];
        if ledger.reserve(now, &charges, |_| None).is_ok() {
            ledger.commit(now, &charges);
            ledger.release(&charges);
        }
    }
    now
}

fn only(ledger: &mut Ledger) -> InstanceId {
    ledger.instance(PoolId(0), None)
}

/// Another ledger with what this one holds.
fn restarted(ledger: &mut Ledger, now: Instant, limits: &Limits) -> Ledger {
    let (pool, mut next) = (only(ledger), Ledger::new(vec![limits.clone()]));
    if let Some(saved) = ledger.saved_usage(now, pool) {
        next.restore(now, &saved);
    }
    next
}

proptest! {
    #[test]
    fn restored_ledger_decides_as_the_first(
        limits in small_limits(),
        steps in vec((0..800_u64, 1..3_u32), 0..40),
        later in vec((0..800_u64, 1..3_u32), 1..40),
    ) {
        let mut first = Ledger::new(vec![limits.clone()]);
        let pool = only(&mut first);
        let mut now = send(&mut first, start(), pool, &steps);
        let mut second = restarted(&mut first, now, &limits);
        for (pause, cost) in later {
            now += Duration::from_millis(pause);
            let charges = [Charge { instance: pool, cost }];
            let verdict = first.reserve(now, &charges, |_| None);
            prop_assert_eq!(second.reserve(now, &charges, |_| None), verdict);
            if verdict.is_ok() {
                for ledger in [&mut first, &mut second] {
                    ledger.commit(now, &charges);
                    ledger.release(&charges);
                }
            }
        }
    }

    #[test]
    fn journal_alone_restores_as_much(steps in vec((0..800_u64, 1..3_u32), 0..40)) {
        let limits = capped(&["20/2s", "40/9s"]);
        let (mut first, mut second) = (Ledger::new(vec![limits.clone()]), Ledger::new(vec![limits]));
        let pool = only(&mut first);
        let mut now = start();
        let mut sent = Vec::new();
        for (pause, cost) in steps {
            now += Duration::from_millis(pause);
            let charges = [Charge { instance: pool, cost }];
            if first.reserve(now, &charges, |_| None).is_ok() {
                first.commit(now, &charges);
                first.release(&charges);
                sent.push((now, cost));
            }
        }
        sent.iter().for_each(|&(at, cost)| second.recommit(now, at, PoolId(0), "", cost));
        prop_assert_eq!(first.usage(now, pool).map(|usage| usage.usage), second.usage(now, pool).map(|usage| usage.usage));
    }
}

/// Entries that become one count until the last of them no longer would.
#[test]
fn long_log_is_saved_short_and_never_frees_early() {
    let limits = capped(&["8000/min"]);
    let mut ledger = Ledger::new(vec![limits.clone()]);
    let pool = only(&mut ledger);
    let now = send(&mut ledger, start(), pool, &vec![(5, 1); 8_000]);
    let saved = ledger.saved_usage(now, pool).expect("it is used");
    let spent = &saved.usage.windows[0].spent;
    assert!(spent.len() <= 2_000 && spent.iter().map(|&(_, cost)| cost).sum::<u64>() == 8_000, "{}", spent.len());
    let mut next = restarted(&mut ledger, now, &limits);
    let used = |ledger: &mut Ledger, at| ledger.usage(at, pool).expect("a pool").usage.windows[0].1;
    for seconds in 0..=61 {
        let at = now + Duration::from_secs(seconds);
        let (kept, exact) = (used(&mut next, at), used(&mut ledger, at));
        assert!((exact..=exact + 4).contains(&kept), "{kept} of {exact} after {seconds} s");
    }
}

#[test]
fn full_start_admits_nothing_for_a_window() {
    let mut ledger = Ledger::new(vec![capped(&["2/s", "3/5s"])]);
    let began = start();
    ledger.start_full(began);
    for key in [None, Some("late")] {
        let charges = [Charge { instance: ledger.instance(PoolId(0), key), cost: 1 }];
        let free = began + Duration::from_secs(5);
        assert!(ledger.reserve(just_before(free), &charges, |_| None).is_err(), "{key:?}");
        assert_eq!(ledger.reserve(free, &charges, |_| None), Ok(()), "{key:?}");
    }
}

#[test]
fn watch_goes_on_over_a_restart() {
    let rate: Rate = "5/s".parse().expect("a rate");
    let limits = Limits { requests: vec![rate], ..Limits::default() };
    let mut ledger = Ledger::new(vec![limits.clone()]);
    let pool = only(&mut ledger);
    assert_eq!(ledger.watched_since(pool), None);
    let began = start();
    let now = send(&mut ledger, began, pool, &[(0, 1), (5_000, 1)]);
    let next = restarted(&mut ledger, now, &limits);
    assert_eq!(next.watched_since(pool), Some(began));
}
