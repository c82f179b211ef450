//! Those who were refused, were told when to come back, and do.

use std::time::Duration;

use super::gate::{Gate, capped_pool, on};
use crate::admission::{Applicant, Arrival, PoolRules, Refusal};
use crate::limit::Limits;

const SECOND: Duration = Duration::from_secs(1);

/// An official SDK that has come back so often.
fn sdk(returns: u32) -> Applicant {
    Applicant { returns: Some(returns), ..Applicant::default() }
}

fn impatient(returns: u32, patience: Duration) -> Applicant {
    Applicant { patience: Some(patience), ..sdk(returns) }
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
    for _ in 0..5 {
        gate.comes("before", &on([0]));
    }
    let told = refusal(&gate.comes_as(sdk(0), "stays away", &on([0])));
    let kept = gate.scheduler.snapshot(gate.now).instances[0].eta;
    gate.wait(told.retry_after + 11 * SECOND);
    assert_eq!((kept, gate.scheduler.snapshot(gate.now).instances[0].eta), (6 * SECOND, Duration::ZERO));
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
    for _ in 0..100 {
        gate.comes("before", &on([0]));
    }
    let told = refusal(&gate.comes_as(impatient(0, SECOND), "impatient", &on([0])));
    assert!(told.pointless, "in 60 s, its turn is still 40 s away, and it waits for 1 s");
    let told = refusal(&gate.comes_as(impatient(0, 50 * SECOND), "more patient", &on([0])));
    assert!(!told.pointless);
}

#[test]
fn those_are_told_at_once_whom_a_higher_priority_makes_too_late() {
    let mut gate = Gate::new([waits(10 * SECOND, capped_pool("1/s"))]);
    for _ in 0..9 {
        gate.comes("normal", &on([0]));
    }
    let high = Applicant { priority: crate::route::Priority::High, ..Applicant::default() };
    for _ in 0..5 {
        gate.comes_as(high, "high", &on([0]));
    }
    gate.wait(2 * SECOND);
    let told: Vec<_> = gate.refused.iter().map(|&(who, at, _)| (who, at)).collect();
    assert_eq!(told, [("normal", 1_000); 3], "and not at their deadline");
    assert_eq!(gate.play().len(), 11);
}
