//! Clients that poll things in loops and obey nothing, on the stopped clock, and a model of when each thing is called.

use std::ops::Range;
use std::time::Duration;

use super::house::{Answer, House, Wire};
use crate::clock::Clock;

/// How far the clock goes at once.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// When the gate calls the upstream for what is polled.
pub(crate) struct Pace {
    /// For how long an answer serves those who come after it.
    pub(crate) reuse: Duration,
    /// How far apart calls for one thing are at least.
    pub(crate) every: Duration,
}

/// A crowd that polls, each client on a connection of its own.
pub(crate) struct Loops {
    pace: Pace,
    /// How many ticks a client pauses before it asks again; by chance, the same in each run.
    pauses: Range<u32>,
    chance: fastrand::Rng,
    clients: Vec<Client>,
    /// When each thing was last called.
    called: Vec<Option<Duration>>,
    asked: u64,
    calls: usize,
    now: Duration,
}

struct Client {
    wire: Wire,
    thing: usize,
    request: String,
    asks_at: Option<Duration>,
    waits: bool,
}

impl Loops {
    pub(crate) fn new(pace: Pace, pauses: Range<u32>, things: usize) -> Self {
        let (chance, called) = (fastrand::Rng::with_seed(1), vec![None; things]);
        Self { pace, pauses, chance, clients: Vec::new(), called, asked: 0, calls: 0, now: Duration::ZERO }
    }

    /// One more client, which asks for this thing first at one of these ticks.
    pub(crate) async fn join(&mut self, house: &House, thing: usize, request: String, within: Range<u32>) {
        let (wire, first) = (house.connect().await, TICK * self.chance.u32(within));
        self.clients.push(Client { wire, thing, request, asks_at: Some(first), waits: false });
    }

    /// How long it has been going on.
    pub(crate) fn now(&self) -> Duration {
        self.now
    }

    /// How often the gate has called the upstream so far, if it does what it should.
    pub(crate) fn calls(&self) -> usize {
        self.calls
    }

    /// Whether somebody still polls.
    pub(crate) fn are_there(&self) -> bool {
        self.clients.iter().any(|client| client.waits || client.asks_at.is_some())
    }

    /// All who are to ask now do, and those who are to be answered now are. Of the answers this says which ends its loop.
    pub(crate) async fn go(&mut self, house: &House, ends: impl Fn(&Answer) -> bool) {
        for client in &mut self.clients {
            if client.asks_at.take_if(|at| *at <= self.now).is_some() {
                client.wire.send(&client.request).await;
                client.waits = true;
                self.asked += 1;
            }
        }
        let asked = || house.gate.coalesced().iter().map(|coalesced| coalesced.asked).sum::<u64>();
        house.until("all have asked", |_| asked() == self.asked).await;
        for thing in 0..self.called.len() {
            if self.has_answer(thing) {
                self.answered(thing, &ends).await;
            }
        }
    }

    /// Time goes on by a tick.
    pub(crate) async fn tick(&mut self, clock: &Clock) {
        clock.step(TICK).await;
        self.now += TICK;
    }

    /// Whether whoever asks for this has an answer now: by a call of now, or by one that has just been.
    fn has_answer(&mut self, thing: usize) -> bool {
        let (now, Pace { reuse, every }) = (self.now, &self.pace);
        let is_wanted = self.clients.iter().any(|client| client.thing == thing && client.waits);
        let called = &mut self.called[thing];
        if is_wanted && called.is_none_or(|called| now >= called + *reuse.max(every)) {
            *called = Some(now);
            self.calls += 1;
        }
        is_wanted && called.is_some_and(|called| now < called + *reuse)
    }

    async fn answered(&mut self, thing: usize, ends: impl Fn(&Answer) -> bool) {
        for client in self.clients.iter_mut().filter(|client| client.thing == thing && client.waits) {
            let answer = client.wire.answer().await;
            client.waits = false;
            assert_eq!(answer.status(), "200", "{}", answer.body);
            if !ends(&answer) {
                client.asks_at = Some(self.now + TICK * self.chance.u32(self.pauses.clone()));
            }
        }
    }
}
