use std::ops::Add;
use std::time::{Duration, Instant};

use super::super::{
    Call, Coalescer, LongPoll, Payer, PollAdvice, PolledStatus, Role, Shareable, Terms, Waiter, poll_helper,
};
use super::{REUSE, RUN, now, wanted};
use crate::limit::Fill;

const TERMS: Terms = Terms { reuse: REUSE, every: Duration::ZERO, patience: None };
const SECOND: Duration = Duration::from_secs(1);
const LEAST: Duration = Duration::from_nanos(1);

type Numbered = Coalescer<u8, u8, &'static str>;

/// Asks for a run, and leads the call for it, which has this number.
fn lead(coalescer: &mut Numbered, now: Instant, wanted: &Shareable, number: u8) -> (Call, Waiter) {
    match coalescer.ask(now, wanted, TERMS, || number) {
        Role::Lead { call, waiter, .. } => (call, waiter),
        role => panic!("it leads: {role:?}"),
    }
}

/// What serves one who asks, in short. Nobody else waits for it.
fn serves(coalescer: &mut Numbered, now: Instant, wanted: &Shareable) -> String {
    match coalescer.ask(now, wanted, TERMS, || 0) {
        Role::Join { waiter, handle } => {
            assert_eq!(coalescer.leave(waiter), None, "its leader waits");
            format!("call {handle}")
        }
        Role::Reuse(answer) => answer.to_owned(),
        Role::Lead { waiter, .. } => {
            assert_eq!(coalescer.leave(waiter), Some(0), "nobody else waits");
            "nothing".to_owned()
        }
        Role::Alone => "no room".to_owned(),
    }
}

fn status(name: &str) -> Option<PolledStatus> {
    PolledStatus::read(format!("{{\"status\": \"{name}\"}}").as_bytes())
}

#[test]
fn answer_serves_until_reuse_is_over() {
    let (mut coalescer, now, run) = (Numbered::new(9), now(), wanted(RUN, "a"));
    let (call, _waiter) = lead(&mut coalescer, now, &run, 1);
    assert_eq!(serves(&mut coalescer, now, &run), "call 1");
    assert!(coalescer.complete(now, call, "queued", true, None));
    assert_eq!(coalescer.poll_timeout(), Some(now + REUSE));
    assert_eq!(serves(&mut coalescer, now + REUSE.saturating_sub(LEAST), &run), "queued");
    assert_eq!(serves(&mut coalescer, now, &wanted(RUN, "b")), "nothing", "another credential");
    coalescer.handle_timeout(now + REUSE.saturating_sub(LEAST));
    assert_eq!(coalescer.len(), 1);
    assert_eq!(serves(&mut coalescer, now + REUSE, &run), "nothing", "whether or not the timeout was handled");
    coalescer.handle_timeout(now + REUSE);
    assert_eq!((coalescer.poll_timeout(), coalescer.len()), (None, 0));
}

#[test]
fn shorter_reuse_of_two_counts() {
    let (mut coalescer, now, run) = (Numbered::new(9), now(), wanted(RUN, "a"));
    let (call, _waiter) = lead(&mut coalescer, now, &run, 1);
    assert!(coalescer.complete(now, call, "queued", true, None));
    let patient = Terms { reuse: SECOND, ..TERMS };
    let last = now + REUSE.saturating_sub(LEAST);
    assert!(matches!(coalescer.ask(last, &run, patient, || 2), Role::Reuse("queued")));
    assert!(matches!(coalescer.ask(now + REUSE, &run, patient, || 2), Role::Lead { .. }), "it has expired");
    let (mut coalescer, now, run) = (Numbered::new(9), now, wanted(RUN, "a"));
    let (call, _waiter) = lead(&mut coalescer, now, &run, 1);
    assert!(coalescer.complete(now, call, "queued", true, None));
    let hasty = Terms { reuse: SECOND / 10, ..TERMS };
    assert!(matches!(coalescer.ask(now + SECOND / 5, &run, hasty, || 2), Role::Lead { .. }));
    assert_eq!(coalescer.poll_timeout(), None, "the call takes the place of the answer");
}

#[test]
fn answer_that_does_not_last_serves_only_those_who_wait() {
    let (mut coalescer, now, run) = (Numbered::new(9), now(), wanted(RUN, "a"));
    for (reuse, lasts) in [(REUSE, false), (Duration::ZERO, true), (Duration::MAX, true)] {
        let terms = Terms { reuse, ..TERMS };
        let Role::Lead { call, .. } = coalescer.ask(now, &run, terms, || 1) else { panic!("it leads") };
        assert!(!coalescer.complete(now, call, "an error", lasts, None));
        assert!(coalescer.is_empty());
    }
}

#[test]
fn last_to_leave_ends_call() {
    let (mut coalescer, now, run) = (Numbered::new(9), now(), wanted(RUN, "a"));
    let (call, leader) = lead(&mut coalescer, now, &run, 1);
    let Role::Join { waiter, handle: 1 } = coalescer.ask(now, &run, TERMS, || 2) else { panic!("it joins") };
    assert_eq!(coalescer.leave(leader), None, "the other still waits");
    assert_eq!(serves(&mut coalescer, now, &run), "call 1");
    assert_eq!(coalescer.leave(waiter), Some(1));
    assert!(coalescer.is_empty());
    let (_next, _waiter) = lead(&mut coalescer, now, &run, 2);
    assert!(!coalescer.complete(now, call, "too late", true, None), "the slot belongs to another call now");
    assert_eq!(serves(&mut coalescer, now, &run), "call 2");
}

#[test]
fn waiter_of_ended_call_leaves_nothing() {
    let (mut coalescer, now, run) = (Numbered::new(9), now(), wanted(RUN, "a"));
    let (call, waiter) = lead(&mut coalescer, now, &run, 1);
    coalescer.fail(call);
    let (_call, _waiter) = lead(&mut coalescer, now, &run, 2);
    assert_eq!(coalescer.leave(waiter), None);
    assert_eq!(serves(&mut coalescer, now, &run), "call 2");
}

#[test]
fn refused_leader_hands_over() {
    let (mut coalescer, now, run) = (Numbered::new(9), now(), wanted(RUN, "a"));
    let paced = Terms { every: SECOND, ..TERMS };
    coalescer.poll(now, &run, &[], None);
    let Role::Lead { call, after, .. } = coalescer.ask(now, &run, paced, || 1) else { panic!("it leads") };
    assert_eq!(after, Duration::ZERO);
    coalescer.complete(now, call, "queued", false, None);
    let later = now + SECOND / 4;
    let Role::Lead { call, after, .. } = coalescer.ask(later, &run, paced, || 2) else { panic!("it leads") };
    assert_eq!(after, SECOND * 3 / 4, "calls are a second apart");
    let Role::Join { .. } = coalescer.ask(later, &run, paced, || 3) else { panic!("it joins") };
    coalescer.begin(now + SECOND, &call);
    coalescer.refused(call);
    let Role::Lead { call, after, .. } = coalescer.ask(now + SECOND, &run, paced, || 3) else { panic!("it leads") };
    assert_eq!(after, Duration::ZERO, "the refused call never went");
    let Role::Join { handle: 3, .. } = coalescer.ask(now + SECOND, &run, paced, || 4) else { panic!("it joins") };
    coalescer.fail(call);
    let Role::Lead { after: SECOND, .. } = coalescer.ask(now + SECOND, &run, paced, || 4) else {
        panic!("a call that failed went")
    };
}

#[test]
fn impatient_leader_is_not_paced() {
    let (mut coalescer, now, run) = (Numbered::new(9), now(), wanted(RUN, "a"));
    coalescer.poll(now, &run, &[], None);
    let after = |coalescer: &mut Numbered, patience| {
        let terms = Terms { every: SECOND, patience, ..TERMS };
        let Role::Lead { call, after, .. } = coalescer.ask(now, &run, terms, || 1) else { panic!("it leads") };
        coalescer.fail(call);
        after
    };
    assert_eq!(after(&mut coalescer, None), Duration::ZERO);
    assert_eq!(after(&mut coalescer, Some(SECOND + LEAST)), SECOND);
    assert_eq!(after(&mut coalescer, Some(SECOND)), Duration::ZERO);
}

#[test]
fn leaver_of_paced_call_delays_nobody() {
    let (mut coalescer, now, run) = (Numbered::new(9), now(), wanted(RUN, "a"));
    let paced = Terms { every: SECOND, ..TERMS };
    coalescer.poll(now, &run, &[], None);
    for (ms, wait) in [(0, 0), (200, 800), (400, 600), (999, 1)] {
        let at = now + Duration::from_millis(ms);
        let Role::Lead { after, waiter, .. } = coalescer.ask(at, &run, paced, || 1) else { panic!("it leads") };
        assert_eq!(after.as_millis(), wait, "after {ms} ms");
        assert!(coalescer.leave(waiter).is_some());
    }
}

#[test]
fn write_ends_what_it_may_change() {
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
        let (mut coalescer, now, thing) = (Numbered::new(9), now(), wanted(resource, "a"));
        let (call, waiter) = lead(&mut coalescer, now, &thing, 1);
        coalescer.invalidate(write);
        let serves = serves(&mut coalescer, now, &thing);
        assert_eq!(serves, if ends { "nothing" } else { "call 1" }, "{write} and {resource}");
        assert_eq!(coalescer.complete(now, call, "stale", true, None), !ends, "{write} and {resource}");
        assert_eq!(coalescer.leave(waiter), None, "the client has its answer all the same");
        coalescer.invalidate(write);
        assert_eq!(coalescer.is_empty(), ends, "{write} and an answer of {resource}");
        assert_eq!(coalescer.poll_timeout().is_none(), ends, "{write} and an answer of {resource}");
    }
}

#[test]
fn write_to_longest_path_costs_its_length() {
    let (mut coalescer, now, thing) = (Numbered::new(9), now(), wanted("/a/a", "a"));
    let (_call, _waiter) = lead(&mut coalescer, now, &thing, 1);
    coalescer.invalidate(&"/a".repeat(300_000).add("/"));
    assert_eq!(serves(&mut coalescer, now, &thing), "nothing");
}

#[test]
fn stale_call_takes_nothing_from_fresh_one() {
    let (mut coalescer, now, run) = (Numbered::new(9), now(), wanted(RUN, "a"));
    let (stale, _waiter) = lead(&mut coalescer, now, &run, 1);
    coalescer.invalidate(RUN);
    let (fresh, _waiter) = lead(&mut coalescer, now, &run, 2);
    assert!(!coalescer.complete(now, stale, "stale", true, None));
    assert_eq!(serves(&mut coalescer, now, &run), "call 2");
    assert!(coalescer.complete(now, fresh, "fresh", true, None));
    assert_eq!(serves(&mut coalescer, now, &run), "fresh");
}

#[test]
fn request_without_room_goes_alone() {
    let (mut coalescer, now) = (Numbered::new(2), now());
    let runs = ["1", "2", "3"].map(|run| wanted(&format!("/v1/runs/{run}"), "a"));
    let (stale, _waiter) = lead(&mut coalescer, now, &runs[0], 1);
    coalescer.invalidate("/v1/runs/1/");
    let (call, _waiter) = lead(&mut coalescer, now, &runs[1], 2);
    assert_eq!(serves(&mut coalescer, now, &runs[2]), "no room", "a call counts until it ends, joined or not");
    assert_eq!(serves(&mut coalescer, now, &runs[1]), "call 2", "whoever shares needs none");
    coalescer.complete(now, call, "queued", true, None);
    assert_eq!(serves(&mut coalescer, now, &runs[2]), "no room");
    assert_eq!(serves(&mut coalescer, now + REUSE, &runs[2]), "nothing", "the answer has expired");
    coalescer.fail(stale);
    assert!(coalescer.is_empty());
}

/// A payer of 60 requests a minute, half of which may be polls.
fn payer() -> Payer<u8> {
    Payer { pool: 0, load: Some(Fill { limit: "60/min".parse().expect("a rate"), used: 0 }), share: 50 }
}

#[test]
fn final_answer_ends_polling_for_reusers_too() {
    let (mut coalescer, now) = (Numbered::new(9), now());
    let (done, other) = (wanted("/v1/runs/1", "a"), wanted("/v1/runs/2", "a"));
    let every = |coalescer: &mut Numbered, thing: &Shareable| {
        coalescer.poll(now, thing, &[payer()], Some(SECOND)).every().as_secs()
    };
    assert_eq!(every(&mut coalescer, &done), 2);
    let (call, _waiter) = lead(&mut coalescer, now, &done, 1);
    coalescer.complete(now, call, "completed", true, status("completed").as_ref());
    assert_eq!(every(&mut coalescer, &other), 2, "the other one is polled");
    assert_eq!(every(&mut coalescer, &done), 4);
    assert_eq!(serves(&mut coalescer, now, &done), "completed");
    assert_eq!(every(&mut coalescer, &other), 2);
}

#[test]
fn poll_helper_is_told_pace_slower_than_its_own() {
    let helper = |headers: &[(&'static str, &'static str)]| {
        poll_helper(headers.iter().map(|(name, value)| (*name, value.as_bytes())))
    };
    let is_helper = ("x-stainless-poll-helper", "true");
    let python = helper(&[("x-stainless-lang", "python"), is_helper]);
    let node = helper(&[is_helper, ("x-stainless-lang", "js")]);
    assert_eq!([python, node, helper(&[("x-stainless-lang", "js")])], [Some(SECOND), Some(5 * SECOND), None]);
    let after = |things: u64, helper: Option<Duration>| {
        let mut coalescer = Numbered::new(9);
        let ask = |thing: u64| coalescer.poll(now(), &wanted(&format!("/v1/runs/{thing}"), "a"), &[payer()], helper);
        (0..things).map(ask).last().and_then(|advice| advice.poll_after()).map(|after| after.as_secs())
    };
    assert_eq!([after(1, python), after(2, python), after(2, node), after(3, node)], [Some(2), Some(4), None, Some(6)]);
    assert_eq!(after(2, Some(4 * SECOND)), None, "as often as it asks by itself");
    assert_eq!(after(3, None), None, "who says nothing obeys nothing");
}

/// What is known of a run when this status was the last that was reported.
fn advice(reported: &str) -> PollAdvice {
    let (mut coalescer, run) = (Numbered::new(9), wanted(RUN, "a"));
    coalescer.poll(now(), &run, &[], None);
    let (call, _waiter) = lead(&mut coalescer, now(), &run, 1);
    coalescer.complete(now(), call, "", false, status(reported).as_ref());
    coalescer.poll(now(), &run, &[], None)
}

#[test]
fn only_known_status_that_will_change_is_held() {
    let held = |reported, said| advice(reported).hold(status(said).as_ref(), REUSE, now() + SECOND).is_some();
    assert!(held("queued", "queued"));
    assert!(!held("queued", "in_progress") && !held("queued", "no status\"") && !held("", "queued"));
    assert!(!held("completed", "completed"), "what is over is told at once");
}

#[test]
fn held_poll_looks_until_deadline() {
    let (now, queued) = (now(), status("queued"));
    let hold = |reuse| advice("queued").hold(queued.as_ref(), reuse, now + SECOND).expect("it is held");
    let fast = hold(Duration::ZERO);
    assert_eq!(fast.deadline(), now + SECOND);
    assert_eq!(fast.next_look(now, queued.as_ref()), Some(now + SECOND / 2), "no more often than this");
    assert_eq!(fast.next_look(now, status("in_progress").as_ref()), None);
    assert_eq!(fast.next_look(now, None), None);
    assert_eq!(fast.next_look(now + SECOND / 2, queued.as_ref()), Some(now + SECOND));
    assert_eq!(fast.next_look(now + SECOND / 2 + LEAST, queued.as_ref()), None);
    assert_eq!(hold(SECOND * 3 / 4).next_look(now, queued.as_ref()), Some(now + SECOND * 3 / 4), "while one is reused");
}

#[test]
fn hold_ends_before_client_gives_up() {
    let (now, ms) = (now(), Duration::from_millis);
    let deadline = |after, usual, patience: Option<u64>| {
        LongPoll::deadline_for(now + ms(after), now, ms(usual), patience.map(ms)).duration_since(now).as_millis()
    };
    assert_eq!(deadline(0, 0, None), 4_000);
    assert_eq!(deadline(100, 300, None), 3_700);
    assert_eq!(deadline(100, 300, Some(1_000)), 600, "half of its patience, from now on");
    assert_eq!(deadline(100, 300, Some(u64::MAX)), 3_700);
}
