use std::time::{Duration, Instant};

use super::super::polls::Polls;
use super::super::{Key, LONGEST, Payer, PolledStatus};
use super::now;
use crate::limit::{Fill, Rate};

/// A world in which one pool pays for everything.
struct World {
    polls: Polls<u8>,
    now: Instant,
    load: Fill,
    share: u8,
}

impl World {
    fn of(limit: &str) -> Self {
        let limit: Rate = limit.parse().expect("a rate");
        Self { polls: Polls::new(1_000), now: now(), load: Fill { limit, used: 0 }, share: 50 }
    }

    fn pass(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
    }

    /// How far apart calls for this thing are, once somebody has asked for it, and perhaps said that he polls.
    fn ask(&mut self, thing: u16, polls: bool) -> u128 {
        let payer = self.pays(0);
        self.polls.ask(self.now, key(thing), &[payer], polls).as_millis()
    }

    fn pays(&self, pool: u8) -> Payer<u8> {
        Payer { pool, load: Some(self.load), share: self.share }
    }
}

fn key(thing: u16) -> Key {
    Key::new(&thing.to_string(), std::iter::empty())
}

#[test]
fn so_many_things_are_polled_no_more_often_than_the_share_allows() {
    let mut world = World::of("1000/min");
    let every: Vec<u128> = (0..50).map(|thing| world.ask(thing, true)).collect();
    assert_eq!([every[0], every[9], every[49]], [120, 1_200, 6_000], "500 a minute among 1, 10 and 50");
    world.share = 100;
    assert_eq!(world.ask(0, true), 3_000);
    for thing in 50..200 {
        world.ask(thing, true);
    }
    assert_eq!(world.ask(0, true), LONGEST.as_millis(), "no SDK obeys more");
}

#[test]
fn who_asks_once_polls_nothing_and_who_asks_again_does() {
    let mut world = World::of("60/min");
    assert_eq!(world.ask(1, false), 0);
    assert_eq!(world.ask(2, false), 0);
    world.pass(500);
    assert_eq!(world.ask(1, false), 2_000, "it is polled now");
    assert_eq!(world.ask(2, false), 4_000);
    assert_eq!(world.ask(2, false), 4_000, "once, however often");
}

#[test]
fn what_nobody_asks_for_any_more_is_forgotten() {
    let mut world = World::of("60/min");
    for thing in 1..=3 {
        world.ask(thing, true);
    }
    world.pass(10_000);
    assert_eq!(world.ask(1, true), 6_000);
    world.pass(6_001);
    assert_eq!(world.ask(1, true), 2_000, "the others were last asked for 16 s ago");
    world.pass(60_000);
    assert_eq!(world.ask(9, false), 0, "and now there is nothing");
    assert_eq!(world.ask(9, false), 2_000);
}

#[test]
fn what_will_not_change_any_more_is_polled_by_nobody_until_somebody_asks_again() {
    let mut world = World::of("60/min");
    world.ask(1, true);
    world.ask(2, true);
    world.polls.end(key(2));
    world.polls.end(key(2));
    assert_eq!(world.ask(1, true), 2_000);
    assert_eq!(world.ask(2, false), 4_000);
    world.polls.end(key(1));
    world.polls.end(key(2));
    world.pass(17_000);
    assert_eq!(world.ask(3, true), 2_000, "what is forgotten is not counted off twice");
}

#[test]
fn calls_for_one_thing_keep_their_distance() {
    let mut world = World::of("60/min");
    world.ask(1, true);
    let wait =
        |world: &World, patience| world.polls.wait(world.now, key(1), Duration::from_secs(2), patience).as_millis();
    assert_eq!(wait(&world, None), 0, "the first goes at once");
    assert_eq!(world.polls.call(world.now, key(1)), None);
    world.pass(500);
    assert_eq!(wait(&world, None), 1_500);
    assert_eq!(wait(&world, Some(Duration::from_millis(1_501))), 1_500);
    assert_eq!(wait(&world, Some(Duration::from_millis(1_500))), 0, "who would not wait so long goes at once");
    world.pass(1_500);
    assert_eq!(wait(&world, None), 0);
}

#[test]
fn a_call_that_never_went_puts_off_nobody_and_is_none_of_the_polls() {
    let mut world = World::of("20/min");
    world.ask(1, true);
    let first = world.now;
    world.polls.call(world.now, key(1));
    world.pass(7_000);
    let before = world.polls.call(world.now, key(1));
    assert_eq!(before, Some(first));
    world.polls.refused(key(1), before);
    assert_eq!(world.polls.wait(world.now, key(1), LONGEST, None), Duration::from_secs(1));
    world.load.used = 15;
    assert_eq!(world.ask(1, true), LONGEST.as_millis(), "of 15 that are used one was a poll, so that 6 are left");
    world.load.limit = "200/min".parse().expect("a rate");
    world.load.used = 195;
    assert_eq!(world.ask(1, true), 6_000, "of 195 one, so that there are the ten that polls always have");
}

#[test]
fn polling_has_no_more_than_others_leave_and_always_a_little() {
    let mut world = World::of("200/min");
    for second in 0..60 {
        world.ask(1, true);
        if second % 2 == 0 {
            world.polls.call(world.now, key(1));
        }
        world.pass(1_000);
    }
    for (used, every) in [(30, 600), (110, 600), (190, 1_500), (240, 6_000)] {
        world.load.used = used;
        assert_eq!(world.ask(1, true), every, "{used} used, 30 of them by polls");
    }
}

#[test]
fn pools_are_told_apart_and_the_slowest_decides() {
    let mut world = World::of("60/min");
    for thing in 1..=4 {
        world.ask(thing, true);
    }
    let every = |world: &mut World, thing, pools: &[u8]| {
        let payers: Vec<_> = pools.iter().map(|&pool| world.pays(pool)).collect();
        world.polls.ask(world.now, key(thing), &payers, true).as_secs()
    };
    assert_eq!(every(&mut world, 9, &[1, 2]), 2);
    assert_eq!(every(&mut world, 9, &[1, 0]), 8);
    let unknown = Payer { pool: 1, load: None, share: 50 };
    assert_eq!(world.polls.ask(world.now, key(8), &[unknown], true), Duration::ZERO, "no limit is known");
    assert_eq!(every(&mut world, 9, &[1, 2]), 4, "but it counts");
}

#[test]
fn what_was_told_of_a_thing_is_known_to_those_who_ask_for_the_same() {
    let mut world = World::of("60/min");
    let queued = PolledStatus::read(br#"{"status": "queued"}"#);
    world.polls.tell(key(1), queued.clone());
    assert_eq!(world.polls.told(key(1)), None, "nobody has asked for it");
    world.ask(1, false);
    world.polls.tell(key(1), queued.clone());
    assert_eq!(world.polls.told(key(1)), queued);
    assert_eq!(world.polls.told(key(2)), None);
}

#[test]
fn there_is_room_for_so_many_things_and_no_more() {
    let mut world = World { polls: Polls::new(2), ..World::of("60/min") };
    assert_eq!([1, 2, 3].map(|thing| world.ask(thing, true)), [2_000, 4_000, 4_000]);
}
