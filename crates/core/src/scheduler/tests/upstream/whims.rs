//! An upstream that refuses for any reason at any time: everybody is served or told in the end, and nothing is left.

use std::time::Duration;

use super::{Scene, World};
use crate::hints::{LimitFigures, Pushback, RefusalCause};
use crate::limit::Unit;
use crate::meter::Counting;

/// One in twelve is refused, for any reason that is sent again.
fn whim(chance: &mut fastrand::Rng) -> Option<Pushback> {
    let cause =
        [RefusalCause::Limit, RefusalCause::Limit, RefusalCause::Ramp, RefusalCause::Overload][chance.usize(..4)];
    let hints = [None, Some(Duration::ZERO), Some(Duration::from_millis(700)), Some(Duration::from_secs(9))];
    let per = Duration::from_mins(1);
    let figures = LimitFigures {
        unit: [Unit::Requests, Unit::Tokens][chance.usize(..2)],
        per,
        limit: Some(120),
        used: Some(119),
        requested: Some(2),
    };
    let pushback = Pushback {
        cause,
        figures: chance.bool().then_some(figures),
        family: chance.bool().then(|| "family".into()),
        retry_after: hints[chance.usize(..4)],
    };
    (chance.u32(..12) == 0).then_some(pushback)
}

#[test]
fn whatever_the_upstream_says_everybody_is_served_or_told() {
    for (window, seed) in
        [Counting::Sliding, Counting::Bucket].into_iter().flat_map(|window| (0..8).map(move |seed| (window, seed)))
    {
        let mut world = World::played(&Scene {
            pools: vec![(200, 150), (300, 300)],
            asks: |client| if client % 4 == 0 { &[1] } else { &[0, 1] },
            thinks: |_| Duration::ZERO,
            window,
            burst: None,
            requests: 600,
            clients: 30,
            foreign: 0.0,
            whims: whim,
            latency: Duration::from_millis(40),
            seed,
        });
        let lessons = world.lessons();
        let (taken, failed) = (world.taken.len(), world.failed);
        let told = format!("{window:?}, seed {seed}: {taken} taken, {failed} failed, {lessons:?}");
        assert_eq!(taken + failed, 600, "{told}");
        assert!(failed < 60, "{told}");
        assert!(world.is_empty(), "{told}");
    }
}
