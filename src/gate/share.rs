use std::future::pending;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Method;
use smallvec::SmallVec;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use super::answer::Answer;
use super::failure::Failure;
use super::headers::{for_upstream, set_poll_after};
use super::outcome::millis;
use super::progress::Progress;
use super::request::ClientRequest;
use super::shared::{CallOutcome, Origin, SharedAnswer, SharedCall, SharedResponse};
use super::sharing::ShareCounters;
use super::state::Gate;
use crate::coalesce::{Call, LongPoll, Payer, PollAdvice, Role, Shareable, Terms, Waiter, poll_helper};
use crate::limit::{Fill, PoolId, Unit};
use crate::route::{Ask, Coalescing};

/// A GET that may share a call, and how.
pub(super) struct SharedGet<'g> {
    wanted: Shareable,
    coalescing: Coalescing,
    counters: &'g ShareCounters,
}

/// The task of a call, and where it says what came of it.
struct LeadingCall {
    gate: Gate,
    /// None once the coalescer knows that it ended.
    call: Option<Call>,
    reuse: Duration,
    progress: Progress,
    outcome: watch::Sender<Option<CallOutcome>>,
    /// The request that leads: it alone gets what cannot be shared.
    own: Option<oneshot::Sender<(Result<Answer, Failure>, Progress)>>,
}

/// One request's wait for a call; dropped, the request has left.
struct WaiterGuard<'g> {
    gate: &'g Gate,
    waiter: Option<Waiter>,
}

impl Gate {
    /// What a request asks for, if others may ask for the same.
    pub(super) fn shareable(&self, request: &ClientRequest) -> Option<SharedGet<'_>> {
        if request.head.method != Method::GET || self.only_observes() {
            return None;
        }
        let coalescing = self.routes.route(request.route()).coalesce?;
        let counters = self.sharing.counters(request.route())?;
        counters.asked.add();
        let is_alone = request.upgrade.is_some() || !request.body.whole().is_some_and(<[u8]>::is_empty);
        let wanted = (!is_alone).then(|| wanted(request)).flatten();
        if wanted.is_none() {
            counters.calls.add();
        }
        Some(SharedGet { wanted: wanted?, coalescing, counters })
    }

    /// Answers a request by a call that it may share. Dropped at any time, the call goes on for the others.
    pub(super) async fn share(
        &self,
        request: Box<ClientRequest>,
        get: SharedGet<'_>,
        progress: &mut Progress,
    ) -> Result<Answer, Failure> {
        let advice = self.poll_advice(&request, &get.wanted);
        let repeat = get.coalescing.hold.then(|| request.repeat(None));
        let mut answer = self.share_once(request, &get, &advice, progress).await?;
        if let Some(repeat) = repeat {
            answer = self.hold(&repeat, &get, &advice, answer, progress).await;
        }
        if let Answer::Shared(shared) = &answer {
            get.counters.count(shared.origin);
        }
        match (&mut answer, advice.poll_after().map(millis)) {
            (Answer::Upstream(exchange), Some(ms)) => set_poll_after(exchange.response.headers_mut(), ms),
            (Answer::Shared(shared), after) => shared.poll_after_ms = after,
            _ => {}
        }
        Ok(answer)
    }

    /// Joins a call, reuses a response, or leads a call.
    async fn share_once(
        &self,
        mut request: Box<ClientRequest>,
        get: &SharedGet<'_>,
        advice: &PollAdvice,
        progress: &mut Progress,
    ) -> Result<Answer, Failure> {
        loop {
            let terms = Terms { reuse: get.coalescing.reuse, every: advice.every(), patience: request.patience(self) };
            let mut reports = None;
            let new_call = || {
                let ((outcome, outcomes), (queued, queueing)) = (watch::channel(None), watch::channel(true));
                reports = Some((outcome, queued));
                Arc::new(SharedCall { outcome: outcomes, queued: queueing, task: OnceLock::new() })
            };
            let role = self.sharing.lock().ask(Instant::now().into_std(), &get.wanted, terms, new_call);
            let (waiter, call) = match role {
                Role::Reuse(response) => return Ok(Answer::Shared(SharedAnswer::new(response, Origin::Reused))),
                Role::Alone => break,
                Role::Lead { call, waiter, handle, after } => {
                    let _waiter = WaiterGuard { gate: self, waiter: Some(waiter) };
                    let (outcome, queued) = reports.expect("a call that leads was asked for its handle");
                    let mut called = Progress::reporting(queued);
                    called.waited = progress.waited + after;
                    let (gate, reuse) = (self.clone(), get.coalescing.reuse);
                    let leading = LeadingCall { gate, call: Some(call), reuse, progress: called, outcome, own: None };
                    get.counters.leads(after);
                    return leading.answer(request, after, &handle, progress).await;
                }
                Role::Join { waiter, handle } => (WaiterGuard { gate: self, waiter: Some(waiter) }, handle),
            };
            request.compact();
            let (before, joined) = (progress.waited, Instant::now());
            let outcome = self.outcome_of(&call, &request).await;
            drop(waiter);
            let waited_with = |call: Duration| before + joined.elapsed().min(call);
            match outcome {
                CallOutcome::Response(response) => {
                    progress.waited = waited_with(response.waited);
                    return Ok(Answer::Shared(SharedAnswer::new(response, Origin::Joined)));
                }
                CallOutcome::Failed(failed, waited) => {
                    progress.waited = waited_with(waited);
                    return Err(Failure::Upstream(failed));
                }
                CallOutcome::Refused => progress.waited += joined.elapsed(),
                CallOutcome::NotShared => {
                    progress.waited += joined.elapsed();
                    break;
                }
            }
        }
        get.counters.calls.add();
        self.attempt(&mut request, progress).await.map(Answer::Upstream)
    }

    /// What comes of a call that a request joined. If the call still waits in the queue when the request's own patience is
    /// over, the request makes its own call, and is refused.
    async fn outcome_of(&self, call: &SharedCall, request: &ClientRequest) -> CallOutcome {
        let _queued = request.queued();
        let (mut outcome, mut queued) = (call.outcome.clone(), call.queued.clone());
        let patience = request.patience(self);
        let impatient = async {
            let Some(patience) = patience else { return pending().await };
            sleep(patience).await;
            if queued.wait_for(|is_queued| *is_queued).await.is_err() {
                pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            // A call that ends without a word has panicked.
            outcome = outcome.wait_for(Option::is_some) => {
                outcome.ok().and_then(|outcome| outcome.clone()).unwrap_or(CallOutcome::NotShared)
            }
            () = impatient => CallOutcome::NotShared,
        }
    }

    /// Holds a poll that would bring nothing new until there is a change, or it has been long enough. If a look fails, the
    /// client gets the response that there was. Dropped at any time, the calls go on for the others.
    async fn hold(
        &self,
        repeat: &ClientRequest,
        get: &SharedGet<'_>,
        advice: &PollAdvice,
        mut answer: Answer,
        progress: &mut Progress,
    ) -> Answer {
        let (now, typical) = (Instant::now().into_std(), self.typical_latency.of(repeat.route()));
        let deadline = LongPoll::deadline_for(now, repeat.arrived.into_std(), typical, repeat.patience(self));
        let status = |answer: &Answer| match answer {
            Answer::Shared(shared) => shared.response.status().cloned(),
            _ => None,
        };
        let Some(poll) = advice.hold(status(&answer).as_ref(), get.coalescing.reuse, deadline) else { return answer };
        get.counters.held.add();
        let (began, before) = (Instant::now(), progress.waited);
        while let Some(look) = poll.next_look(Instant::now().into_std(), status(&answer).as_ref()) {
            let queued = repeat.queued();
            sleep_until(look.into()).await;
            drop(queued);
            let mut looking = Progress::after(before + began.elapsed());
            let again = repeat.repeat(Some(poll.deadline().into()));
            let Ok(next) = Box::pin(self.share_once(again, get, advice, &mut looking)).await else {
                progress.waited = before + began.elapsed();
                break;
            };
            progress.take_over(&looking);
            answer = next;
        }
        answer
    }

    /// Notes that this is polled, and says how often it may be.
    fn poll_advice(&self, request: &ClientRequest, wanted: &Shareable) -> PollAdvice {
        let asks = request.asks(self);
        let counts_requests = |ask: &&Ask| self.pools[ask.pool.0].limits.unit == Unit::Requests;
        let paying = asks.iter().filter(counts_requests);
        let loads = self.admission.loads(paying.clone());
        let payers: Vec<_> = paying.zip(loads).map(|(ask, load)| self.payer(ask, load)).collect();
        let headers = request.head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        self.sharing.lock().poll(Instant::now().into_std(), wanted, &payers, poll_helper(headers))
    }

    /// A pool that refuses what it has no room for delays nothing, so polls have no share of it to keep to.
    fn payer(&self, ask: &Ask, load: Option<Fill>) -> Payer<(PoolId, Option<Box<str>>)> {
        let pools = self.shown_pools();
        let pool = &pools[ask.pool.0];
        let load = load.filter(|_| !pool.refuse_when_full);
        Payer { pool: (ask.pool, ask.key.clone()), load, share: pool.poll_share }
    }
}

impl Gate {
    /// A response is reused from now on: forgets it when its time is over.
    fn expire_after(&self, reuse: Duration) {
        let gate = self.clone();
        tokio::spawn(async move {
            sleep(reuse).await;
            gate.sharing.lock().handle_timeout(Instant::now().into_std());
        });
    }
}

impl LeadingCall {
    /// Starts the call and waits for its answer. Dropped at any time, the call goes on for the requests that joined it.
    async fn answer(
        mut self,
        request: Box<ClientRequest>,
        after: Duration,
        handle: &SharedCall,
        progress: &mut Progress,
    ) -> Result<Answer, Failure> {
        let (own, answer) = oneshot::channel();
        self.own = Some(own);
        drop(handle.task.set(AbortOnDropHandle::new(tokio::spawn(self.run(request, after)))));
        let Ok((answer, called)) = answer.await else { return Err(Failure::Panicked) };
        progress.take_over(&called);
        answer
    }

    /// Makes the call, `after` so long. Aborted at any time, it leaves nothing.
    async fn run(mut self, mut request: Box<ClientRequest>, after: Duration) {
        if !after.is_zero() {
            let _queued = request.queued();
            sleep(after).await;
            let now = Instant::now().into_std();
            self.call.iter().for_each(|call| self.gate.sharing.lock().begin(now, call));
        }
        let answered = self.gate.attempt(&mut request, &mut self.progress).await;
        let (outcome, answer) = match answered {
            Ok(exchange) => match SharedResponse::read(exchange, self.progress.waited, &self.gate.bodies).await {
                Ok(response) => self.complete(Arc::new(response)),
                Err(exchange) => (CallOutcome::NotShared, Ok(Answer::Upstream(exchange))),
            },
            Err(Failure::Upstream(failed)) => {
                (CallOutcome::Failed(failed.clone(), self.progress.waited), Err(Failure::Upstream(failed)))
            }
            Err(failure) => {
                self.call.take().into_iter().for_each(|call| self.gate.sharing.lock().refused(call));
                (CallOutcome::Refused, Err(failure))
            }
        };
        self.end();
        self.outcome.send_replace(Some(outcome));
        if let Some(own) = self.own.take() {
            drop(own.send((answer, self.progress.clone())));
        }
    }

    /// The response is here. It serves later requests, too, while there is plenty of room.
    fn complete(&mut self, response: Arc<SharedResponse>) -> (CallOutcome, Result<Answer, Failure>) {
        let lasts = response.is_lasting() && !self.reuse.is_zero() && self.gate.bodies.has_plenty();
        if let Some(call) = self.call.take() {
            let (now, status) = (Instant::now().into_std(), response.status());
            if self.gate.sharing.lock().complete(now, call, Arc::clone(&response), lasts, status) {
                self.gate.expire_after(self.reuse);
            }
        }
        let own = SharedAnswer::new(Arc::clone(&response), Origin::Own);
        (CallOutcome::Response(response), Ok(Answer::Shared(own)))
    }

    /// Unless the coalescer knows more, the call failed.
    fn end(&mut self) {
        self.call.take().into_iter().for_each(|call| self.gate.sharing.lock().fail(call));
    }
}

/// A panic must not leave a call behind that nobody makes.
impl Drop for LeadingCall {
    fn drop(&mut self) {
        self.end();
    }
}

impl Drop for WaiterGuard<'_> {
    fn drop(&mut self) {
        // The last one takes the call along: it is aborted as its handle is dropped, which must not be under the lock.
        let left = self.waiter.take().and_then(|waiter| self.gate.sharing.lock().leave(waiter));
        drop(left);
    }
}

/// What a GET asks for, by all that the upstream will see of it.
fn wanted(request: &ClientRequest) -> Option<Shareable> {
    let mut headers = request.head.headers.clone();
    for_upstream(&Method::GET, &mut headers, false);
    let pairs = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let pairs: SmallVec<[(&str, &[u8]); 16]> = pairs.collect();
    Shareable::new(request.target.as_str(), pairs.iter().copied())
}
