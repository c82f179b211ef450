use std::ops::Add;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::super::{Board, Found, Ticket};
use super::{REUSE, RUN, key, now};

type Calls = Board<(), &'static str>;

/// A call, and those who want it.
fn begin(board: &mut Calls, resource: &str) -> (Ticket, Arc<()>) {
    let flight = Arc::new(());
    (board.begin(resource, &key("a"), &flight), flight)
}

#[test]
fn an_answer_serves_for_so_long_and_not_a_nanosecond_longer() {
    let (mut board, now) = (Calls::new(9), now());
    let (flight, _wanted) = begin(&mut board, RUN);
    assert!(matches!(board.find(now, RUN, &key("a"), REUSE), Some(Found::Flying(_))));
    assert!(board.find(now, RUN, &key("b"), REUSE).is_none(), "another credential");
    assert!(board.land(now, &flight, "queued"));
    let last = now + Duration::from_nanos(499_999_999);
    assert_eq!(board.find(last, RUN, &key("a"), REUSE), Some(Found::Landed("queued")));
    assert!(board.find(now + REUSE, RUN, &key("a"), REUSE).is_none());
}

#[test]
fn a_call_that_nobody_wants_any_more_serves_nobody() {
    let (mut board, now) = (Calls::new(1), now());
    let (ticket, wanted) = begin(&mut board, RUN);
    drop(wanted);
    assert!(board.find(now, RUN, &key("a"), REUSE).is_none());
    assert!(!board.has_room());
    board.forget(&ticket);
    assert_eq!(board.count(), 0);
}

#[test]
fn a_write_ends_what_lies_under_or_above_it_or_beside_an_action() {
    for (write, resource, ends) in [
        ("/v1/threads/t/runs/r/cancel/", RUN, true),
        ("/v1/threads/t/runs/r/submit_tool_outputs/", "/v1/threads/t/runs/r/steps/", true),
        ("/v1/threads/t/", RUN, true),
        (RUN, RUN, true),
        ("/v1/threads/t/runs/r2/cancel/", RUN, false),
        ("/v1/threads/t2/", RUN, false),
        ("/v1/files/f/", "/v1/files/f/", true),
        ("/v1/files/f/", "/v1/files/f2/", false),
        ("/v1/responses/", "/v1/batches/b/", false),
        ("/v1/responses/", "/v1/responses/r/", false),
        ("/v1/responses/", "/v1/responses/", true),
        ("/v1/threads/", RUN, false),
        ("/v1/threads/runs/", RUN, false),
        ("/v1/threads/t/messages/", RUN, true),
        ("/v1/batches/b/cancel/", "/v1/batches/b/", true),
        ("/v1/batches/b/cancel/", "/v1/batches/b2/", false),
        ("/v1/chat/completions/", "/v1/chat/", true),
    ] {
        let (mut board, now) = (Calls::new(9), now());
        let (flight, _wanted) = begin(&mut board, resource);
        board.wrote(write);
        assert_eq!(board.find(now, resource, &key("a"), REUSE).is_none(), ends, "{write} and {resource}");
        assert_eq!(board.land(now, &flight, "stale"), !ends, "{write} and {resource}");
    }
}

#[test]
fn a_write_to_the_longest_of_paths_costs_no_more_than_its_length() {
    let (mut board, now) = (Calls::new(9), now());
    let (_flight, _wanted) = begin(&mut board, "/a/a/");
    board.wrote(&"/a".repeat(300_000).add("/"));
    assert!(board.find(now, "/a/a/", &key("a"), REUSE).is_none());
}

#[test]
fn what_a_write_has_taken_away_takes_nothing_from_what_came_after() {
    let (mut board, now) = (Calls::new(9), now());
    let (before, _wanted) = begin(&mut board, RUN);
    board.wrote(RUN);
    let (after, _wanted) = begin(&mut board, RUN);
    assert!(!board.land(now, &before, "stale"));
    board.forget(&before);
    assert!(board.land(now, &after, "fresh"));
    assert_eq!(board.find(now, RUN, &key("a"), REUSE), Some(Found::Landed("fresh")));
}

proptest! {
    /// Whatever begins, lands, is forgotten and is written: what is found belongs to whoever asks, and began after the
    /// last write.
    #[test]
    fn nobody_gets_what_is_anothers_or_stale(steps in prop::collection::vec((0..4_u8, 0..3_usize), 1..200)) {
        let mut board: Board<(), (usize, usize)> = Board::new(99);
        let (now, wanted, mut writes, mut flights) = (now(), Arc::new(()), 0, Vec::new());
        for (step, who) in steps {
            let key = key(["a", "b", "c"][who]);
            match (step, board.find(now, RUN, &key, REUSE)) {
                (0, None) => flights.push((board.begin(RUN, &key, &wanted), who, writes)),
                (1, _) if !flights.is_empty() => {
                    let (flight, whose, since) = flights.swap_remove(who % flights.len());
                    let lands = board.land(now, &flight, (whose, since));
                    prop_assert_eq!(lands, since == writes);
                }
                (2, _) => {
                    board.wrote("/v1/threads/t/runs/r/cancel/");
                    writes += 1;
                    prop_assert_eq!(board.count(), 0);
                }
                (_, Some(Found::Landed(answer))) => prop_assert_eq!(answer, (who, writes)),
                _ => {}
            }
        }
    }
}
