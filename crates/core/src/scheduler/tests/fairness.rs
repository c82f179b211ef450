//! How clients share a pool: what each of them gets while all want more.

#![expect(clippy::cast_precision_loss, reason = "of a test's small numbers")]

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use super::gate::{Gate, capped_pool, on, pool};
use crate::limit::tests::capped;
use crate::limit::{Limits, Shape};
use crate::queue::ClientId;
use crate::route::{Ask, Priority};
use crate::scheduler::{AdmissionRequest, Arrival, PoolRules};

const SECOND: Duration = Duration::from_secs(1);

fn of(client: u64) -> AdmissionRequest {
    AdmissionRequest { client: ClientId(client), ..AdmissionRequest::default() }
}

fn with(priority: Priority) -> AdmissionRequest {
    AdmissionRequest { priority, ..AdmissionRequest::default() }
}

/// Five a second, evenly: a slot is 200 ms.
fn paced() -> (Limits, PoolRules) {
    let shape = Shape::Smooth { burst: NonZeroU32::MIN };
    let (limits, rules) = pool(Limits { shape, ..capped(&["300/min"]) });
    (limits, PoolRules { max_waiting: 10_000, max_wait: Duration::from_hours(1), ..rules })
}

const SLOT: Duration = Duration::from_millis(200);

#[test]
fn a_light_client_waits_two_slots_at_most_however_many_wait_of_another() {
    let mut gate = Gate::new([paced()]);
    for _ in 0..500 {
        gate.comes_as(of(1), (1, Duration::ZERO), &on([0]));
    }
    for second in 1..=60 {
        gate.wait(Duration::from_millis(963));
        gate.comes_as(of(2), (2, gate.now - gate.began), &on([0]));
        gate.wait(Duration::from_millis(37));
        assert!(gate.now - gate.began == second * SECOND);
    }
    let waits: Vec<_> =
        gate.went_at().filter(|((who, _), _)| *who == 2).map(|((_, came), went)| went.abs_diff(came)).collect();
    assert!(waits.len() >= 59 && waits.iter().all(|&wait| wait <= 2 * SLOT), "{waits:?}");
}

/// What each client gets of so many slots while all of them want more; they come and pay by turns as `cost` says.
fn served(
    clients: u64,
    slots: u32,
    weights: HashMap<ClientId, NonZeroU32>,
    asks: impl Fn(u64) -> [Ask; 1],
) -> Vec<f64> {
    let mut gate = Gate::weighted([paced()], weights);
    for client in 0..clients {
        for _ in 0..slots {
            gate.comes_as(of(client), client, &asks(client));
        }
    }
    gate.wait(SLOT * slots);
    let cost = |client: u64| f64::from(asks(client)[0].cost.expect("a cost"));
    (0..clients)
        .map(|client| gate.went.iter().filter(|&&(who, _)| who == client).count() as f64 * cost(client))
        .collect()
}

/// Jain's index of fairness: 1 if all have the same, 1/n if one has it all.
fn jain(shares: &[f64]) -> f64 {
    let sum: f64 = shares.iter().sum();
    sum * sum / (shares.len() as f64 * shares.iter().map(|share| share * share).sum::<f64>())
}

#[test]
fn equal_clients_get_equal_shares() {
    let shares = served(8, 800, HashMap::new(), |_| on([0]));
    assert!(jain(&shares) >= 0.99, "{shares:?}");
}

#[test]
fn it_is_cost_that_is_shared_and_not_requests() {
    let shares = served(8, 800, HashMap::new(), |client| {
        on([0]).map(|ask| Ask { cost: Some(1 + u32::try_from(client % 3).expect("small")), ..ask })
    });
    assert!(jain(&shares) >= 0.99, "{shares:?}");
}

#[test]
fn a_client_of_weight_three_gets_three_times_as_much() {
    let weights = HashMap::from([(ClientId(0), NonZeroU32::new(3).expect("a weight"))]);
    let shares = served(2, 1_000, weights, |_| on([0]));
    let factor = shares[0] / shares[1];
    assert!((factor - 3.0).abs() <= 0.09, "{shares:?}");
}

#[test]
fn a_client_with_several_kinds_of_requests_gets_no_more_than_one_with_one() {
    let mut gate = Gate::new([paced(), capped_pool("1000000/min")]);
    for _ in 0..400 {
        gate.comes_as(of(1), 1, &on([0]));
        gate.comes_as(of(1), 1, &on([0, 1]));
        gate.comes_as(of(2), 2, &on([0]));
    }
    gate.wait(SLOT * 400);
    let [one, other] = [1, 2].map(|client| gate.went.iter().filter(|&&(who, _)| who == client).count());
    assert!(one.abs_diff(other) <= 4, "{one} and {other}");
}

#[test]
fn the_higher_goes_first_and_the_low_last() {
    let mut gate = Gate::new([capped_pool("1/s")]);
    let came = [
        ("goes", Priority::Normal),
        ("low", Priority::Low),
        ("normal", Priority::Normal),
        ("high", Priority::High),
        ("high too", Priority::High),
    ];
    for (who, priority) in came {
        gate.comes_as(with(priority), who, &on([0]));
    }
    let went = [("goes", 0), ("high", 1_000), ("high too", 2_000), ("normal", 3_000), ("low", 4_000)];
    assert_eq!(gate.play(), went);
}

#[test]
fn who_is_low_counts_as_normal_after_a_while() {
    let mut gate = Gate::new([capped_pool("1/s")]);
    gate.comes_as(with(Priority::Low), "goes", &on([0]));
    gate.comes_as(with(Priority::Low), "low", &on([0]));
    for _ in 0..100 {
        gate.comes_as(with(Priority::Normal), "normal", &on([0]));
    }
    let low = gate.play().iter().find(|&&(who, _)| who == "low").map(|&(_, at)| at);
    assert_eq!(low, Some(31_000), "it counts as normal from 30 s on, and shares the pool with those who wait then");
}

#[test]
fn a_request_on_two_busy_pools_goes_when_both_have_had_room() {
    let mut gate = Gate::new([capped_pool("1/s"), capped_pool("1/1100ms")]);
    for (who, asks) in [(1, &on([0])), (2, &on([1]))] {
        for _ in 0..60 {
            gate.comes_as(of(who), "one", asks);
        }
    }
    let arrival = gate.comes_as(of(3), "both", &on([0, 1]));
    assert!(matches!(arrival, Arrival::Queued { .. }));
    let both = gate.play().iter().find(|&&(who, _)| who == "both").map(|&(_, at)| at);
    assert!(both.is_some_and(|at| at <= 3 * 1_100), "{both:?}");
}

#[test]
fn nor_does_one_that_has_a_line_for_each_of_many_keys() {
    let mut gate = Gate::new([paced(), capped_pool("1000000/min")]);
    for key in 0..500 {
        let [shared, keyed] = on([0, 1]);
        gate.comes_as(of(1), 1, &[shared, Ask { key: Some(key.to_string().into()), ..keyed }]);
    }
    gate.wait(10 * SLOT);
    let came = gate.now - gate.began;
    gate.comes_as(of(2), 2, &on([0]));
    gate.wait(5 * SLOT);
    let went = gate.went_at().find(|&(who, _)| who == 2).map(|(_, at)| at);
    assert!(went.is_some_and(|at| at <= came + 2 * SLOT), "{went:?}");
}

#[test]
fn a_pool_that_is_short_does_not_hold_up_those_who_need_another_in_which_answers_take_their_time() {
    let one = Limits { in_flight: Some(NonZeroU32::MIN), ..capped(&[]) };
    let mut gate = Gate::new([capped_pool("1/min"), pool(one)]);
    for _ in 0..10 {
        gate.comes_as(of(1), "both", &on([0, 1]));
    }
    gate.wait(SECOND);
    gate.comes_as(of(2), "one", &on([1]));
    assert_eq!(gate.went.last(), Some(&("one", 1_000)));
}
