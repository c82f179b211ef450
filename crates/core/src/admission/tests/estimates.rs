use super::gate::{Gate, costing, pool};
use crate::limit::tests::capped;
use crate::limit::{Limits, Unit};

/// A request that is taken for more than the limit may be small: it goes when nothing else does, and takes all of it.
#[test]
fn estimates_beyond_the_limit_wait_for_all_of_it() {
    let mut gate = Gate::new([pool(Limits { unit: Unit::Tokens, ..capped(&["1000/min"]) })]);
    gate.comes("large", &[costing(0, 1_000_000)]);
    gate.comes("larger", &[costing(0, 2_000_000)]);
    assert_eq!(gate.play(), [("large", 0), ("larger", 60_000)]);
}
