use std::hash::Hash;
use std::time::{Duration, Instant};

use slab::Slab;

use super::call_id::CallId;
use super::inflight::{Found, InflightMap, Place};
use super::poll_advice::PollAdvice;
use super::polls::{Payer, Polls};
use super::shareable::Shareable;
use super::status::PolledStatus;

/// Single flight without IO: which requests share one call to the upstream, which have an answer that was just given,
/// and how often what is polled is asked for.
///
/// `P` is a pool instance that pays for polls, `H` the driver's handle of a call (a channel to wait at, the number of
/// a simulated request), and `A` an answer. `now` is an argument, nothing waits, and every decision is made here:
///
/// 1. [`poll`](Self::poll), once a request: notes that the thing is polled, and says how often its calls may go.
/// 2. [`ask`](Self::ask): the request joins a call, reuses an answer, leads a call of its own, or goes alone.
/// 3. The driver of a call that is to wait `after` so long says when it [begins](Self::begin).
/// 4. A call ends by [`complete`](Self::complete), [`fail`](Self::fail) or [`refused`](Self::refused); or when the last
///    request that waits for it [leaves](Self::leave).
/// 5. A write calls [`invalidate`](Self::invalidate) as it begins and as it is answered.
/// 6. The driver calls [`handle_timeout`](Self::handle_timeout) at [`poll_timeout`](Self::poll_timeout), so that answers
///    that serve no longer give their memory back.
///
/// Invariants: at most one call for a key can be joined; it began after the last write below its resource, and so did
/// the call whose answer is reused. A call has at least one waiter until it ends.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
/// use tidegate_core::coalesce::{Coalescer, Role, Shareable, Terms};
///
/// let headers = [("authorization", &b"Bearer one"[..])];
/// let run = Shareable::new("/v1/threads/t/runs/r", headers.into_iter()).expect("others may ask the same");
/// let terms = Terms { reuse: Duration::from_millis(500), ..Terms::default() };
/// let (mut coalescer, now) = (Coalescer::<u8, &str, &str>::new(1_000), Instant::now());
///
/// // The first request leads a call, and the second one joins it.
/// let Role::Lead { call, .. } = coalescer.ask(now, &run, terms, || "call 1") else { panic!() };
/// let Role::Join { handle: "call 1", .. } = coalescer.ask(now, &run, terms, || "call 2") else { panic!() };
///
/// // Its answer serves for half a second, until a write changes the run.
/// assert!(coalescer.complete(now, call, "queued", true, None));
/// let Role::Reuse("queued") = coalescer.ask(now, &run, terms, || "call 2") else { panic!() };
/// coalescer.invalidate("/v1/threads/t/runs/r/cancel/");
/// let Role::Lead { call, .. } = coalescer.ask(now, &run, terms, || "call 2") else { panic!() };
/// coalescer.fail(call);
/// assert!(coalescer.is_empty());
/// ```
#[derive(Debug)]
pub struct Coalescer<P, H, A> {
    inflight: InflightMap<A>,
    calls: Slab<CallState<H>>,
    polls: Polls<P>,
    most: usize,
    started: u64,
}

/// How a request gets its answer.
#[derive(Debug)]
pub enum Role<H, A> {
    /// From a call that is under way.
    Join {
        /// To be given back if the request does not wait for the end of the call.
        waiter: Waiter,
        /// The call, as the driver knows it.
        handle: H,
    },
    /// It has it: an answer that was just given.
    Reuse(A),
    /// From a call of its own, which others may join.
    Lead {
        /// For what makes the call.
        call: Call,
        /// The request's own part in it: the call may outlive the request.
        waiter: Waiter,
        /// The call, as the driver knows it.
        handle: H,
        /// How long the call must wait before it asks for its turn, so that polls keep to their share. Unless that is
        /// zero, [`Coalescer::begin`] says when it is over.
        after: Duration,
    },
    /// From a call that cannot be joined: there is no room to track another one.
    Alone,
}

/// On what terms a request shares.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms {
    /// How long the answer of a call serves requests that come after it.
    pub reuse: Duration,
    /// How far apart calls for the thing are, as [`PollAdvice::every`] says.
    pub every: Duration,
    /// How long the request waits for its turn at most. A call that would have to wait longer for its share goes at once.
    pub patience: Option<Duration>,
}

/// A call that is under way, held by what makes it. Not `Clone`: it ends once.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "others wait for the call: `complete`, `fail` or `refused` end it"]
pub struct Call(CallId);

/// One request's part in a call. Not `Clone`: it leaves once, or is dropped when the call has ended.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a request that does not wait for the end of the call leaves it"]
pub struct Waiter(CallId);

#[derive(Debug)]
struct CallState<H> {
    number: u64,
    place: Place,
    handle: H,
    waiters: u32,
    reuse: Duration,
    stage: Stage,
}

/// How far a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It waits so that polls keep to their share.
    Paced,
    /// It has asked for its turn. The call for the same thing before it had done so then, if there was one.
    Begun { before: Option<Instant> },
}

impl<P: Clone + Eq + Hash, H: Clone, A: Clone> Coalescer<P, H, A> {
    /// A coalescer that remembers at most this many calls and answers, and as many things that are polled.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { inflight: InflightMap::new(), calls: Slab::new(), polls: Polls::new(most), most, started: 0 }
    }

    /// Notes a request for this, paid for by these pools, and says how often it may be asked for and what is known of
    /// it. `helper` is how often the poll helper of an SDK asks by itself, where it is one that asks
    /// ([`poll_helper`](super::poll_helper)).
    pub fn poll(
        &mut self,
        now: Instant,
        wanted: &Shareable,
        payers: &[Payer<P>],
        helper: Option<Duration>,
    ) -> PollAdvice {
        let every = self.polls.ask(now, wanted.key, payers, helper.is_some());
        PollAdvice::new(every, self.polls.told(wanted.key), helper)
    }

    /// How a request gets its answer. A request asks once more when the call that it joined was refused, and for each
    /// look of a [long poll](super::LongPoll).
    pub fn ask(&mut self, now: Instant, wanted: &Shareable, terms: Terms, handle: impl FnOnce() -> H) -> Role<H, A> {
        match self.inflight.find(now, wanted, terms.reuse) {
            Some(Found::Call(id)) => {
                let call = &mut self.calls[id.slot];
                call.waiters += 1;
                return Role::Join { waiter: Waiter(id), handle: call.handle.clone() };
            }
            Some(Found::Saved { answer, is_final }) => {
                if is_final {
                    self.polls.end(wanted.key);
                }
                return Role::Reuse(answer);
            }
            None => {}
        }
        if self.len() >= self.most {
            self.handle_timeout(now);
        }
        if self.len() >= self.most { Role::Alone } else { self.lead(now, wanted, terms, handle()) }
    }

    fn lead(&mut self, now: Instant, wanted: &Shareable, terms: Terms, handle: H) -> Role<H, A> {
        let after = self.polls.wait(now, wanted.key, terms.every, terms.patience);
        self.started += 1;
        let place = Place { resource: (&*wanted.resource).into(), key: wanted.key };
        let call = CallState {
            number: self.started,
            place: place.clone(),
            handle: handle.clone(),
            waiters: 1,
            reuse: terms.reuse,
            stage: Stage::Paced,
        };
        let id = CallId { slot: self.calls.insert(call), number: self.started };
        self.inflight.start(place, id);
        let call = Call(id);
        if after.is_zero() {
            self.begin(now, &call);
        }
        Role::Lead { call, waiter: Waiter(id), handle, after }
    }

    /// A call that had to wait for its share asks for its turn now.
    pub fn begin(&mut self, now: Instant, Call(id): &Call) {
        let Some(call) = self.calls.get_mut(id.slot).filter(|call| call.number == id.number) else { return };
        if call.stage == Stage::Paced {
            call.stage = Stage::Begun { before: self.polls.call(now, call.place.key) };
        }
    }

    /// The answer of a call is there, whole, for all that wait for it. It serves later requests as well if it `lasts`, it
    /// may be reused, and no write came since the call began: says whether it does. `status` is what it says of the thing:
    /// one that will not change any more is polled no longer.
    pub fn complete(
        &mut self,
        now: Instant,
        call: Call,
        answer: A,
        lasts: bool,
        status: Option<&PolledStatus>,
    ) -> bool {
        let (Call(id), is_final) = (call, status.is_some_and(|status| !status.is_to_change()));
        let Some(CallState { place, reuse, .. }) = self.end(id) else { return false };
        if is_final {
            self.polls.end(place.key);
        }
        self.polls.tell(place.key, status.filter(|status| status.is_to_change()).cloned());
        let is_current = self.inflight.end(&place, id);
        let until = now.checked_add(reuse).filter(|_| is_current && lasts && !reuse.is_zero());
        let Some(until) = until else { return false };
        self.inflight.save(place, id.number, now..until, answer, is_final);
        true
    }

    /// A call has failed, for all that wait for it alike; or its answer cannot be shared, and the requests that joined it
    /// make calls of their own. The driver tells them which.
    pub fn fail(&mut self, Call(id): Call) {
        if let Some(call) = self.end(id) {
            self.inflight.end(&call.place, id);
        }
    }

    /// A call was refused for what the request that leads it is or says, and never went to the upstream. The requests that
    /// joined it [ask](Self::ask) once more, and one of them leads.
    pub fn refused(&mut self, Call(id): Call) {
        let Some(call) = self.end(id) else { return };
        self.inflight.end(&call.place, id);
        if let Stage::Begun { before } = call.stage {
            self.polls.refused(call.place.key, before);
        }
    }

    /// A request waits no longer: its client has left, or it makes a call of its own. A call ends with the last request
    /// that waits for it: then its handle comes back, and the driver drops what makes the call.
    #[must_use = "a call that nobody waits for is to be broken off"]
    pub fn leave(&mut self, Waiter(id): Waiter) -> Option<H> {
        let call = self.calls.get_mut(id.slot).filter(|call| call.number == id.number)?;
        call.waiters -= 1;
        if call.waiters > 0 {
            return None;
        }
        let call = self.calls.remove(id.slot);
        self.inflight.end(&call.place, id);
        Some(call.handle)
    }

    /// A write to this resource, a reading of its path ([`resources`](crate::route::resources)), begins or has been
    /// answered: nothing that began before serves requests that come after. Requests that have joined keep waiting.
    pub fn invalidate(&mut self, resource: &str) {
        self.inflight.invalidate(resource);
    }

    /// When the next answer stops serving.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.inflight.next_expiry()
    }

    /// Forgets the answers that serve no longer.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.inflight.expire(now);
    }

    /// The number of calls under way and of answers that are reused. Unless it is zero, a write has something to
    /// [invalidate](Self::invalidate).
    #[must_use]
    pub fn len(&self) -> usize {
        self.calls.len() + self.inflight.saved()
    }

    /// Whether there is nothing that a write could invalidate.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends a call, unless it has ended before with the last that waited for it.
    fn end(&mut self, id: CallId) -> Option<CallState<H>> {
        self.calls.get(id.slot).filter(|call| call.number == id.number)?;
        Some(self.calls.remove(id.slot))
    }
}
