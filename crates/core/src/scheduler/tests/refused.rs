use std::time::Duration;

use super::gate::{Gate, capped_pool, costing, on, one_in_flight};
use crate::limit::PoolId;
use crate::scheduler::{AdmissionRequest, Arrival, PoolRules, Reason, Refusal};

const SECOND: Duration = Duration::from_secs(1);

fn refusal(arrival: &Arrival) -> Refusal {
    let Arrival::Refused(refusal) = *arrival else { panic!("{arrival:?}, and should be refused") };
    refusal
}

#[test]
fn too_late_is_said_on_arrival() {
    let (limits, rules) = capped_pool("1/s");
    let mut gate = Gate::new([(limits, PoolRules { max_wait: 2 * SECOND, ..rules })]);
    for who in ["first", "second", "third"] {
        gate.comes(who, &on([0]));
    }
    let reason = Reason::WaitTooLong { pool: PoolId(0), waiting: 2, ahead: 2, eta: 3 * SECOND, max_wait: 2 * SECOND };
    assert_eq!(
        refusal(&gate.comes("late", &on([0]))),
        Refusal { reason, retry_after: 2 * SECOND, pointless: false, learned: None }
    );
    assert_eq!(gate.play().len(), 3);
    assert_eq!(gate.refused, []);
}

#[test]
fn too_late_counts_those_who_need_other_pools_besides() {
    let (limits, rules) = capped_pool("1/s");
    let mut gate = Gate::new([(limits, PoolRules { max_wait: 2 * SECOND, ..rules }), capped_pool("100/s")]);
    for who in ["first", "second", "third"] {
        gate.comes(who, &on([0, 1]));
    }
    let reason = Reason::WaitTooLong { pool: PoolId(0), waiting: 2, ahead: 2, eta: 3 * SECOND, max_wait: 2 * SECOND };
    assert_eq!(refusal(&gate.comes("late", &on([0]))).reason, reason);
}

#[test]
fn who_waits_in_vain_is_told_at_his_deadline() {
    let mut gate = Gate::new([one_in_flight()]);
    let stays = gate.scheduler.arrive(gate.now, &on([0]), AdmissionRequest::default(), || "stays");
    assert!(matches!(stays, Arrival::Granted { charges: _, .. }));
    gate.comes("in vain", &on([0]));
    gate.play();
    let (eta, max_wait) = (120 * SECOND, 120 * SECOND);
    let reason = Reason::WaitTooLong { pool: PoolId(0), waiting: 0, ahead: 0, eta, max_wait };
    assert_eq!(
        gate.refused,
        [("in vain", 120_000, Refusal { reason, retry_after: SECOND, pointless: false, learned: None })]
    );
}

#[test]
fn a_full_queue_refuses() {
    let (limits, rules) = capped_pool("1/s");
    let mut gate = Gate::new([(limits, PoolRules { max_waiting: 1, ..rules })]);
    gate.comes("goes", &on([0]));
    gate.comes("waits", &on([0]));
    let reason = Reason::QueueFull { pool: Some(PoolId(0)), waiting: 1, eta: 2 * SECOND };
    assert_eq!(
        refusal(&gate.comes("refused", &on([0]))),
        Refusal { reason, retry_after: 2 * SECOND, pointless: false, learned: None }
    );
}

#[test]
fn as_many_wait_in_all_as_may() {
    let mut gate = Gate::new(
        [capped_pool("100/s"), capped_pool("100/s")]
            .map(|(limits, rules)| (limits, PoolRules { max_waiting: 2_000, ..rules })),
    );
    let arrivals: Vec<_> = (0..1_300).map(|who| gate.comes(who, &on([who % 2]))).collect();
    let refused: Vec<_> = arrivals.into_iter().filter(|arrival| matches!(arrival, Arrival::Refused(_))).collect();
    assert_eq!(refused.len(), 100);
    for arrival in &refused {
        assert!(matches!(refusal(arrival).reason, Reason::QueueFull { pool: None, waiting: 1_000, .. }));
    }
}

#[test]
fn a_pool_that_refuses_when_full_lets_nobody_wait() {
    let (limits, rules) = capped_pool("1/s");
    let mut gate = Gate::new([(limits, PoolRules { refuse_when_full: true, ..rules })]);
    gate.comes("goes", &on([0]));
    let reason = Reason::NoQueue { pool: PoolId(0), eta: SECOND };
    assert_eq!(
        refusal(&gate.comes("refused", &on([0]))),
        Refusal { reason, retry_after: SECOND, pointless: false, learned: None }
    );
    gate.wait(SECOND);
    gate.comes("goes too", &on([0]));
    assert_eq!(gate.play(), [("goes", 0), ("goes too", 1_000)]);
}

#[test]
fn nor_does_anybody_wait_for_room_that_another_has_reserved_there() {
    let (limits, rules) = capped_pool("3/s");
    let mut gate = Gate::new([(limits, PoolRules { refuse_when_full: true, ..rules }), capped_pool("1/2s")]);
    gate.comes("first", &on([1]));
    gate.comes("dear", &[costing(0, 3), costing(1, 1)]);
    gate.wait(SECOND / 2);
    gate.comes("in time", &on([0]));
    gate.wait(SECOND);
    assert!(matches!(refusal(&gate.comes("refused", &on([0]))).reason, Reason::NoQueue { pool: PoolId(0), .. }));
    assert_eq!(gate.play(), [("first", 0), ("in time", 500), ("dear", 2_000)]);
}

#[test]
fn what_never_fits_is_refused_for_good() {
    let mut gate = Gate::new([capped_pool("3/s")]);
    for asks in [&[costing(0, 4)][..], &[costing(0, 2), costing(0, 2)]] {
        let limit = "3/s".parse().expect("a rate");
        let reason = Reason::NeverFits { pool: PoolId(0), limit, cost: 4 };
        assert_eq!(
            refusal(&gate.comes("never", asks)),
            Refusal { reason, retry_after: 60 * SECOND, pointless: true, learned: None }
        );
    }
}

/// A request that is taken for more than the limit may be small: it goes when nothing else does, and takes all of it.
#[test]
fn estimates_beyond_the_limit_wait_for_all_of_it() {
    let (limits, rules) = capped_pool("1000/min");
    let mut gate = Gate::new([(crate::limit::Limits { unit: crate::limit::Unit::Tokens, ..limits }, rules)]);
    gate.comes("large", &[costing(0, 1_000_000)]);
    gate.comes("larger", &[costing(0, 2_000_000)]);
    assert_eq!(gate.play(), [("large", 0), ("larger", 60_000)]);
}

#[test]
fn draining_refuses_all() {
    let mut gate = Gate::new([capped_pool("1/s")]);
    for who in ["goes", "waits", "waits too"] {
        gate.comes(who, &on([0]));
    }
    gate.scheduler.drain();
    gate.hear();
    let draining = Refusal { reason: Reason::Draining, retry_after: SECOND, pointless: false, learned: None };
    gate.refused.sort_by_key(|&(who, ..)| who);
    assert_eq!(gate.refused, [("waits", 0, draining), ("waits too", 0, draining)]);
    assert_eq!(refusal(&gate.comes("comes later", &on([0]))), draining);
    assert_eq!(gate.play(), [("goes", 0)]);
}

#[test]
fn a_refused_client_gets_a_slot_of_its_own() {
    let (limits, rules) = capped_pool("2/s");
    let mut gate = Gate::new([(limits, PoolRules { refuse_when_full: true, ..rules })]);
    let arrivals = (0..5).map(|who| gate.comes(who, &on([0]))).skip(2);
    let slots: Vec<_> = arrivals.map(|arrival| refusal(&arrival).retry_after).collect();
    assert_eq!(slots, [1_000, 1_500, 2_000].map(Duration::from_millis));
}
