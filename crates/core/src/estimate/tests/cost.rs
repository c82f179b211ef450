//! What the estimator takes, in time and in memory.

use std::time::{Duration, Instant};

use crate::estimate::{Clearance, ConfiguredLimit, Estimator, RefusalSaid, Subject};
use crate::route::RouteId;

const EVENTS: u32 = 50_000;

/// Many routes, accounts and threads use one pool, and some are refused.
fn fed(now: Instant, events: u32, refused_in: u32) -> Estimator {
    let configured = ConfiguredLimit { amount: Some(300), per: Duration::from_mins(1) };
    let mut estimator = Estimator::new(now, &[configured; 2]);
    let mut flights = std::collections::VecDeque::new();
    for event in 0..events {
        let now = now + Duration::from_millis(5) * event;
        let keys = [Some(u64::from(event % 3)), None, Some(u64::from(event % 50))];
        let subject = Subject { pools: [0].into_iter().collect(), route: RouteId(event as usize % 5), keys };
        flights.push_back((event, estimator.sent(now, &subject, Clearance { challenge: false })));
        if flights.len() > 20 {
            let (number, flight) = flights.pop_front().expect("one");
            if refused_in > 0 && number % refused_in == 0 {
                estimator.refused(now, &flight, &RefusalSaid::default());
            } else {
                estimator.accepted(now, &flight);
                estimator.completed(now, &flight);
            }
        }
    }
    estimator
}

#[test]
fn memory_of_one_pool_is_bounded() {
    let now = crate::tests::any_instant();
    let few = fed(now, 2_000, 50).bytes_of(0);
    let many = fed(now, 20_000, 50).bytes_of(0);
    println!("{few} bytes of a pool after 2,000 requests, {many} after 20,000");
    assert!(many <= few + few / 10, "{few} grew to {many}");
    assert!(many <= MOST_BYTES, "{many}");
}

/// Of a pool with five routes, three accounts and fifty threads, all refused now and then.
const MOST_BYTES: usize = 10 * 1024;

/// Prints; how fast a machine is decides no test.
#[test]
fn cost_of_one_event_is_printed() {
    let now = crate::tests::any_instant();
    for refused_in in [0, 100] {
        let began = crate::tests::any_instant();
        drop(fed(now, EVENTS, refused_in));
        let took = crate::tests::any_instant() - began;
        println!(
            "{:.0} ns for each of three events, one in {refused_in} refused",
            took.as_secs_f64() * 1e9 / f64::from(EVENTS) / 3.0
        );
    }
}
