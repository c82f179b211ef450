//! One request's way through the gate, in the gate's order: quota, coalescing, admission, dispatch, and retry.

use std::time::Duration;

use super::{SimulatedCall, Simulation, SimulationEvent};
use crate::coalesce::{Payer, PollAdvice, Role};
use crate::hints::{Pushback, RefusalCause};
use crate::limit::Unit;
use crate::meter::RuleRequest;
use crate::queue::Charges;
use crate::refusal::Code;
use crate::route::{Ask, Asks, Body, Found};
use crate::scheduler::{AdmissionRequest, Arrival, QueuePosition, Refusal};
use crate::simulate::request_facts::SimulatedFacts;
use crate::simulate::sharing::{Paying, path_of, paying};
use crate::simulate::traffic::RequestTemplate;

/// A refusal by the upstream without figures, as limits by type of request send it.
const LIMIT: Pushback = Pushback { cause: RefusalCause::Limit, figures: None, family: None, retry_after: None };

/// The longest `retry-after` (docs/upstream.md §5.2).
const MINUTE: Duration = Duration::from_mins(1);

/// The `retry-after` where the wait is unknown. A guess.
const SOME_TIME: Duration = Duration::from_secs(5);

impl<'t> Simulation<'t> {
    /// A request arrives, or is retried.
    pub(super) fn arrive(&mut self, id: usize) {
        let (kind, stream) = (self.kind_of(id), self.stream_of(id));
        let call = &mut self.calls[id];
        (call.came, call.waited, call.place, call.advice) = (self.now, Duration::ZERO, None, None);
        call.route = self.settings.routes.find(&kind.method, path_of(&call.target)).route();
        call.instances.clear();
        self.stats.comes(call.route, stream);
        let quota = self.quotas.as_mut().map(|quotas| quotas.check(self.now, self.senders[stream]));
        if let Some(Err(away)) = quota {
            let retry_after = away.clamp(Duration::from_secs(1), MINUTE);
            let why = format!("{} ([clients] quota)", Code::ClientQuota);
            return self.reject(id, &why, retry_after, away > MINUTE);
        }
        let call = &mut self.calls[id];
        call.changes = self.sharing.changed_by(kind, &call.target);
        self.sharing.invalidate(&call.changes);
        self.join_or_lead(id);
    }

    /// Joins another call, reuses a response, or makes a call of its own.
    fn join_or_lead(&mut self, id: usize) {
        let (kind, call) = (self.kind_of(id), &self.calls[id]);
        let Some(asked) = self.sharing.shareable(call.route, kind, &call.target) else { return self.ask_admission(id) };
        let advice = self.calls[id].advice.take();
        let advice = advice.unwrap_or_else(|| {
            let payers = self.payers(id);
            self.sharing.poll(self.now, &asked, &kind.sender, &payers)
        });
        let role = self.sharing.ask(self.now, &asked, advice.every(), kind.sender.patience, id);
        self.calls[id].advice = Some(advice);
        match role {
            Role::Join { handle: leader, .. } => self.calls[leader].joined.push(id),
            Role::Reuse(()) => self.share_response(id, Duration::ZERO),
            Role::Alone => self.ask_admission(id),
            Role::Lead { call, after, .. } => {
                self.calls[id].lead = Some(call);
                self.calls[id].waited += after;
                self.events.say(self.now + after, SimulationEvent::AdmissionDue(id));
            }
        }
    }

    /// The pools that a call takes requests from, with their load.
    fn payers(&mut self, id: usize) -> Vec<Payer<Paying>> {
        let found = self.settings.routes.find(&self.kind_of(id).method, path_of(&self.calls[id].target));
        let asks = self.cost_of(id, &found);
        let pools = &self.settings.pools;
        let paying_in = asks.iter().filter(|ask| pools[ask.pool.0].limits.unit == Unit::Requests);
        let payer = |ask: &Ask| {
            let pool = &pools[ask.pool.0];
            let load = if pool.refuse_when_full { None } else { self.scheduler.load(self.now, ask) };
            Payer { pool: paying(ask), load, share: pool.poll_share }
        };
        paying_in.map(payer).collect()
    }

    /// Asks for admission, and waits in the queue if it must.
    pub(super) fn ask_admission(&mut self, id: usize) {
        let found = self.settings.routes.find(&self.kind_of(id).method, path_of(&self.calls[id].target));
        let asks = self.cost_of(id, &found);
        self.calls[id].asked = self.now;
        if self.calls[id].place.is_none() {
            self.calls[id].instances = self.stats.asks(&asks);
            if let Some(lead) = &self.calls[id].lead {
                self.sharing.begin(self.now, lead);
            }
        }
        if self.under_way >= self.settings.max_in_flight {
            let why = format!("{} ([queue] max_in_flight)", Code::QueueFull);
            return self.reject(id, &why, SOME_TIME, false);
        }
        if asks.is_empty() {
            return self.dispatch(id, Charges::new(), None);
        }
        let applicant = self.admission_request(id, &found);
        match self.scheduler.arrive(self.now, &asks, applicant, || id) {
            Arrival::Granted { charges, position: place } => self.dispatch(id, charges, Some(place)),
            Arrival::Refused(refusal) => self.refuse(id, &refusal),
            Arrival::Queued { .. } => {
                self.waiting += 1;
                self.stats.joins_line(&self.calls[id].instances);
            }
        }
    }

    fn cost_of(&self, id: usize, found: &Found) -> Asks {
        let (sender, table) = (&*self.kind_of(id).sender, &self.settings.routes);
        let body = table.reads_body(found).then(|| Body::read(sender.body.as_bytes(), None)).flatten();
        let tokens = self.jobs[self.calls[id].job].listed.and_then(|listed| listed.tokens);
        table.asks(found, &SimulatedFacts { sender, body: body.as_ref(), tokens })
    }

    fn admission_request(&self, id: usize, found: &Found) -> AdmissionRequest {
        let (sender, call) = (&self.kind_of(id).sender, &self.calls[id]);
        let of_route = self.settings.routes.priority(found);
        AdmissionRequest {
            client: self.senders[self.stream_of(id)],
            priority: sender.priority.map_or(of_route, |own| self.clients.granted_priority(of_route, own)),
            patience: sender.patience.map(|patience| patience.saturating_sub(self.now - call.came)),
            route: call.route,
            returns: (sender.retries > 0).then_some(call.returns),
            bytes: sender.body.len() as u64,
            position: call.place,
        }
    }

    /// Sends an admitted request.
    pub(super) fn dispatch(&mut self, id: usize, charges: Charges, place: Option<QueuePosition>) {
        let (kind, latency) = (self.kind_of(id), self.latency(id));
        if !charges.is_empty() {
            self.scheduler.commit(self.now, &charges);
        }
        self.under_way += 1;
        let body = Body::read(kind.sender.body.as_bytes(), None);
        let facts = SimulatedFacts { sender: &kind.sender, body: body.as_ref(), tokens: None };
        let call = &mut self.calls[id];
        call.waited += self.now - call.asked;
        let request = RuleRequest { method: &kind.method, path: path_of(&call.target), facts: &facts };
        call.counted = self.upstream.takes(self.now, request);
        (call.charges, call.place, call.sent_at) = (charges, place, self.now);
        self.events.say(self.now + latency, SimulationEvent::ResponseEnded(id));
    }

    /// The upstream's response has ended.
    pub(super) fn complete(&mut self, id: usize) {
        self.under_way -= 1;
        let call = &mut self.calls[id];
        let (charges, sent_at, route) = (std::mem::take(&mut call.charges), call.sent_at, call.route);
        let counted = call.counted.take();
        let is_taken = counted.is_some();
        counted.iter().for_each(|counted| self.upstream.end(counted));
        if charges.is_empty() {
            return if is_taken { self.succeed(id) } else { self.fail(id, SOME_TIME) };
        }
        if is_taken {
            self.scheduler.answered(self.now, &charges, sent_at, route, false);
            self.scheduler.accepted(self.now, &charges, sent_at, &[]);
        } else {
            self.stats.upstream_refuses(route, self.stream_of(id), &self.calls[id].instances);
            self.scheduler.refused(self.now, &charges, sent_at, &LIMIT);
        }
        self.scheduler.release(self.now, &charges);
        if is_taken { self.succeed(id) } else { self.ask_admission(id) }
    }

    /// The scheduler refuses it.
    pub(super) fn refuse(&mut self, id: usize, refusal: &Refusal) {
        let reason = refusal.reason;
        let pool = reason.pool().map_or("[queue] max_waiting", |pool| &self.settings.pools[pool.0].name);
        let why = format!("{} ({pool})", reason.code().as_str());
        self.reject(id, &why, refusal.retry_after, refusal.pointless);
    }

    /// Refuses a request, which may retry. If the upstream has refused it before, it gets the upstream's refusal.
    fn reject(&mut self, id: usize, why: &str, retry_after: Duration, pointless: bool) {
        if self.calls[id].place.is_some() {
            return self.fail(id, retry_after);
        }
        let retries = self.kind_of(id).sender.retries;
        self.stats.refuses(self.calls[id].route, self.stream_of(id), &self.calls[id].instances, why);
        let call = &mut self.calls[id];
        let joined = std::mem::take(&mut call.joined);
        if let Some(lead) = call.lead.take() {
            self.sharing.refused(lead);
        }
        let call = &mut self.calls[id];
        if call.returns < retries && !pointless {
            call.returns += 1;
            self.events.say(self.now + retry_after, SimulationEvent::RetryDue(id));
        } else {
            self.remove(id, false, retry_after);
        }
        joined.into_iter().for_each(|id| self.join_or_lead(id));
    }

    /// Passes the upstream's refusal on. The requests that joined make calls of their own.
    fn fail(&mut self, id: usize, retry_after: Duration) {
        self.stats.fails(self.calls[id].route, self.stream_of(id), &self.calls[id].instances);
        if let Some(lead) = self.calls[id].lead.take() {
            self.sharing.fail(lead);
        }
        let call = self.remove(id, false, retry_after);
        call.joined.into_iter().for_each(|id| self.ask_admission(id));
    }

    /// Its response goes to it, and to the requests that joined it.
    fn succeed(&mut self, id: usize) {
        let (stream, call) = (self.stream_of(id), &self.calls[id]);
        let waited = call.waited;
        self.stats.serves(self.now, call.route, stream, &call.instances, waited);
        let done_at = self.jobs[call.job].done_at.filter(|_| call.polls);
        let mut call = self.remove(id, true, Duration::ZERO);
        if let Some(lead) = call.lead.take() {
            self.sharing.complete(self.now, lead, done_at.map(|at| at <= self.now));
        }
        call.joined.into_iter().for_each(|id| self.share_response(id, waited));
    }

    /// It gets another call's response. Its wait is that call's, or the time since it arrived if that is shorter.
    fn share_response(&mut self, id: usize, waited: Duration) {
        let call = &self.calls[id];
        let waited = waited.min(self.now - call.came);
        self.stats.shares(self.now, call.route, self.stream_of(id), waited);
        self.remove(id, true, Duration::ZERO);
    }

    /// Removes a call. A poll helper stays away for the interval that the gate tells it.
    fn remove(&mut self, id: usize, is_served: bool, stay_away: Duration) -> SimulatedCall {
        let call = self.calls.remove(id);
        // However it ended, it may have been executed.
        self.sharing.invalidate(&call.changes);
        let poll_after = call.advice.as_ref().and_then(PollAdvice::poll_after);
        self.finish_request(call.job, call.polls, is_served, stay_away.max(poll_after.unwrap_or_default()));
        call
    }

    fn latency(&mut self, id: usize) -> Duration {
        let SimulatedCall { job, polls, .. } = self.calls[id];
        let job = &mut self.jobs[job];
        let stream = &self.traffic.streams[job.stream];
        let of_poll = stream.poll.as_ref().filter(|_| polls).map(|poll| poll.latency);
        job.listed.map_or_else(|| of_poll.unwrap_or(stream.latency).draw(&mut job.chance), |listed| listed.latency)
    }

    fn stream_of(&self, id: usize) -> usize {
        self.jobs[self.calls[id].job].stream
    }

    fn kind_of(&self, id: usize) -> &'t RequestTemplate {
        self.kind(self.stream_of(id), self.calls[id].polls)
    }
}
