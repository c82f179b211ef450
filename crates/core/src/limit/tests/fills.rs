use std::time::Duration;

use super::{capped, start};
use crate::limit::{Charge, Fill, Hint, Learn, Ledger, Limits, PoolId};

fn learning(rates: &[&str]) -> Limits {
    Limits { learn: Learn::Tighten, ..capped(rates) }
}

fn fill(limit: &str, used: u64) -> Fill {
    Fill { limit: limit.parse().expect("a rate"), used }
}

fn hint(limit: &str, left: u64) -> Hint {
    Hint { limit: limit.parse().expect("a rate"), left: Some(left) }
}

#[test]
fn load_is_of_tightest_limit() {
    let mut ledger = Ledger::new(vec![learning(&["10/s", "100/min"]), learning(&[])]);
    let now = start();
    let charge = Charge { instance: ledger.instance(PoolId(0), None), cost: 1 };
    ledger.reserve(now, &[charge], |_| None).expect("the pool is empty");
    ledger.commit(now, &[charge]);
    assert_eq!(ledger.load(now, PoolId(0), None), Some(fill("100/min", 1)));
    assert_eq!(ledger.load(now, PoolId(1), None), None, "nothing is known");
    assert_eq!(ledger.load(now, PoolId(1), Some("unknown")), None, "and no instance is made");
    assert_eq!(ledger.keyed(), 0);
    ledger.accepted(now, charge, now, Some(hint("60/min", 59)));
    assert_eq!(ledger.load(now, PoolId(0), None), Some(fill("60/min", 1)), "the learned limit is tighter");
}

#[test]
fn fill_is_of_most_used_limit() {
    let mut ledger = Ledger::new(vec![learning(&["10/s", "100/min"])]);
    let now = start();
    let charge = Charge { instance: ledger.instance(PoolId(0), None), cost: 1 };
    for _ in 0..3 {
        ledger.reserve(now, &[charge], |_| None).expect("the pool has room");
        ledger.commit(now, &[charge]);
    }
    let mut fill_at = |now| ledger.usage(now, charge.instance).expect("a keyless instance stays").fill;
    assert_eq!(fill_at(now), Some(fill("10/s", 3)));
    let later = now + Duration::from_secs(5);
    assert_eq!(fill_at(later), Some(fill("100/min", 3)));
    ledger.accepted(later, charge, later, Some(hint("60/min", 20)));
    assert_eq!(ledger.usage(later, charge.instance).expect("it stays").fill, Some(fill("60/min", 40)));
    assert!((fill("60/min", 40).ratio() - 2.0 / 3.0).abs() < 1e-9);
}
