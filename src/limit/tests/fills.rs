use super::{capped, start};
use crate::limit::{Fill, Ledger, PoolId};

#[test]
fn the_load_is_by_the_tightest_limit_and_by_the_learned_one_where_that_is_tighter() {
    let limits = |rates| crate::limit::Limits { learn: crate::limit::Learn::Tighten, ..capped(rates) };
    let (mut ledger, now) = (Ledger::new(vec![limits(&["10/s", "100/min"]), limits(&[])]), start());
    let instance = ledger.instance(PoolId(0), None);
    ledger.pool_mut(instance).hold(1);
    ledger.pool_mut(instance).spend(now, 1);
    let load = |text: &str, used| Some(Fill { limit: text.parse().expect("a rate"), used });
    assert_eq!(ledger.load(now, PoolId(0), None), load("100/min", 1));
    assert_eq!(ledger.load(now, PoolId(1), None), None, "nothing is known");
    assert_eq!(ledger.load(now, PoolId(1), Some("nobody")), None, "and an instance is not made for it");
    assert_eq!(ledger.keyed(), 0);
    let told = crate::limit::Told { limit: "60/min".parse().expect("a rate"), left: Some(59) };
    ledger.pool_mut(instance).accepted(now, now, 1, Some(told));
    assert_eq!(ledger.load(now, PoolId(0), None), load("60/min", 1));
}
