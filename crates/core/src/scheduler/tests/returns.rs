//! Those who were refused, were told when to come back, and do.

use std::time::Duration;

use super::gate::{Gate, capped_pool, on};
use crate::limit::Limits;
use crate::queue::ClientId;
use crate::route::Priority;
use crate::scheduler::{AdmissionRequest, Arrival, PoolRules, Refusal};

const SECOND: Duration = Duration::from_secs(1);

/// An official SDK that has come back so often.
fn sdk(returns: u32) -> AdmissionRequest {
    AdmissionRequest { returns: Some(returns), ..AdmissionRequest::default() }
}

fn impatient(returns: u32, patience: Duration) -> AdmissionRequest {
    AdmissionRequest { patience: Some(patience), ..sdk(returns) }
}

/// The client of these tests comes back, for nothing that takes from a pool: from now on it is known to.
fn comes_back(gate: &mut Gate<&'static str>) {
    gate.comes_as(sdk(1), "came back before", &on([]));
}

fn waits(most: Duration, (limits, rules): (Limits, PoolRules)) -> (Limits, PoolRules) {
    (limits, PoolRules { max_wait: most, ..rules })
}

fn refusal(arrival: &Arrival) -> Refusal {
    let Arrival::Refused(refusal) = *arrival else { panic!("{arrival:?}, and should be refused") };
    refusal
}

#[test]
fn who_comes_back_when_he_was_told_goes_when_his_turn_was_though_others_came_before_him() {
    let mut gate = Gate::new([waits(4 * SECOND, capped_pool("1/s"))]);
    comes_back(&mut gate);
    for _ in 0..5 {
        gate.comes("before", &on([0]));
    }
    let told = refusal(&gate.comes_as(sdk(0), "returns", &on([0])));
    assert!(!told.pointless);
    gate.wait(told.retry_after);
    while matches!(gate.comes("later", &on([0])), Arrival::Queued { .. }) {}
    assert!(matches!(gate.comes_as(sdk(1), "returns", &on([0])), Arrival::Queued { .. }));
    let at = gate.play().iter().find(|&&(who, _)| who == "returns").map(|&(_, at)| at);
    assert_eq!(at, Some(5_000), "its place was kept");
}

#[test]
fn a_place_that_nobody_comes_back_to_is_free_again() {
    let mut gate = Gate::new([waits(4 * SECOND, capped_pool("1/s"))]);
    comes_back(&mut gate);
    for _ in 0..5 {
        gate.comes("before", &on([0]));
    }
    let told = refusal(&gate.comes_as(sdk(0), "stays away", &on([0])));
    let kept = gate.scheduler.snapshot(gate.now).instances[0].eta;
    gate.wait(told.retry_after + 11 * SECOND);
    assert_eq!((kept, gate.scheduler.snapshot(gate.now).instances[0].eta), (6 * SECOND, Duration::ZERO));
}

/// `x-stainless-retry-count: 0` is what a client with `max_retries=0` sends as well.
#[test]
fn clients_that_never_return_cost_the_patient_nothing() {
    for returned_once in [false, true] {
        let mut gate = Gate::new([capped_pool("1/5s")]);
        let other = AdmissionRequest { client: ClientId(7), ..impatient(0, 20 * SECOND) };
        gate.comes("first", &on([0]));
        if returned_once {
            gate.comes_as(AdmissionRequest { client: ClientId(7), ..sdk(1) }, "returned", &on([]));
        }
        for _ in 0..10 {
            refusal(&gate.comes_as(impatient(0, Duration::ZERO), "never returns", &on([0])));
        }
        for _ in 0..8 {
            let arrival = gate.comes_as(other, "patient", &on([0]));
            assert!(!matches!(arrival, Arrival::Refused(_)), "{arrival:?}");
            gate.wait(4 * SECOND);
        }
        gate.play();
        assert!(gate.refused.is_empty(), "{:?}", gate.refused);
    }
}

#[test]
fn client_that_stops_returning_loses_its_reservations() {
    let mut gate = Gate::new([capped_pool("1/5s")]);
    gate.comes("first", &on([0]));
    (0..3).for_each(|_| comes_back(&mut gate));
    let reserved = |gate: &mut Gate<&'static str>| {
        for _ in 0..10 {
            refusal(&gate.comes_as(impatient(0, Duration::ZERO), "stays away", &on([0])));
        }
        let reserved = gate.scheduler.retries.len();
        gate.wait(120 * SECOND);
        gate.comes("next", &on([0]));
        reserved
    };
    assert_eq!([reserved(&mut gate), reserved(&mut gate)], [3, 0]);
}

#[test]
fn a_crowd_that_is_refused_does_not_come_back_as_a_herd_and_all_of_it_goes() {
    let mut gate = Gate::new([waits(4 * SECOND, capped_pool("5/s"))]);
    let mut back: Vec<_> = (0..100)
        .filter_map(|who| match gate.comes_as(sdk(0), who, &on([0])) {
            Arrival::Refused(told) => Some((told.retry_after, who)),
            _ => None,
        })
        .collect();
    back.sort_unstable();
    assert_eq!(back.len(), 75, "25 are in time");
    assert!(back.windows(2).all(|pair| pair[0].0 < pair[1].0), "a herd");
    for (at, who) in back {
        gate.wait((gate.began + at).saturating_duration_since(gate.now));
        let arrival = gate.comes_as(sdk(1), who, &on([0]));
        assert!(!matches!(arrival, Arrival::Refused(_)), "{who} is refused again: {arrival:?}");
    }
    assert_eq!(gate.play().len(), 100);
    assert!(gate.refused.is_empty());
}

#[test]
fn coming_back_is_pointless_where_the_turn_is_out_of_reach() {
    let mut gate = Gate::new([waits(180 * SECOND, capped_pool("1/s"))]);
    for _ in 0..150 {
        gate.comes("before", &on([0]));
    }
    let mut is_pointless =
        |returns, patience| refusal(&gate.comes_as(impatient(returns, patience), "late", &on([0]))).pointless;
    assert!(is_pointless(0, SECOND), "in twice 60 s its turn is still 30 s away, and it waits for 1 s");
    assert!(!is_pointless(0, 50 * SECOND));
    assert!(is_pointless(1, 50 * SECOND), "it comes once more");
}

#[test]
fn a_place_is_free_again_if_its_client_goes_at_once() {
    let (limits, rules) = waits(SECOND, capped_pool("1/s"));
    let mut gate = Gate::new([(limits, PoolRules { max_waiting: 1, ..rules })]);
    comes_back(&mut gate);
    gate.comes("goes", &on([0]));
    gate.comes("waits", &on([0]));
    let told = refusal(&gate.comes_as(sdk(0), "returns", &on([0])));
    gate.wait(told.retry_after + SECOND);
    assert!(matches!(gate.comes_as(sdk(1), "returns", &on([0])), Arrival::Granted { charges: _, .. }));
    assert!(matches!(gate.comes("next", &on([0])), Arrival::Queued { .. }), "no place is kept any more");
}

#[test]
fn nobody_is_told_that_he_is_late_because_of_what_his_client_sent_later() {
    let mut gate = Gate::new([waits(20 * SECOND, capped_pool("1/s")), capped_pool("1000/s")]);
    for _ in 0..18 {
        gate.comes("one", &on([0]));
    }
    gate.comes("both", &on([0, 1]));
    for _ in 0..15 {
        gate.wait(SECOND);
        gate.comes("one", &on([0]));
    }
    assert!(gate.play().contains(&("both", 18_000)), "{:?}", gate.refused);
}

#[test]
fn who_is_low_is_not_told_that_he_is_late_before_he_counts_as_normal() {
    let mut gate = Gate::new([waits(45 * SECOND, capped_pool("1/s"))]);
    let low = AdmissionRequest { priority: Priority::Low, client: ClientId(2), ..AdmissionRequest::default() };
    for _ in 0..40 {
        gate.comes("normal", &on([0]));
    }
    gate.comes_as(low, "low", &on([0]));
    for _ in 0..40 {
        gate.wait(SECOND);
        gate.comes("normal", &on([0]));
    }
    let low = gate.play().iter().find(|&&(who, _)| who == "low").map(|&(_, at)| at);
    assert!(low.is_some_and(|at| at <= 32_000), "{low:?} {:?}", gate.refused);
}

#[test]
fn those_are_told_at_once_whom_a_higher_priority_makes_too_late() {
    let mut gate = Gate::new([waits(10 * SECOND, capped_pool("1/s"))]);
    for _ in 0..9 {
        gate.comes("normal", &on([0]));
    }
    let high = AdmissionRequest { priority: Priority::High, ..AdmissionRequest::default() };
    for _ in 0..5 {
        gate.comes_as(high, "high", &on([0]));
    }
    gate.wait(2 * SECOND);
    let told: Vec<_> = gate.refused.iter().map(|&(who, at, _)| (who, at)).collect();
    assert_eq!(told, [("normal", 1_000); 3], "and not at their deadline");
    assert_eq!(gate.play().len(), 11);
}
