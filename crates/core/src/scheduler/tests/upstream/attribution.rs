//! Which of two pools a refusal is charged to: run creations take from both, other posts from one.

use std::time::Duration;

use super::{Scene, World};
use crate::limit::EstimateView;
use crate::meter::Counting;

const RUNS: &[usize] = &[0, 1];
const POSTS: &[usize] = &[1];

fn scene(runs: u32, posts: u32, seed: u64) -> Scene {
    let asks = |client| if client % 4 == 0 { POSTS } else { RUNS };
    let (window, latency) = (Counting::Sliding, Duration::from_millis(40));
    let pools = vec![(200, runs), (300, posts)];
    let thinks = |client| if client % 4 == 0 { Duration::from_secs(5) } else { Duration::ZERO };
    Scene {
        pools,
        asks,
        thinks,
        window,
        burst: None,
        requests: 1_500,
        clients: 40,
        foreign: 0.0,
        whims: |_| None,
        latency,
        seed,
    }
}

#[test]
fn a_hidden_limit_of_one_of_two_pools_is_found_in_that_one() {
    for ((runs, posts), culprit) in [((100, 300), 0), ((200, 180), 1)] {
        for seed in 0..3 {
            let mut world = World::played(&scene(runs, posts, seed));
            let told = format!("{runs} runs, {posts} posts, seed {seed}: {:?}", world.lessons());
            let real = [runs, posts][culprit];
            assert_eq!(world.failed, 0, "{told}");
            let lessons = world.lessons();
            assert!(lessons[1 - culprit].is_none(), "{told}");
            let Some(EstimateView::Lower { limit }) = lessons[culprit] else { panic!("{told}") };
            assert!((real * 9 / 10..=real * 11 / 10).contains(&limit.amount()), "{told}");
        }
    }
}
