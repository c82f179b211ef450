use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::gate::{Gate, capped_pool, costing, on, one_in_flight, pool};
use crate::limit::Limits;
use crate::limit::tests::{capped, rate, wait};
use crate::queue::Ticket;
use crate::route::Ask;
use crate::scheduler::{AdmissionRequest, Arrival};

const SECOND: Duration = Duration::from_secs(1);

fn keyed(key: &str) -> [Ask; 1] {
    on([0]).map(|ask| Ask { key: Some(key.into()), ..ask })
}

fn ticket(arrival: &Arrival) -> Ticket {
    let Arrival::Queued { ticket, .. } = *arrival else { panic!("{arrival:?}, and should wait") };
    ticket
}

#[test]
fn first_in_first_out_for_the_same_pools() {
    let mut gate = Gate::new([capped_pool("1/s")]);
    for who in ["first", "second", "third", "fourth"] {
        gate.comes(who, &on([0]));
    }
    assert_eq!(gate.play(), [("first", 0), ("second", 1_000), ("third", 2_000), ("fourth", 3_000)]);
}

#[test]
fn a_short_pool_does_not_hold_up_those_who_do_not_need_it() {
    let mut gate = Gate::new([capped_pool("1/min"), capped_pool("1/s")]);
    gate.comes("first", &on([0, 1]));
    gate.comes("short", &on([0, 1]));
    gate.comes("free", &on([1]));
    gate.comes("free too", &on([1]));
    assert_eq!(gate.play(), [("first", 0), ("free", 1_000), ("free too", 2_000), ("short", 60_000)]);
}

#[test]
fn a_busy_key_does_not_hold_up_another() {
    let mut gate = Gate::new([capped_pool("1/s")]);
    for (who, key) in [("first", "busy"), ("second", "busy"), ("other", "idle")] {
        gate.comes(who, &keyed(key));
    }
    assert_eq!(gate.play(), [("first", 0), ("other", 0), ("second", 1_000)]);
    assert_eq!(gate.scheduler.snapshot(gate.now).instances.len(), 1, "keys that nobody uses are forgotten");
}

#[test]
fn who_came_later_and_costs_less_does_not_slip_past() {
    let mut gate = Gate::new([capped_pool("3/s")]);
    for (who, cost) in [("first", 2), ("dear", 3), ("cheap", 1)] {
        gate.comes(who, &[costing(0, cost)]);
    }
    assert_eq!(gate.play(), [("first", 0), ("dear", 1_000), ("cheap", 2_000)]);
}

#[test]
fn nor_does_who_comes_from_another_pool() {
    let mut gate = Gate::new([capped_pool("1/s"), capped_pool("3/10s")]);
    gate.comes("first", &[costing(0, 1), costing(1, 2)]);
    gate.comes("second", &on([0]));
    gate.comes("dear", &[costing(1, 3)]);
    gate.comes("cheap", &on([0, 1]));
    assert_eq!(gate.play(), [("first", 0), ("second", 1_000), ("dear", 10_000), ("cheap", 20_000)]);
}

#[test]
fn a_request_on_two_pools_waits_for_both() {
    let mut gate = Gate::new([capped_pool("1/s"), capped_pool("1/3s")]);
    gate.comes("first", &on([0, 1]));
    gate.comes("both", &on([0, 1]));
    gate.wait(Duration::from_millis(2_500));
    gate.comes("too late to be back in time", &on([0]));
    let went = [("first", 0), ("both", 3_000), ("too late to be back in time", 4_000)];
    assert_eq!(gate.play(), went);
}

#[test]
fn who_leaves_costs_nothing() {
    let mut gate = Gate::new([capped_pool("1/s")]);
    gate.comes("first", &on([0]));
    let [leaves, leaves_too] = ["leaves", "leaves too"].map(|who| ticket(&gate.comes(who, &on([0]))));
    gate.comes("stays", &on([0]));
    for ticket in [leaves_too, leaves, leaves] {
        gate.scheduler.cancel(gate.now, ticket);
    }
    assert_eq!(gate.play(), [("first", 0), ("stays", 1_000)]);
    assert_eq!(gate.scheduler.snapshot(gate.now).totals.cancelled, 2);
}

#[test]
fn who_leaves_lets_those_go_whom_he_held_up() {
    let mut gate = Gate::new([capped_pool("3/s")]);
    gate.comes("first", &[costing(0, 2)]);
    let dear = ticket(&gate.comes("dear", &[costing(0, 3)]));
    gate.comes("cheap", &on([0]));
    gate.scheduler.cancel(gate.now, dear);
    gate.hear();
    assert_eq!(gate.went, [("first", 0), ("cheap", 0)]);
}

#[test]
fn a_place_that_is_given_back_goes_to_the_next() {
    let mut gate = Gate::new([capped_pool("1/s")]);
    let Arrival::Granted { charges, .. } =
        gate.scheduler.arrive(gate.now, &on([0]), AdmissionRequest::default(), || "first")
    else {
        panic!("room")
    };
    gate.comes("next", &on([0]));
    gate.wait(SECOND);
    gate.scheduler.refund(gate.now, &charges);
    gate.scheduler.release(gate.now, &charges);
    gate.hear();
    assert_eq!(gate.went, [("next", 1_000)]);
}

#[test]
fn a_place_in_flight_goes_to_the_next_when_the_answer_has_ended() {
    let mut gate = Gate::new([one_in_flight()]);
    let Arrival::Granted { charges, .. } =
        gate.scheduler.arrive(gate.now, &on([0]), AdmissionRequest::default(), || "first")
    else {
        panic!("room")
    };
    gate.scheduler.commit(gate.now, &charges);
    gate.comes("next", &on([0]));
    gate.wait(SECOND);
    assert_eq!(gate.went, []);
    gate.scheduler.release(gate.now, &charges);
    gate.hear();
    assert_eq!(gate.went, [("next", 1_000)]);
}

#[test]
fn unknown_costs_take_the_whole_pool() {
    let unknown = Ask { cost: None, ..costing(0, 1) };
    for asks in [&[unknown.clone()][..], &[costing(0, 2), unknown.clone()], &[unknown.clone(), costing(0, 2)]] {
        let mut gate = Gate::new([capped_pool("3/s")]);
        gate.comes("unknown", asks);
        gate.comes("next", &on([0]));
        assert_eq!(gate.play(), [("unknown", 0), ("next", 1_000)]);
    }
}

#[test]
fn three_hundred_posts_then_six_hundred_runs_and_nobody_who_is_let_in_to_wait_waits_in_vain() {
    let (posts, runs) = (0, 1);
    let mut gate = Gate::new([capped_pool("300/min"), capped_pool("200/min")]);
    for who in 0..300 {
        gate.comes(who, &on([posts]));
    }
    let arrivals: Vec<_> = (300..900).map(|who| gate.comes(who, &on([runs, posts]))).collect();
    let refused = arrivals.iter().filter(|arrival| matches!(arrival, Arrival::Refused(_))).count();
    let at = |millis| move |&&(_, at): &&(usize, u128)| at == millis;
    let went = gate.play();
    assert_eq!([0, 60_000, 120_000].map(|millis| went.iter().filter(at(millis)).count()), [300, 200, 200]);
    assert!(went.is_sorted(), "out of order");
    assert_eq!((went.len(), refused), (700, 200), "a third minute would be too late");
    assert_eq!(gate.refused, []);
}

proptest! {
    #[test]
    fn the_turn_that_is_foretold_is_the_turn_that_comes(rate in rate(1..=6), waits in vec(wait(), 1..60)) {
        let mut gate = Gate::new([pool(Limits { requests: vec![rate], ..capped(&[]) })]);
        let (mut foretold, began) = (Vec::new(), gate.now);
        for (who, wait) in waits.into_iter().enumerate() {
            gate.wait(wait / 10);
            let eta = gate.scheduler.snapshot(gate.now).instances[0].eta;
            foretold.push((who, (gate.now + eta - began).as_millis()));
            gate.comes(who, &on([0]));
        }
        prop_assert_eq!(gate.play(), foretold);
    }
}
