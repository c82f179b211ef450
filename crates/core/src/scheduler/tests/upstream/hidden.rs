//! Limits of the upstream that nobody wrote down: 300 a minute are configured, and fifty clients want more than that.

use std::time::Duration;

use super::{MINUTE, Scene, World, by_window};
use crate::meter::Counting;

const WINDOWS: [Counting; 5] =
    [Counting::Fixed, Counting::FixedClock, Counting::Sliding, Counting::Counter, Counting::Bucket];

/// 60 % of what is configured.
const HIDDEN: u32 = 180;

fn scene(window: Counting, real: u32, seed: u64) -> Scene {
    let latency = Duration::from_millis(40);
    Scene {
        pools: vec![(300, real)],
        asks: |_| &[0],
        thinks: |_| Duration::ZERO,
        window,
        burst: None,
        requests: 1_000,
        clients: 50,
        foreign: 0.0,
        whims: |_| None,
        latency,
        seed,
    }
}

/// Every window but the last, which is cut short.
fn whole_windows(times: &[Duration]) -> Vec<usize> {
    let mut counts = by_window(times);
    counts.pop();
    counts
}

#[test]
fn a_hidden_limit_is_found_held_and_used() {
    for (window, seed) in WINDOWS.into_iter().flat_map(|window| (0..3).map(move |seed| (window, seed))) {
        let world = World::played(&scene(window, HIDDEN, seed));
        let (taken, refused) = (whole_windows(&world.taken), by_window(&world.refused));
        let told = format!("{window:?}, seed {seed}: taken {taken:?}, refused {refused:?}");
        assert_eq!(world.failed, 0, "{told}");
        assert!(refused[0] <= world.under_way_at_first, "{told}, {} under way", world.under_way_at_first);
        assert!(refused[1..].iter().all(|&refused| refused <= 1), "{told}");
        let used: usize = taken[2..].iter().sum();
        assert!(used * 100 >= taken[2..].len() * HIDDEN as usize * 95, "{told}");
    }
}

#[test]
fn what_is_configured_comes_back_within_three_windows_of_the_hidden_limits_end() {
    for (window, seed) in WINDOWS.into_iter().flat_map(|window| (0..3).map(move |seed| (window, seed))) {
        let mut world = World::new(&Scene { requests: 2_000, ..scene(window, HIDDEN, seed) });
        world.limit_changes(MINUTE * 5, 300);
        world.play();
        let (taken, refused) = (by_window(&world.taken), by_window(&world.refused));
        let told = format!("{window:?}, seed {seed}: taken {taken:?}, refused {refused:?}");
        assert_eq!(world.failed, 0, "{told}");
        assert!(refused[0] <= world.under_way_at_first && refused[1..].iter().all(|&refused| refused <= 1), "{told}");
        assert!(taken[7] >= 285, "{told}");
    }
}

#[test]
fn a_smaller_bucket_than_the_window_is_paced() {
    for (burst, seed) in [30, 1].into_iter().flat_map(|burst| (0..10).map(move |seed| (burst, seed))) {
        let world = World::played(&Scene { burst: Some(burst), ..scene(Counting::Bucket, 300, seed) });
        let (taken, refused) = (whole_windows(&world.taken), by_window(&world.refused));
        let told = format!("burst {burst}, seed {seed}: taken {taken:?}, refused {refused:?}");
        assert_eq!(world.failed, 0, "{told}");
        assert!(refused.iter().sum::<usize>() <= world.under_way_at_first + 30, "{told}");
        assert!(refused[1..].iter().all(|&refused| refused == 0), "{told}");
        assert!(taken.iter().sum::<usize>() * 100 >= taken.len() * 300 * 95, "{told}");
    }
}

/// What is left is used to nine tenths in the long run, also where that run is cut in parts of three thousand requests.
#[test]
fn what_somebody_else_leaves_is_used() {
    for window in WINDOWS {
        let worlds =
            (0..4).map(|seed| World::played(&Scene { requests: 3_000, foreign: 0.5, ..scene(window, 300, seed) }));
        let worlds: Vec<_> = worlds.collect();
        assert!(worlds.iter().all(|world| world.failed == 0), "{window:?}");
        let refused: usize = worlds.iter().map(|world| world.refused.len()).sum();
        let (used, left) = worlds.iter().map(World::used_and_left).fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
        println!("{window:?}: used {used} of {left} left, {refused} refusals of {} requests", worlds.len() * 3_000);
        assert!(used * 100 >= left * 90, "{window:?}: used {used} of {left}");
        assert!(refused * 100 < worlds.len() * 3_000 * 2, "{window:?}: {refused} refused");
    }
}
