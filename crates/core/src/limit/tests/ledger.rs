use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use super::{capped, just_before, small_limits, start, wait};
use crate::limit::{Charge, InstanceId, Learn, Ledger, Limits, NotYet, PoolId, PoolUsage};

/// A request: what it costs at each pool, whether it is sent at once if it is granted, and how long before it comes.
type Request = (Vec<Option<u32>>, bool, Duration);

fn requests() -> impl Strategy<Value = Vec<Request>> {
    vec((vec(of(1..=3_u32), 3), any::<bool>(), wait()), 1..60)
}

fn charges(ledger: &mut Ledger, costs: &[Option<u32>]) -> Vec<Charge> {
    let charge = |(pool, cost): (usize, &Option<u32>)| {
        let instance = ledger.instance(PoolId(pool), None);
        cost.map(|cost| Charge { instance, cost })
    };
    costs.iter().enumerate().filter_map(charge).collect()
}

fn usage(ledger: &mut Ledger, now: Instant) -> Vec<PoolUsage> {
    ledger.ids().into_iter().filter_map(|id| ledger.usage(now, id)).map(|usage| usage.usage).collect()
}

proptest! {
    #[test]
    fn a_request_takes_from_all_its_pools_if_all_have_room_and_else_from_none(
        limits in vec(small_limits(), 3),
        requests in requests(),
    ) {
        let (mut ledger, mut now) = (Ledger::new(limits), start());
        for (costs, is_sent, wait) in requests {
            now += wait;
            let charges = charges(&mut ledger, &costs);
            let has_room = charges.iter().all(|&charge| ledger.has_room(now, charge, None));
            let mut expected = usage(&mut ledger, now);
            for charge in charges.iter().filter(|_| has_room) {
                expected[charge.instance.index()].reserved += u64::from(charge.cost);
                expected[charge.instance.index()].in_flight += 1;
            }
            prop_assert_eq!(ledger.reserve(now, &charges, |_| None).is_ok(), has_room);
            prop_assert_eq!(usage(&mut ledger, now), expected);
            if has_room && is_sent {
                ledger.commit(now, &charges);
                ledger.release(&charges);
            }
        }
    }

    #[test]
    fn a_request_is_told_the_pool_that_keeps_it_longest(limits in vec(small_limits(), 3), requests in requests()) {
        let (mut ledger, mut now) = (Ledger::new(limits), start());
        for (costs, _, wait) in requests {
            now += wait;
            let charges = charges(&mut ledger, &costs);
            match ledger.reserve(now, &charges, |_| None) {
                Ok(()) => {}
                Err((_, NotYet::Freed)) => continue,
                Err((instance, NotYet::Until(at))) => {
                    prop_assert_eq!(ledger.reserve(just_before(at), &charges, |_| None), Err((instance, NotYet::Until(at))));
                    prop_assert_eq!(ledger.reserve(at, &charges, |_| None), Ok(()));
                    now = at;
                }
            }
            ledger.commit(now, &charges);
            ledger.release(&charges);
        }
    }
}

/// What happens to a key.
#[derive(Clone, Copy, Debug)]
enum Step {
    Name,
    Unname,
    Take,
    Send,
    GiveBack,
    Land,
}

/// What is known of a key.
#[derive(Default)]
struct Key {
    named: u32,
    held: u32,
    in_flight: u32,
    counts_until: Option<Instant>,
}

impl Key {
    fn is_idle(&self, now: Instant) -> bool {
        self.named + self.held + self.in_flight == 0 && self.counts_until.is_none_or(|until| until <= now)
    }

    fn step(&mut self, step: Step, ledger: &mut Ledger, now: Instant, charge: Charge) {
        match step {
            Step::Name => {
                ledger.pin(&[charge]);
                self.named += 1;
            }
            Step::Unname if self.named > 0 => {
                ledger.unpin(&[charge]);
                self.named -= 1;
            }
            Step::Take if ledger.reserve(now, &[charge], |_| None).is_ok() => {
                self.held += 1;
                self.in_flight += 1;
            }
            Step::Send if self.held > 0 => {
                ledger.commit(now, &[charge]);
                self.held -= 1;
                self.counts_until = Some(now + LONGEST);
            }
            Step::GiveBack if self.held > 0 => {
                ledger.refund(&[charge]);
                self.held -= 1;
            }
            Step::Land if self.in_flight > 0 => {
                ledger.release(&[charge]);
                self.in_flight -= 1;
            }
            _ => {}
        }
    }
}

/// The longest window of the keys.
const LONGEST: Duration = Duration::from_millis(40);

fn steps() -> impl Strategy<Value = Vec<(usize, Step, Duration)>> {
    let steps = vec![Step::Name, Step::Unname, Step::Take, Step::Send, Step::GiveBack, Step::Land];
    vec((0..3_usize, prop::sample::select(steps), wait()), 1..100)
}

proptest! {
    #[test]
    fn a_key_is_dropped_once_it_is_idle_and_not_while_it_is_named_or_counts(steps in steps()) {
        let (mut ledger, mut now) = (Ledger::new(vec![capped(&["3/10ms", "5/40ms"])]), start());
        let mut keys: BTreeMap<InstanceId, (String, Key)> = BTreeMap::new();
        for (key, step, wait) in steps {
            now += wait;
            let key = key.to_string();
            let instance = ledger.instance(PoolId(0), Some(&key));
            let (_, known) = keys.entry(instance).or_insert_with(|| (key, Key::default()));
            known.step(step, &mut ledger, now, Charge { instance, cost: 1 });
            ledger.sweep(now, |_| false);
            keys.retain(|_, (_, known)| !known.is_idle(now));
            prop_assert_eq!(ledger.keyed(), keys.len());
            for (&instance, (key, _)) in &keys {
                prop_assert_eq!(ledger.instance(PoolId(0), Some(key)), instance);
            }
        }
    }
}

#[test]
fn the_keys_of_a_pool_share_nothing() {
    let (mut ledger, now) = (Ledger::new(vec![capped(&["1/s"])]), start());
    let charge_of = |key| [Charge { instance: ledger.instance(PoolId(0), key), cost: 1 }];
    let charges = [None, Some("one"), Some("other")].map(charge_of);
    for charge in &charges {
        assert_eq!(ledger.reserve(now, charge, |_| None), Ok(()));
        assert!(ledger.reserve(now, charge, |_| None).is_err());
    }
}

fn by_model() -> Ledger {
    Ledger::new(vec![Limits { learn: Learn::Discover, model_part: Some(0), ..Limits::default() }])
}

#[test]
fn a_model_shares_its_familys_instance_for_an_hour() {
    let (mut ledger, now) = (by_model(), start());
    let model = ledger.instance(PoolId(0), Some("small acme"));
    let family = ledger.join(now, model, "family").expect("another one");
    assert_eq!(ledger.instance(PoolId(0), Some("small acme")), family);
    assert_eq!(ledger.instance(PoolId(0), Some("family acme")), family);
    assert_ne!(ledger.instance(PoolId(0), Some("small other")), family);
    assert_eq!(ledger.join(now, family, "family"), None);
    ledger.sweep(now + Duration::from_hours(1), |_| true);
    assert_eq!(ledger.instance(PoolId(0), Some("small acme")), model);
}

#[test]
fn families_that_name_each_other_do_no_harm() {
    let (mut ledger, now) = (by_model(), start());
    for (model, family) in [("a", "b"), ("b", "a"), ("b", "c"), ("c", "a")] {
        let instance = ledger.instance(PoolId(0), Some(model));
        ledger.join(now, instance, family);
        let charge = [Charge { instance: ledger.instance(PoolId(0), Some(model)), cost: 1 }];
        if ledger.reserve(now, &charge, |_| None).is_ok() {
            ledger.commit(now, &charge);
            ledger.release(&charge);
        }
    }
    let one = ledger.instance(PoolId(0), Some("a"));
    ledger.part(one);
}

#[test]
fn beyond_ten_thousand_keys_all_others_share_one_instance() {
    let mut ledger = Ledger::new(vec![capped(&["1/s"])]);
    let mut of = |key: usize| ledger.instance(PoolId(0), Some(&key.to_string()));
    let first = of(0);
    let others: Vec<_> = (1..10_000).map(&mut of).collect();
    assert!(!others.contains(&first));
    assert_eq!(of(10_001), of(10_002));
    assert_eq!(of(0), first);
    assert_eq!(ledger.keyed(), 10_001);
}
