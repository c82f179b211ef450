//! Single turns against the model of the store.

use crate::replica::{EntryKind, LogEntry, MeterCall, StoreAnswer, StoreModel, TurnAnswer, TurnCall};

const SECOND: i64 = 1_000_000;

/// A gate that joined an epoch in which all is settled: it calls, and the store answers.
struct Gate {
    call: TurnCall,
}

impl Gate {
    fn new(name: &str) -> Self {
        let call = TurnCall {
            gate: name.into(),
            nonce: 7,
            epoch: 7,
            waits: 5 * SECOND,
            ttl: 5 * SECOND,
            outage: 300 * SECOND,
            ..TurnCall::default()
        };
        Self { call }
    }

    fn turn(&mut self, store: &mut StoreModel, raw: i64, meter: MeterCall) -> TurnAnswer {
        self.call.seq += 1;
        self.call.meters = vec![MeterCall { id: "m".into(), limit: 10, span: 60 * SECOND, claim: 1, ..meter }];
        let text = store.turn(raw, &self.call);
        let StoreAnswer::Turn(answer) = text.parse().expect("an answer") else { panic!("{text}") };
        (self.call.prev, self.call.anchor, self.call.confirmed) = (answer.now, answer.late, answer.now);
        answer
    }
}

fn want(want: u64) -> MeterCall {
    MeterCall { want, ..MeterCall::default() }
}

fn settled() -> (StoreModel, i64) {
    let mut store = StoreModel::default();
    Gate::new("first").turn(&mut store, 0, want(0));
    (store, 2 * SECOND)
}

#[test]
fn leases_of_all_gates_stay_below_limit() {
    let (mut store, now) = settled();
    assert_eq!(Gate::new("a").turn(&mut store, now, want(7)).leases[0].granted, 7);
    assert_eq!(Gate::new("b").turn(&mut store, now, want(7)).leases[0].granted, 3);
}

#[test]
fn repeated_call_gets_its_first_answer() {
    let (mut store, now) = settled();
    let mut gate = Gate::new("a");
    let first = gate.turn(&mut store, now, want(4));
    gate.call.seq -= 1;
    assert_eq!(gate.turn(&mut store, now + 1, want(4)), first);
    assert_eq!(store.counts("m"), Some((4, 0)));
}

#[test]
fn lease_that_ended_counts_until_its_gate_returns() {
    let (mut store, now) = settled();
    let (mut gone, mut other) = (Gate::new("gone"), Gate::new("other"));
    gone.turn(&mut store, now, want(6));
    let later = now + 6 * SECOND;
    let answer = other.turn(&mut store, later, want(10));
    assert_eq!((answer.leases[0].used, answer.leases[0].granted), (6, 4));
    // It had sent two before the lease ended, and still has the rest.
    let spent = LogEntry { kind: EntryKind::Spent, age: 5 * SECOND, cost: 2 };
    let back = gone.turn(&mut store, later + 1, MeterCall { entries: vec![spent], ..want(0) });
    assert!(!back.leases[0].lapsed);
    assert_eq!((back.leases[0].used, back.leases[0].held), (2, 8));
}

#[test]
fn place_is_free_one_span_after_its_use() {
    let (mut store, now) = settled();
    let mut gate = Gate::new("a");
    gate.turn(&mut store, now, want(10));
    let spent = LogEntry { kind: EntryKind::Spent, age: 0, cost: 10 };
    gate.turn(&mut store, now, MeterCall { entries: vec![spent], ..want(1) });
    (gate.call.since_answer, gate.call.since_anchor) = (0, 60 * SECOND);
    assert_eq!(gate.turn(&mut store, now + 60 * SECOND - 1, want(1)).leases[0].granted, 0);
    assert_eq!(gate.turn(&mut store, now + 60 * SECOND, want(1)).leases[0].granted, 1);
}

#[test]
fn clock_that_steps_forward_frees_nothing() {
    let (mut store, now) = settled();
    let mut gate = Gate::new("a");
    gate.turn(&mut store, now, want(10));
    let spent = LogEntry { kind: EntryKind::Spent, age: 0, cost: 10 };
    gate.turn(&mut store, now, MeterCall { entries: vec![spent], ..want(1) });
    (gate.call.since_answer, gate.call.since_anchor) = (SECOND, SECOND);
    assert_eq!(gate.turn(&mut store, now + 3_600 * SECOND, want(1)).leases[0].granted, 0);
}

#[test]
fn hungry_gates_divide_what_is_free() {
    let (mut store, now) = settled();
    let (mut one, mut other) = (Gate::new("one"), Gate::new("other"));
    one.turn(&mut store, now, want(10));
    other.turn(&mut store, now, want(10));
    // It gives all back and wants it again.
    assert_eq!(one.turn(&mut store, now, MeterCall { back: 10, ..want(10) }).leases[0].granted, 5);
}

#[test]
fn silent_gates_part_is_set_aside() {
    let (mut store, now) = settled();
    let (mut gone, mut other) = (Gate::new("gone"), Gate::new("other"));
    gone.call.share = crate::replica::PARTS / 2;
    gone.turn(&mut store, now, want(0));
    assert_eq!(other.turn(&mut store, now + 4 * SECOND, want(10)).leases[0].granted, 5);
}
