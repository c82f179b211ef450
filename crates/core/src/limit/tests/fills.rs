use std::time::Duration;

use super::{capped, start};
use crate::limit::{Fill, Ledger, PoolId};

#[test]
fn the_load_is_by_the_tightest_limit_and_by_the_learned_one_where_that_is_tighter() {
    let limits = |rates| crate::limit::Limits { learn: crate::limit::Learn::Tighten, ..capped(rates) };
    let (mut ledger, now) = (Ledger::new(vec![limits(&["10/s", "100/min"]), limits(&[])]), start());
    let instance = ledger.instance(PoolId(0), None);
    ledger.pool_mut(instance).reserve(1);
    ledger.pool_mut(instance).commit(now, 1);
    let load = |text: &str, used| Some(Fill { limit: text.parse().expect("a rate"), used });
    assert_eq!(ledger.load(now, PoolId(0), None), load("100/min", 1));
    assert_eq!(ledger.load(now, PoolId(1), None), None, "nothing is known");
    assert_eq!(ledger.load(now, PoolId(1), Some("nobody")), None, "and an instance is not made for it");
    assert_eq!(ledger.keyed(), 0);
    let told = crate::limit::Hint { limit: "60/min".parse().expect("a rate"), left: Some(59) };
    ledger.pool_mut(instance).accepted(now, now, 1, Some(told));
    assert_eq!(ledger.load(now, PoolId(0), None), load("60/min", 1));
}

#[test]
fn the_fill_is_of_the_limit_of_which_most_is_used_whichever_is_the_tightest() {
    let limits = crate::limit::Limits { learn: crate::limit::Learn::Tighten, ..capped(&["10/s", "100/min"]) };
    let (mut ledger, now) = (Ledger::new(vec![limits]), start());
    let instance = ledger.instance(PoolId(0), None);
    let fill = |text: &str, used| Some(Fill { limit: text.parse().expect("a rate"), used });
    for _ in 0..3 {
        ledger.pool_mut(instance).reserve(1);
        ledger.pool_mut(instance).commit(now, 1);
    }
    assert_eq!(ledger.pool_mut(instance).fill(now), fill("10/s", 3));
    let later = now + Duration::from_secs(5);
    assert_eq!(ledger.pool_mut(instance).fill(later), fill("100/min", 3));
    let told = crate::limit::Hint { limit: "60/min".parse().expect("a rate"), left: Some(20) };
    ledger.pool_mut(instance).accepted(later, later, 1, Some(told));
    assert_eq!(ledger.pool_mut(instance).fill(later), fill("60/min", 40));
    assert!((fill("60/min", 40).expect("some").ratio() - 2.0 / 3.0).abs() < 1e-9);
}
