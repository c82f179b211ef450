use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use governor::clock::{Clock, FakeRelativeClock};
use governor::{Quota, RateLimiter};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{capped, just_before, rate, start, wait};
use crate::limit::pace::Pace;
use crate::limit::{Limits, NotYet, Pool, Shape};

/// When the next one comes.
#[derive(Clone, Copy, Debug)]
enum Coming {
    After(Duration),
    /// At the instant that was told last.
    AsTold,
    /// A nanosecond before it.
    JustBefore,
}

impl Coming {
    fn at(self, now: Instant, told: Instant) -> Instant {
        match self {
            Self::After(time) => now + time,
            Self::AsTold => told.max(now),
            Self::JustBefore => just_before(told).max(now),
        }
    }
}

fn coming() -> impl Strategy<Value = Coming> {
    prop_oneof![wait().prop_map(Coming::After), Just(Coming::AsTold), Just(Coming::JustBefore)]
}

fn burst() -> impl Strategy<Value = NonZeroU32> {
    (1..=6_u32).prop_map(|burst| NonZeroU32::new(burst).expect("from 1 up"))
}

proptest! {
    #[test]
    fn what_is_sent_at_once_is_paced_as_by_governor_itself(
        (rate, burst) in (rate(1..=50), burst()),
        comings in vec((coming(), any::<u32>()), 1..100),
    ) {
        let clock = FakeRelativeClock::default();
        let quota = Quota::with_period(rate.interval()).expect("an interval").allow_burst(burst);
        let governor = RateLimiter::direct_with_clock(quota, clock.clone());
        let mut pace = Pace::new(rate, Duration::ZERO, burst);
        let (mut now, mut told) = (start(), start());
        for (coming, cost) in comings {
            let cost = NonZeroU32::new(1 + cost % burst).expect("from 1 up");
            clock.advance(coming.at(now, told) - now);
            now = coming.at(now, told);
            let expected = governor.check_n(cost).expect("no more than a burst");
            let expected = expected.map_err(|refused| NotYet::Until(now + refused.wait_time_from(clock.now())));
            prop_assert_eq!(pace.check(now, 0, cost.get()), expected);
            match expected {
                Err(NotYet::Until(at)) => told = at,
                _ => pace.commit(now, cost.get()),
            }
        }
    }

    #[test]
    fn with_a_burst_of_one_the_gap_is_counted_from_the_last_real_send_and_a_late_one_is_never_caught_up(
        rate in rate(1..=50),
        margin in 0..5_u64,
        late in vec((wait(), 1..4_u32), 1..50),
    ) {
        let margin = Duration::from_millis(margin);
        let gap = nanos((rate.per() + margin).as_nanos().div_ceil(rate.amount().into()));
        let (mut pace, mut now) = (Pace::new(rate, margin, NonZeroU32::MIN), start());
        for (late, cost) in late {
            prop_assert_eq!(pace.check(now, 0, cost), Ok(()));
            now += late;
            pace.commit(now, cost);
            let next = now + gap * cost;
            prop_assert_eq!(pace.check(just_before(next), 0, 1), Err(NotYet::Until(next)));
            now = next;
        }
    }

    #[test]
    fn a_bucket_of_the_same_burst_refuses_nothing_whatever_the_jitter_within_the_margin(
        (rate, burst) in (rate(1..=50), burst()).prop_filter("a burst", |(_, burst)| burst.get() > 1),
        margin in 0..20_u64,
        coming in vec((prop_oneof![Just(Duration::ZERO), wait()], 0.0..=1.0), 1..100),
    ) {
        let margin = Duration::from_millis(margin);
        let (mut pace, mut now) = (Pace::new(rate, margin, burst), start());
        let within = margin.min(rate.interval() * (burst.get() - 1));
        let mut arrivals: Vec<Instant> = Vec::new();
        for (time, jitter) in coming {
            now += time;
            if let Err(NotYet::Until(at)) = pace.check(now, 0, 1) {
                now = at;
            }
            prop_assert_eq!(pace.check(now, 0, 1), Ok(()));
            pace.commit(now, 1);
            arrivals.push(now + within.mul_f64(jitter));
        }
        arrivals.sort();
        let clock = FakeRelativeClock::default();
        let quota = Quota::with_period(rate.interval()).expect("an interval").allow_burst(burst);
        let bucket = RateLimiter::direct_with_clock(quota, clock.clone());
        let mut before = arrivals[0];
        for arrival in arrivals {
            clock.advance(arrival - before);
            prop_assert!(bucket.check().is_ok());
            before = arrival;
        }
    }

    #[test]
    fn no_stretch_of_time_sees_more_than_a_burst_and_the_pace_however_late_it_was_sent_and_however_much_it_cost(
        (rate, burst) in (rate(1..=50), burst()),
        comings in vec((coming(), 1..10_u32, any::<bool>()), 1..100),
    ) {
        let mut pace = Pace::new(rate, Duration::ZERO, burst);
        let (mut now, mut told, mut held, mut sent) = (start(), start(), Vec::new(), Vec::new());
        for (coming, cost, is_sent) in comings {
            now = coming.at(now, told);
            match pace.check(now, held.iter().copied().map(u64::from).sum(), cost) {
                Ok(()) => held.push(cost),
                Err(NotYet::Until(at)) => told = at,
                Err(NotYet::Freed) => {}
            }
            if let Some(cost) = is_sent.then(|| held.pop()).flatten() {
                pace.commit(now, cost);
                sent.push((now, cost));
            }
        }
        for (index, &(from, _)) in sent.iter().enumerate() {
            let mut before = 0;
            for &(to, cost) in &sent[index..] {
                let evenly = u32::try_from((to - from).as_nanos() / rate.interval().as_nanos()).expect("not so long");
                prop_assert!(before + cost.min(burst.get()) <= burst.get() + evenly, "{sent:?}");
                before += cost;
            }
        }
    }
}

#[test]
fn a_burst_does_not_lift_the_cap_of_the_window() {
    let (mut pool, now) = (smooth("10/s", 10), start());
    for _ in 0..10 {
        assert_eq!(pool.check(now, 1), Ok(()));
        pool.reserve(1);
        pool.commit(now, 1);
    }
    assert_eq!(pool.check(now, 1), Err(NotYet::Until(now + Duration::from_secs(1))));
}

#[test]
fn what_costs_more_than_the_burst_goes_when_a_burst_could_and_is_paid_off_afterwards() {
    let (mut pool, now) = (smooth("10/s", 2), start());
    assert_eq!(pool.check(now, 5), Ok(()));
    pool.reserve(5);
    assert_eq!(pool.check(now, 1), Err(NotYet::Freed), "all of the burst is held");
    pool.commit(now, 5);
    assert_eq!(pool.check(now, 1), Err(NotYet::Until(now + Duration::from_millis(400))));
    assert_eq!(pool.check(now, 5), Err(NotYet::Until(now + Duration::from_millis(500))));
}

fn smooth(rate: &str, burst: u32) -> Pool {
    Pool::new(&Limits { shape: Shape::Smooth { burst: NonZeroU32::new(burst).expect("a burst") }, ..capped(&[rate]) })
}

fn nanos(nanos: u128) -> Duration {
    Duration::from_nanos(nanos.try_into().expect("not so long"))
}
