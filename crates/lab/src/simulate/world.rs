use std::time::{Duration, Instant};

use slab::Slab;
use smallvec::SmallVec;

use super::arrivals::Coming;
use super::events::Events;
use super::quota::Quotas;
use super::report::Report;
use super::sharing::Sharing;
use super::tally::Tally;
use super::traffic::{Arrivals, Kind, Listed, Poll, Traffic};
use super::upstream::Upstream;
use crate::client::Clients;
use crate::coalesce::{self, PollAdvice};
use crate::queue::Charges;
use crate::route::RouteId;
use crate::scheduler::{ClientId, Decision, QueuePosition, Scheduler};
use crate::settings::Settings;

/// A gate, its upstream and who asks it, on a clock that goes from one event to the next.
pub(super) struct World<'t> {
    pub(super) settings: &'t Settings,
    pub(super) traffic: &'t Traffic,
    pub(super) began: Instant,
    pub(super) now: Instant,
    pub(super) events: Events<Event>,
    pub(super) quotas: Option<Quotas>,
    pub(super) scheduler: Scheduler<usize>,
    pub(super) sharing: Sharing<'t>,
    pub(super) upstream: Upstream,
    pub(super) clients: Clients,
    /// Who sends the requests of each stream.
    pub(super) senders: Vec<ClientId>,
    coming: Vec<Coming<'t>>,
    begun: Vec<u64>,
    pub(super) jobs: Slab<Job>,
    pub(super) calls: Slab<Call>,
    pub(super) waiting: usize,
    pub(super) under_way: u64,
    pub(super) tally: Tally<'t>,
}

/// What happens.
#[derive(Clone, Copy)]
pub(super) enum Event {
    /// The next of a stream begins.
    Begins(usize, Option<Listed>),
    /// A worker begins anew.
    Works(usize),
    /// It is asked whether a job is done.
    Polls(usize),
    /// Who was refused comes back.
    Returns(usize),
    /// A call that is shared asks for its turn.
    Asks(usize),
    /// The upstream's answer has ended.
    Answers(usize),
}

/// What somebody wants: one answer, or one and then to hear that it is done.
pub(super) struct Job {
    pub(super) stream: usize,
    pub(super) number: u64,
    pub(super) listed: Option<Listed>,
    /// When what is polled for is done.
    pub(super) done_at: Option<Instant>,
    pub(super) chance: fastrand::Rng,
}

/// One request before the gate.
pub(super) struct Call {
    pub(super) job: usize,
    pub(super) polls: bool,
    pub(super) target: String,
    pub(super) route: RouteId,
    /// When it came, or came back.
    pub(super) came: Instant,
    /// When it last asked for its turn.
    pub(super) asked: Instant,
    pub(super) waited: Duration,
    /// What is known of the thing that it asks for, if others may ask for it as well.
    pub(super) advice: Option<PollAdvice>,
    /// How often it has come back.
    pub(super) returns: u32,
    pub(super) charges: Charges,
    pub(super) place: Option<QueuePosition>,
    pub(super) sent_at: Instant,
    pub(super) is_taken: bool,
    /// The call that it leads.
    pub(super) lead: Option<coalesce::Call>,
    pub(super) joined: Vec<usize>,
    pub(super) changes: Vec<String>,
    /// The pool instances that it takes from, as the tally counts them.
    pub(super) instances: SmallVec<[usize; 2]>,
}

/// How often somebody hears how far it is. A guess: each half of a percent.
const STEPS: u32 = 200;

/// Numbers of jobs that look alike are spread far apart (the golden ratio's fraction, of 64 bits).
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

impl<'t> World<'t> {
    pub(super) fn new(settings: &'t Settings, traffic: &'t Traffic, began: Instant) -> Self {
        let clients = Clients::new(&settings.clients);
        let chance =
            |index: usize| fastrand::Rng::with_seed(traffic.seed.wrapping_add(index as u64).wrapping_mul(GOLDEN));
        let streams = traffic.streams.iter().enumerate();
        let mut world = Self {
            settings,
            traffic,
            began,
            now: began,
            events: Events::new(),
            quotas: settings.clients.quota.and_then(|rate| Quotas::new(rate, began)),
            scheduler: Scheduler::new(settings.rules(&clients)),
            sharing: Sharing::new(settings),
            upstream: Upstream::new(&traffic.upstream, began, &mut chance(traffic.streams.len())),
            senders: traffic.streams.iter().map(|stream| stream.kind.sender.who(&clients)).collect(),
            clients,
            coming: streams.map(|(index, stream)| Coming::new(stream, chance(index))).collect(),
            begun: vec![0; traffic.streams.len()],
            jobs: Slab::new(),
            calls: Slab::new(),
            waiting: 0,
            under_way: 0,
            tally: Tally::new(settings, traffic, began),
        };
        for (index, stream) in traffic.streams.iter().enumerate() {
            let ways = if let Arrivals::Workers { workers, .. } = stream.arrivals { workers.get() } else { 1 };
            (0..ways).for_each(|_| world.await_next(index));
        }
        world
    }

    /// Until everybody has his answer, or has been refused.
    pub(super) fn run(mut self, progress: &mut dyn FnMut(u64)) -> Report {
        let mut next_step = self.began;
        while let Some(due) = self.due() {
            let look = self.tally.sample_at();
            if look <= due {
                self.tally.sample(&self.scheduler.snapshot(look));
                continue;
            }
            self.now = self.now.max(due);
            if self.scheduler.poll_timeout().is_some_and(|at| at <= self.now) {
                self.scheduler.handle_timeout(self.now);
            } else if let Some(event) = self.events.pop() {
                self.happens(event);
            }
            self.hear();
            if self.now >= next_step {
                progress(self.thousandths());
                next_step = self.now + self.traffic.lasts / STEPS;
            }
        }
        self.tally.report()
    }

    /// How much of the traffic has come.
    fn thousandths(&self) -> u64 {
        let parts = (self.now - self.began).as_millis() * 1_000 / self.traffic.lasts.as_millis().max(1);
        u64::try_from(parts).unwrap_or(u64::MAX).min(1_000)
    }

    /// When something happens next; nothing once nobody wants anything, and the traffic's time is over.
    fn due(&self) -> Option<Instant> {
        let decides = self.scheduler.poll_timeout();
        match self.events.next_at() {
            Some(event) => Some(decides.map_or(event, |at| at.min(event))),
            None if self.waiting > 0 => decides,
            None => Some(self.tally.sample_at()).filter(|&at| at <= self.began + self.traffic.lasts),
        }
    }

    fn happens(&mut self, event: Event) {
        self.sharing.handle_timeout(self.now);
        match event {
            Event::Begins(stream, listed) => {
                self.await_next(stream);
                self.begin(stream, listed);
            }
            Event::Works(stream) => self.begin(stream, None),
            Event::Polls(job) => self.call(job, true),
            Event::Returns(call) => self.comes(call),
            Event::Asks(call) => self.asks(call),
            Event::Answers(call) => self.answers(call),
        }
    }

    /// What the scheduler has decided meanwhile.
    fn hear(&mut self) {
        loop {
            let decisions = self.scheduler.take_decisions();
            if decisions.is_empty() {
                return;
            }
            for decision in decisions {
                self.waiting -= 1;
                match decision {
                    Decision::Grant { waiter, charges, position: place } => {
                        self.tally.leaves_line(&self.calls[waiter].instances);
                        self.goes(waiter, charges, Some(place));
                    }
                    Decision::Refuse { waiter, refusal } => {
                        self.tally.leaves_line(&self.calls[waiter].instances);
                        self.is_refused(waiter, &refusal);
                    }
                }
            }
        }
    }

    fn await_next(&mut self, stream: usize) {
        if let Some((at, listed)) = self.coming[stream].next() {
            self.events.say(self.began + at, Event::Begins(stream, listed));
        }
    }

    fn begin(&mut self, stream: usize, listed: Option<Listed>) {
        let number = (stream as u64) << 32 | self.begun[stream];
        self.begun[stream] += 1;
        let chance = fastrand::Rng::with_seed(self.traffic.seed ^ number.wrapping_mul(GOLDEN));
        let job = self.jobs.insert(Job { stream, number, listed, done_at: None, chance });
        self.tally.begins(stream);
        self.call(job, false);
    }

    /// Somebody sends a request.
    fn call(&mut self, job: usize, polls: bool) {
        let Job { stream, number, .. } = self.jobs[job];
        let target = self.kind(stream, polls).path.fill(number);
        let now = self.now;
        let call = self.calls.insert(Call {
            job,
            polls,
            target,
            route: RouteId::default(),
            came: now,
            asked: now,
            waited: Duration::ZERO,
            advice: None,
            returns: 0,
            charges: Charges::new(),
            place: None,
            sent_at: now,
            is_taken: true,
            lead: None,
            joined: Vec::new(),
            changes: Vec::new(),
            instances: SmallVec::new(),
        });
        self.comes(call);
    }

    pub(super) fn kind(&self, stream: usize, polls: bool) -> &'t Kind {
        let stream = &self.traffic.streams[stream];
        stream.poll.as_ref().filter(|_| polls).map_or(&stream.kind, |poll| &poll.kind)
    }

    /// A request has its answer, or none for good; who waits so long before he asks again.
    pub(super) fn is_over(&mut self, job: usize, polls: bool, is_served: bool, stay_away: Duration) {
        let stream = &self.traffic.streams[self.jobs[job].stream];
        let is_late = self.now >= self.began + self.traffic.lasts;
        let Some(Poll { every, work, .. }) = stream.poll.as_ref().filter(|_| polls || is_served) else {
            return self.ends(job, is_served, stay_away);
        };
        let Job { chance, done_at, .. } = &mut self.jobs[job];
        if !polls {
            *done_at = Some(self.now + work.draw(chance));
        }
        let is_done = polls && is_served && done_at.is_some_and(|at| at <= self.now);
        if is_done || (is_late && !is_served) {
            return self.ends(job, is_done, stay_away);
        }
        self.events.say(self.now + stay_away.max(*every), Event::Polls(job));
    }

    fn ends(&mut self, job: usize, is_done: bool, stay_away: Duration) {
        let Job { stream, .. } = self.jobs.remove(job);
        self.tally.ends(stream, is_done);
        if let Arrivals::Workers { pause, .. } = self.traffic.streams[stream].arrivals {
            let next = self.now + pause.max(stay_away);
            if next < self.began + self.traffic.streams[stream].until {
                self.events.say(next, Event::Works(stream));
            }
        }
    }
}
