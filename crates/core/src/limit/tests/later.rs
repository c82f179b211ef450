//! Room that is foretold, and room that is kept for later.

use proptest::prelude::*;

use super::history::{History, any_history};
use super::{just_before, wait};
use crate::limit::{LaterCharge, Limits, NotYet};

proptest! {
    #[test]
    fn there_is_room_for_so_many_exactly_when_the_last_of_them_has_its_turn(
        (limits, steps) in any_history(1..=6),
        nth in 1..20_u32,
    ) {
        let mut history = History::new(&limits);
        for step in &steps {
            let _ = history.step(step);
        }
        history.settle();
        let (mut pool, now) = (history.pool.clone(), history.now);
        let turn = pool.turn_of(now, u64::from(nth - 1), 1);
        prop_assert!(pool.room_by(now, turn) >= u64::from(nth));
        if turn > now {
            prop_assert!(pool.room_by(now, just_before(turn)) < u64::from(nth));
        }
    }

    #[test]
    fn what_leaves_room_for_a_reservation_leaves_it_and_what_does_not_takes_it(
        (limits, steps) in any_history(1..=6).prop_map(|(limits, steps)| (Limits { in_flight: None, ..limits }, steps)),
        (cost, kept) in (1..=3_u32, 1..=3_u32),
        later in wait(),
    ) {
        let mut history = History::new(&limits);
        for step in &steps {
            let _ = history.step(step);
        }
        history.settle();
        let (mut pool, mut now) = (history.pool.clone(), history.now);
        let (cost, kept) = (cost.min(limits.capacity()), kept.min(limits.capacity()));
        if let Err(NotYet::Until(at)) = pool.check(now, cost) {
            now = at;
        }
        prop_assert_eq!(pool.check(now, cost), Ok(()));
        let later = LaterCharge { cost: kept, at: now + later };
        let leaves = pool.leaves(now, cost, later);
        pool.reserve(cost);
        pool.commit(now, cost);
        prop_assert_eq!(leaves, pool.check(later.at, kept).is_ok());
    }
}
