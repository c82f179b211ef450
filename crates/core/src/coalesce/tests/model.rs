//! The coalescer against a model so naive that it is right by inspection: lists that are searched from end to end.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::{Call, Coalescer, Role, Shareable, Terms, Waiter};
use super::{REUSE, now, wanted};

const MOST: usize = 6;
const EVERY: Duration = Duration::from_millis(200);

/// Two things, one of them below a thread, and two credentials: what may be asked for.
const ASKED: [(&str, &str); 4] =
    [("/v1/files/f", "a"), ("/v1/files/f", "b"), ("/v1/threads/t/runs/r", "a"), ("/v1/threads/t/runs/r", "b")];

/// Writes, and whose things they change.
const WRITES: [(&str, &str); 4] = [
    ("/v1/files/f/", "/v1/files/f"),
    ("/v1/threads/t/runs/r/cancel/", "/v1/threads/t/runs/r"),
    ("/v1/threads/t/", "/v1/threads/t/runs/r"),
    ("/v1/responses/", ""),
];

#[derive(Clone, Copy, Debug)]
enum Op {
    /// Of what is asked for.
    Ask(usize),
    /// Of the waiters.
    Leave(usize),
    /// Of the calls; whether its answer lasts.
    Complete(usize, bool),
    Fail(usize),
    Refuse(usize),
    /// A paced call asks for its turn.
    Begin(usize),
    Write(usize),
    /// Time passes, in milliseconds, and perhaps the driver sees to it.
    Pass(u64, bool),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        6 => (0..ASKED.len()).prop_map(Op::Ask),
        2 => any::<usize>().prop_map(Op::Leave),
        2 => (any::<usize>(), prop::bool::weighted(0.8)).prop_map(|(call, lasts)| Op::Complete(call, lasts)),
        1 => any::<usize>().prop_map(Op::Fail),
        1 => any::<usize>().prop_map(Op::Refuse),
        1 => any::<usize>().prop_map(Op::Begin),
        1 => (0..WRITES.len()).prop_map(Op::Write),
        2 => (0_u64..400, any::<bool>()).prop_map(|(ms, handles)| Op::Pass(ms, handles)),
    ];
    prop::collection::vec(op, 1..300)
}

/// A call of the model. The token is what the coalescer knows it by.
struct Made {
    number: usize,
    asked: usize,
    token: Call,
    can_be_joined: bool,
    is_begun: bool,
    /// When the last call for the same had begun, as this one did.
    before: Option<Instant>,
}

struct Saved {
    asked: usize,
    /// The number of the call.
    answer: usize,
    at: Instant,
}

#[derive(Default)]
struct Counts {
    asked: usize,
    alone: usize,
    reused: usize,
    left: usize,
    ended: usize,
}

struct Model {
    coalescer: Coalescer<u8, usize, usize>,
    things: Vec<Shareable>,
    now: Instant,
    calls: Vec<Made>,
    /// The number of the call that each waits for.
    waiters: Vec<(usize, Waiter)>,
    saved: Vec<Saved>,
    /// When the last call for each began.
    began: [Option<Instant>; ASKED.len()],
    numbers: usize,
    counts: Counts,
}

impl Model {
    fn new() -> Self {
        let things: Vec<Shareable> = ASKED.iter().map(|(path, who)| wanted(path, who)).collect();
        let (mut coalescer, now) = (Coalescer::new(MOST), now());
        // All are known as polled, so that calls keep their distance.
        for thing in &things {
            coalescer.poll(now, thing, &[], None);
        }
        let (calls, waiters, saved) = (Vec::new(), Vec::new(), Vec::new());
        let (began, counts) = ([None; ASKED.len()], Counts::default());
        Self { coalescer, things, now, calls, waiters, saved, began, numbers: 0, counts }
    }

    fn apply(&mut self, op: Op) -> Result<(), TestCaseError> {
        match op {
            Op::Ask(asked) => self.ask(asked)?,
            Op::Leave(waiter) if !self.waiters.is_empty() => self.leave(waiter % self.waiters.len())?,
            Op::Complete(..) | Op::Fail(_) | Op::Refuse(_) | Op::Begin(_) if self.calls.is_empty() => {}
            Op::Complete(call, lasts) => self.complete(call % self.calls.len(), lasts)?,
            Op::Fail(call) => {
                let made = self.end(call % self.calls.len());
                self.coalescer.fail(made.token);
            }
            Op::Refuse(call) => {
                let made = self.end(call % self.calls.len());
                if made.is_begun {
                    self.began[made.asked] = made.before;
                }
                self.coalescer.refused(made.token);
            }
            Op::Begin(call) => {
                let call = call % self.calls.len();
                self.coalescer.begin(self.now, &self.calls[call].token);
                self.begin(call);
            }
            Op::Write(write) => {
                let (path, changes) = WRITES[write];
                self.coalescer.invalidate(path);
                self.saved.retain(|saved| ASKED[saved.asked].0 != changes);
                let changed = self.calls.iter_mut().filter(|made| ASKED[made.asked].0 == changes);
                changed.for_each(|made| made.can_be_joined = false);
            }
            Op::Pass(ms, handles) => {
                self.now += Duration::from_millis(ms);
                if handles {
                    self.coalescer.handle_timeout(self.now);
                    self.expire();
                    prop_assert!(self.coalescer.poll_timeout().is_none_or(|at| at > self.now));
                }
            }
            Op::Leave(_) => {}
        }
        prop_assert_eq!(self.coalescer.len(), self.calls.len() + self.saved.len());
        prop_assert!(self.coalescer.len() <= MOST);
        prop_assert_eq!(self.coalescer.poll_timeout(), self.saved.iter().map(|saved| saved.at + REUSE).min());
        Ok(())
    }

    fn ask(&mut self, asked: usize) -> Result<(), TestCaseError> {
        self.counts.asked += 1;
        let terms = Terms { reuse: REUSE, every: EVERY, patience: None };
        let number = self.numbers;
        let role = self.coalescer.ask(self.now, &self.things[asked], terms, || number);
        let joined = self.calls.iter().find(|made| made.can_be_joined && made.asked == asked);
        let reused = self.saved.iter().find(|saved| saved.asked == asked && self.now < saved.at + REUSE);
        match (role, joined, reused) {
            (Role::Join { waiter, handle }, Some(made), None) => {
                prop_assert_eq!(handle, made.number);
                self.waiters.push((handle, waiter));
            }
            (Role::Reuse(answer), None, Some(saved)) => {
                prop_assert_eq!(answer, saved.answer);
                self.counts.reused += 1;
            }
            (Role::Alone, None, None) => {
                self.expire();
                prop_assert_eq!(self.calls.len() + self.saved.len(), MOST);
                self.counts.alone += 1;
            }
            (Role::Lead { call, waiter, handle, after }, None, None) => {
                let wait = self.began[asked]
                    .map_or(Duration::ZERO, |began| (began + EVERY).saturating_duration_since(self.now));
                prop_assert_eq!((after, handle), (wait, number));
                if self.calls.len() + self.saved.len() >= MOST {
                    self.expire();
                }
                self.saved.retain(|saved| saved.asked != asked);
                self.numbers += 1;
                let (can_be_joined, is_begun) = (true, false);
                self.calls.push(Made { number, asked, token: call, can_be_joined, is_begun, before: None });
                self.waiters.push((number, waiter));
                if after.is_zero() {
                    self.begin(self.calls.len() - 1);
                }
            }
            (role, joined, reused) => {
                let (joined, reused) = (joined.is_some(), reused.is_some());
                prop_assert!(false, "{:?}, where it joins: {}, reuses: {}", role, joined, reused);
            }
        }
        Ok(())
    }

    fn begin(&mut self, call: usize) {
        let made = &mut self.calls[call];
        if !made.is_begun {
            (made.is_begun, made.before) = (true, self.began[made.asked].replace(self.now));
        }
    }

    fn leave(&mut self, waiter: usize) -> Result<(), TestCaseError> {
        let (number, token) = self.waiters.swap_remove(waiter);
        self.counts.left += 1;
        let is_last = !self.waiters.iter().any(|(other, _)| *other == number);
        prop_assert_eq!(self.coalescer.leave(token), is_last.then_some(number));
        if is_last {
            self.calls.retain(|made| made.number != number);
        }
        Ok(())
    }

    fn complete(&mut self, call: usize, lasts: bool) -> Result<(), TestCaseError> {
        let made = self.end(call);
        let saves = lasts && made.can_be_joined;
        prop_assert_eq!(self.coalescer.complete(self.now, made.token, made.number, lasts, None), saves);
        if saves {
            self.saved.push(Saved { asked: made.asked, answer: made.number, at: self.now });
        }
        Ok(())
    }

    /// A call has ended, and with it the waiting.
    fn end(&mut self, call: usize) -> Made {
        let made = self.calls.swap_remove(call);
        let before = self.waiters.len();
        self.waiters.retain(|(number, _)| *number != made.number);
        self.counts.ended += before - self.waiters.len();
        made
    }

    fn expire(&mut self) {
        self.saved.retain(|saved| self.now < saved.at + REUSE);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Each request gets what the model says, so never another credential's or a stale answer; for each thing at most
    /// one call can be joined; every request ends in one way; and once all have left, nothing is there any more.
    #[test]
    fn coalescer_is_like_naive_model(ops in ops()) {
        let mut model = Model::new();
        for op in ops {
            model.apply(op)?;
            for asked in 0..ASKED.len() {
                let open = model.calls.iter().filter(|made| made.can_be_joined && made.asked == asked).count();
                let saved = model.saved.iter().filter(|saved| saved.asked == asked).count();
                prop_assert!(open + saved <= 1);
            }
        }
        while !model.waiters.is_empty() {
            model.leave(0)?;
        }
        let Counts { asked, alone, reused, left, ended } = model.counts;
        prop_assert_eq!(asked, alone + reused + left + ended);
        model.now += REUSE;
        model.coalescer.handle_timeout(model.now);
        prop_assert!(model.coalescer.is_empty() && model.coalescer.poll_timeout().is_none());
    }
}
