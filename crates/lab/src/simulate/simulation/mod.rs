mod request_flow;

use std::time::{Duration, Instant};

use slab::Slab;
use smallvec::SmallVec;

use super::arrivals::StreamArrivals;
use super::events::EventQueue;
use super::quota::VirtualQuota;
use super::report::SimulationReport;
use super::sharing::Sharing;
use super::stats::Stats;
use super::traffic::{Arrivals, ListedRequest, PollLoop, RequestTemplate, Traffic};
use super::upstream::SimulatedUpstream;
use crate::client::Clients;
use crate::coalesce::{self, PollAdvice};
use crate::meter::Counted;
use crate::queue::Charges;
use crate::route::RouteId;
use crate::scheduler::{ClientId, Decision, QueuePosition, Scheduler};
use crate::settings::Settings;

/// A gate, its upstream and its clients, on a clock that goes from one event to the next.
pub(super) struct Simulation<'t> {
    pub(super) settings: &'t Settings,
    pub(super) traffic: &'t Traffic,
    pub(super) began: Instant,
    pub(super) now: Instant,
    pub(super) events: EventQueue<SimulationEvent>,
    pub(super) quotas: Option<VirtualQuota>,
    pub(super) scheduler: Scheduler<usize>,
    pub(super) sharing: Sharing<'t>,
    pub(super) upstream: SimulatedUpstream,
    pub(super) clients: Clients,
    /// The client of each stream.
    pub(super) senders: Vec<ClientId>,
    coming: Vec<StreamArrivals<'t>>,
    begun: Vec<u64>,
    pub(super) jobs: Slab<Job>,
    pub(super) calls: Slab<SimulatedCall>,
    pub(super) waiting: usize,
    pub(super) under_way: u64,
    pub(super) stats: Stats<'t>,
}

/// Something that is due at a time.
#[derive(Clone, Copy)]
pub(super) enum SimulationEvent {
    /// The next job of a stream arrives.
    StreamArrival(usize, Option<ListedRequest>),
    /// A worker starts its next job.
    WorkerReady(usize),
    /// A job's next poll is due.
    PollDue(usize),
    /// A refused request is retried.
    RetryDue(usize),
    /// A shared call asks for admission.
    AdmissionDue(usize),
    /// The upstream's response has ended.
    ResponseEnded(usize),
}

/// One request, or one and polls until what it started is done.
pub(super) struct Job {
    pub(super) stream: usize,
    pub(super) number: u64,
    pub(super) listed: Option<ListedRequest>,
    /// When what is polled for is done.
    pub(super) done_at: Option<Instant>,
    pub(super) chance: fastrand::Rng,
}

/// One request at the gate.
pub(super) struct SimulatedCall {
    pub(super) job: usize,
    pub(super) polls: bool,
    pub(super) target: String,
    pub(super) route: RouteId,
    /// When it arrived, or was retried.
    pub(super) came: Instant,
    /// When it last asked for admission.
    pub(super) asked: Instant,
    pub(super) waited: Duration,
    /// What is known of the thing that it asks for, if others may ask for it as well.
    pub(super) advice: Option<PollAdvice>,
    /// The number of retries.
    pub(super) returns: u32,
    pub(super) charges: Charges,
    pub(super) place: Option<QueuePosition>,
    pub(super) sent_at: Instant,
    /// By which of the upstream's rules it counts, if it is accepted.
    pub(super) counted: Option<Counted>,
    /// The call that it leads.
    pub(super) lead: Option<coalesce::Call>,
    pub(super) joined: Vec<usize>,
    pub(super) changes: Vec<String>,
    /// The pool instances that it takes from, as `stats` numbers them.
    pub(super) instances: SmallVec<[usize; 2]>,
}

/// How often progress is reported. A guess: each half percent.
const STEPS: u32 = 200;

/// Spreads the seeds of jobs with similar numbers far apart (the golden ratio's fraction, in 64 bits).
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

impl<'t> Simulation<'t> {
    pub(super) fn new(settings: &'t Settings, traffic: &'t Traffic, began: Instant) -> Self {
        let clients = Clients::new(&settings.clients);
        let chance =
            |index: usize| fastrand::Rng::with_seed(traffic.seed.wrapping_add(index as u64).wrapping_mul(GOLDEN));
        let streams = traffic.streams.iter().enumerate();
        let mut simulation = Self {
            settings,
            traffic,
            began,
            now: began,
            events: EventQueue::new(),
            quotas: settings.clients.quota.and_then(|rate| VirtualQuota::new(rate, began)),
            scheduler: Scheduler::new(settings.rules(&clients)),
            sharing: Sharing::new(settings),
            upstream: SimulatedUpstream::new(&traffic.upstream, began, &mut chance(traffic.streams.len())),
            senders: traffic.streams.iter().map(|stream| stream.kind.sender.who(&clients)).collect(),
            clients,
            coming: streams.map(|(index, stream)| StreamArrivals::new(stream, chance(index))).collect(),
            begun: vec![0; traffic.streams.len()],
            jobs: Slab::new(),
            calls: Slab::new(),
            waiting: 0,
            under_way: 0,
            stats: Stats::new(settings, traffic, began),
        };
        for (index, stream) in traffic.streams.iter().enumerate() {
            let ways = if let Arrivals::Workers { workers, .. } = stream.arrivals { workers.get() } else { 1 };
            (0..ways).for_each(|_| simulation.schedule_next(index));
        }
        simulation
    }

    /// Runs until every request has a response or is refused.
    pub(super) fn run(mut self, progress: &mut dyn FnMut(u64)) -> SimulationReport {
        let mut next_step = self.began;
        while let Some(due) = self.due() {
            let look = self.stats.sample_at();
            if look <= due {
                self.stats.sample(&self.scheduler.snapshot(look));
                continue;
            }
            self.now = self.now.max(due);
            if self.scheduler.poll_timeout().is_some_and(|at| at <= self.now) {
                self.scheduler.handle_timeout(self.now);
            } else if let Some(event) = self.events.pop() {
                self.handle(event);
            }
            self.carry_out_decisions();
            if self.now >= next_step {
                progress(self.thousandths());
                next_step = self.now + self.traffic.lasts / STEPS;
            }
        }
        SimulationReport::new(self.stats)
    }

    /// The part of the traffic's time that has passed.
    fn thousandths(&self) -> u64 {
        let parts = (self.now - self.began).as_millis() * 1_000 / self.traffic.lasts.as_millis().max(1);
        u64::try_from(parts).unwrap_or(u64::MAX).min(1_000)
    }

    /// When the next thing happens; `None` once nothing is pending and the traffic's time is over.
    fn due(&self) -> Option<Instant> {
        let decides = self.scheduler.poll_timeout();
        match self.events.next_at() {
            Some(event) => Some(decides.map_or(event, |at| at.min(event))),
            None if self.waiting > 0 => decides,
            None => Some(self.stats.sample_at()).filter(|&at| at <= self.began + self.traffic.lasts),
        }
    }

    fn handle(&mut self, event: SimulationEvent) {
        self.sharing.handle_timeout(self.now);
        match event {
            SimulationEvent::StreamArrival(stream, listed) => {
                self.schedule_next(stream);
                self.start_job(stream, listed);
            }
            SimulationEvent::WorkerReady(stream) => self.start_job(stream, None),
            SimulationEvent::PollDue(job) => self.send(job, true),
            SimulationEvent::RetryDue(call) => self.arrive(call),
            SimulationEvent::AdmissionDue(call) => self.ask_admission(call),
            SimulationEvent::ResponseEnded(call) => self.complete(call),
        }
    }

    /// Carries out what the scheduler has decided meanwhile.
    fn carry_out_decisions(&mut self) {
        loop {
            let decisions = self.scheduler.take_decisions();
            if decisions.is_empty() {
                return;
            }
            for decision in decisions {
                self.waiting -= 1;
                match decision {
                    Decision::Grant { waiter, charges, position: place } => {
                        self.stats.leaves_line(&self.calls[waiter].instances);
                        self.dispatch(waiter, charges, Some(place));
                    }
                    Decision::Refuse { waiter, refusal } => {
                        self.stats.leaves_line(&self.calls[waiter].instances);
                        self.refuse(waiter, &refusal);
                    }
                }
            }
        }
    }

    fn schedule_next(&mut self, stream: usize) {
        if let Some((at, listed)) = self.coming[stream].next() {
            self.events.say(self.began + at, SimulationEvent::StreamArrival(stream, listed));
        }
    }

    fn start_job(&mut self, stream: usize, listed: Option<ListedRequest>) {
        let number = (stream as u64) << 32 | self.begun[stream];
        self.begun[stream] += 1;
        let chance = fastrand::Rng::with_seed(self.traffic.seed ^ number.wrapping_mul(GOLDEN));
        let job = self.jobs.insert(Job { stream, number, listed, done_at: None, chance });
        self.stats.begins(stream);
        self.send(job, false);
    }

    /// A job sends a request, or a poll.
    fn send(&mut self, job: usize, polls: bool) {
        let Job { stream, number, .. } = self.jobs[job];
        let target = self.kind(stream, polls).path.fill(number);
        let now = self.now;
        let call = self.calls.insert(SimulatedCall {
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
            counted: None,
            lead: None,
            joined: Vec::new(),
            changes: Vec::new(),
            instances: SmallVec::new(),
        });
        self.arrive(call);
    }

    pub(super) fn kind(&self, stream: usize, polls: bool) -> &'t RequestTemplate {
        let stream = &self.traffic.streams[stream];
        stream.poll.as_ref().filter(|_| polls).map_or(&stream.kind, |poll| &poll.kind)
    }

    /// A request has its response, or fails for good. The client stays away for this long before its next.
    pub(super) fn finish_request(&mut self, job: usize, polls: bool, is_served: bool, stay_away: Duration) {
        let stream = &self.traffic.streams[self.jobs[job].stream];
        let is_late = self.now >= self.began + self.traffic.lasts;
        let Some(PollLoop { every, work, .. }) = stream.poll.as_ref().filter(|_| polls || is_served) else {
            return self.finish_job(job, is_served, stay_away);
        };
        let Job { chance, done_at, .. } = &mut self.jobs[job];
        if !polls {
            *done_at = Some(self.now + work.draw(chance));
        }
        let is_done = polls && is_served && done_at.is_some_and(|at| at <= self.now);
        if is_done || (is_late && !is_served) {
            return self.finish_job(job, is_done, stay_away);
        }
        self.events.say(self.now + stay_away.max(*every), SimulationEvent::PollDue(job));
    }

    fn finish_job(&mut self, job: usize, is_done: bool, stay_away: Duration) {
        let Job { stream, .. } = self.jobs.remove(job);
        self.stats.ends(stream, is_done);
        if let Arrivals::Workers { pause, .. } = self.traffic.streams[stream].arrivals {
            let next = self.now + pause.max(stay_away);
            if next < self.began + self.traffic.streams[stream].until {
                self.events.say(next, SimulationEvent::WorkerReady(stream));
            }
        }
    }
}
