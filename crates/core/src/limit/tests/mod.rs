//! What holds of limits, whatever comes whenever it comes.

mod fills;
mod history;
mod learned;
mod ledger;
mod saved;

mod later;
mod paces;
mod shares;
mod usage;
mod windows;

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use super::{InstanceId, Ledger, Limits, PoolId, Rate, Shape};

/// When a test begins.
pub(crate) fn start() -> Instant {
    crate::tests::any_instant()
}

/// A nanosecond before.
pub(crate) fn just_before(at: Instant) -> Instant {
    at.checked_sub(Duration::from_nanos(1)).expect("no test is at the beginning of time")
}

/// Limits without a shape, a margin or a bound in flight.
pub(crate) fn capped(rates: &[&str]) -> Limits {
    let requests = rates.iter().map(|rate| rate.parse().expect("a rate")).collect();
    Limits { requests, ..Limits::default() }
}

/// The instances of so many pools without keys.
pub(crate) fn instances(pools: usize) -> Vec<InstanceId> {
    let mut ledger = Ledger::new(vec![capped(&["1/s"]); pools]);
    (0..pools).map(|pool| ledger.instance(PoolId(pool), None)).collect()
}

/// Limits of every kind, small enough to be met soon.
pub(crate) fn small_limits() -> impl Strategy<Value = Limits> {
    limits(1..=6)
}

fn limits(amounts: RangeInclusive<u32>) -> impl Strategy<Value = Limits> {
    let smooth = (1..=6_u32).prop_map(|burst| Shape::Smooth { burst: NonZeroU32::new(burst).expect("from 1 up") });
    let shape = prop_oneof![Just(Shape::Window), smooth];
    let in_flight = of(1..=4_u32).prop_map(|most| most.and_then(NonZeroU32::new));
    (vec(rate(amounts), 0..=3), in_flight, shape, prop_oneof![Just(0), 1..5_u64]).prop_map(
        |(requests, in_flight, shape, margin)| Limits {
            requests,
            in_flight,
            shape,
            margin: Duration::from_millis(margin),
            ..Limits::default()
        },
    )
}

pub(crate) fn rate(amounts: RangeInclusive<u32>) -> impl Strategy<Value = Rate> {
    (amounts, 1..=40_u64).prop_map(|(amount, millis)| {
        let amount = NonZeroU32::new(amount).expect("from 1 up");
        Rate::new(amount, Duration::from_millis(millis)).expect("some time")
    })
}

/// A time to wait: next to none, some, or longer than any window.
pub(crate) fn wait() -> impl Strategy<Value = Duration> {
    prop_oneof![0..5_000_u64, 0..5_000_000_u64, 0..60_000_000_u64].prop_map(Duration::from_nanos)
}
