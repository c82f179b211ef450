use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use futures_util::FutureExt;
use http::Version;
use tokio::time::{Instant, sleep, timeout};

use super::failure::Failure;
use super::observed_request::ObservedRequest;
use super::outcome::millis;
use super::progress::Progress;
use super::request::ClientRequest;
use super::request_log::WaitingRequest;
use super::state::Gate;
use crate::admission::{AdmissionRequest, PendingPermit, Permit, QueuePosition, Turn};
use crate::limit::Unit;
use crate::route::{Ask, Asks, KeyPart, Priority, method_name};
use crate::telemetry::RequestedCost;
use crate::upstream::{Failed, Held, Unfilled};

/// Leave to send a request.
pub(super) struct Admitted {
    pub(super) permit: Permit,
    /// Its place among all requests in flight.
    pub(super) slot: Held,
    /// Its double, if it would have waited for pools that are only observed.
    pub(super) observed: Option<ObservedRequest>,
    /// All its pools are only observed.
    pub(super) is_observed: bool,
    /// Where it stands in the queue should it be sent again; none if it takes from no pool, as nothing would pace it.
    pub(super) position: Option<QueuePosition>,
}

/// How long a client may take to send a body that must be read before its request can queue. A guess: as long as requests
/// usually may wait.
const BODY_TIMEOUT: Duration = Duration::from_mins(2);

/// How long to wait for a body that is read ahead only so that the request can be sent again. A guess: longer than a body
/// on the way already takes, too short to be noticed.
const READ_AHEAD_TIMEOUT: Duration = Duration::from_secs(1);

impl Gate {
    /// Waits for a place in every pool of the request's route.
    ///
    /// Dropped while it waits, the request leaves the queue; what was read of its body stays with the request.
    pub(super) async fn admit(
        &self,
        request: &mut ClientRequest,
        position: Option<QueuePosition>,
        progress: &mut Progress,
    ) -> Result<Admitted, Failure> {
        if request.needs_body(self) {
            self.read_body(request).await?;
        } else if !self.only_observes() {
            self.read_small_body(request).await?;
        }
        let (mut asks, admission) = (request.asks(self), request.admission(self, position));
        self.trace_cost(request, &asks, &admission);
        // With too many requests in flight, refuse before waiting, not after.
        let slot = self.in_flight.take(1).map_err(Failure::InFlight)?;
        let observed = self.observer.as_ref().map(|observer| observer.split(&mut asks)).unwrap_or_default();
        if self.only_observes() || (!observed.is_empty() && asks.is_empty()) {
            let observed = if request.is_refused { Asks::new() } else { observed };
            return Ok(self.admit_observed(&observed, admission, slot));
        }
        let (permit, slot) = match self.admission.request(&asks, admission).map_err(Failure::refused)? {
            Turn::Now(permit) => (permit, slot),
            Turn::Queued(queued) => {
                drop(slot);
                let asked = Instant::now();
                if progress.waited_for.is_none() {
                    progress.waited_for = self.admission.waits_for(&[queued.ticket()]).pop().flatten();
                }
                let permit = Box::pin(self.wait(queued, request)).await?;
                progress.waited += asked.elapsed();
                (permit, self.in_flight.overdraw(1))
            }
        };
        let position = (!asks.is_empty()).then_some(permit.again);
        // One that is sent again has its double already.
        let is_new = admission.position.is_none() && !observed.is_empty();
        let observed = is_new.then(|| self.observe(&observed, admission, false).1).flatten();
        Ok(Admitted { permit, slot, position, observed, is_observed: false })
    }

    /// Lets a request go at once whose pools are only observed.
    fn admit_observed(&self, observed: &Asks, admission: AdmissionRequest, slot: Held) -> Admitted {
        let (permit, observed) = self.observe(observed, admission, true);
        let permit = permit.unwrap_or_else(|| self.admission.free(admission));
        Admitted { permit, slot, position: None, observed, is_observed: true }
    }

    /// Reads the body before the request can queue, as what it asks of its pools depends on the body.
    pub(super) async fn read_body(&self, request: &mut ClientRequest) -> Result<(), Failure> {
        if request.body.whole().is_some() {
            return Ok(());
        }
        if let Some(read) = self.fill(request).now_or_never() {
            return read;
        }
        // Boxed, as is all that waits: most requests do not, and should not carry its size.
        let read = Box::pin(timeout(BODY_TIMEOUT, self.fill(request))).await;
        read.unwrap_or(Err(Failure::Upstream(Failed::Slow(BODY_TIMEOUT))))
    }

    /// Reads a body that fits into the buffer, so that the request can be sent again. If it does not come soon, the request
    /// is sent as its body comes.
    async fn read_small_body(&self, request: &mut ClientRequest) -> Result<(), Failure> {
        let (body, buffer) = (&mut request.body, self.buffer);
        if !body.is_within(buffer) || !self.bodies.has_plenty() {
            return Ok(());
        }
        let read = match body.fill(buffer, &self.bodies).now_or_never() {
            Some(read) => read,
            None => Box::pin(timeout(READ_AHEAD_TIMEOUT, body.fill(buffer, &self.bodies))).await.unwrap_or(Ok(())),
        };
        match read {
            Err(Unfilled::Failed(failed)) => Err(Failure::Upstream(failed)),
            Ok(()) | Err(Unfilled::Exhausted(_)) => Ok(()),
        }
    }

    /// Reads as much of the body as the buffer takes.
    async fn fill(&self, request: &mut ClientRequest) -> Result<(), Failure> {
        request.body.fill(self.buffer, &self.bodies).await.map_err(|unfilled| match unfilled {
            Unfilled::Failed(failed) => Failure::Upstream(failed),
            Unfilled::Exhausted(exhausted) => Failure::Bodies(exhausted),
        })
    }

    /// Waits for the request's turn, unless its client leaves. The log mentions a long wait.
    async fn wait(&self, queued: PendingPermit, request: &mut ClientRequest) -> Result<Permit, Failure> {
        request.compact();
        let _queued = request.queued();
        let (method, route, arrived) = (method_name(request.head.method.as_str()), request.route(), request.arrived);
        let (client, ticket) = (request.client, queued.ticket());
        let _waiting = self.requests.waits(WaitingRequest { route, client, arrived, ticket });
        let mention = async {
            sleep(self.log_wait.saturating_sub(arrived.elapsed())).await;
            let (route, pools) = (&*self.routes.route(route).name, self.labels.pools(route));
            tracing::info!(method, route, pools, waited_ms = millis(arrived.elapsed()), "still waiting");
            pending::<Infallible>().await
        };
        tokio::select! {
            biased;
            turn = queued.turn() => turn.map_err(Failure::refused),
            left = self.client_leaves(request) => Err(left),
            never = mention => match never {},
        }
    }

    /// Resolves when the client leaves. hyper notices that only where nothing is unread of what the client has sent, so
    /// the body is read meanwhile, and the socket is watched: more may follow, or the body is larger than the buffer.
    async fn client_leaves(&self, request: &mut ClientRequest) -> Failure {
        if let Err(failure) = self.fill(request).await {
            return failure;
        }
        if request.head.version < Version::HTTP_2 || request.body.whole().is_none() {
            request.peer.socket.hung_up().await;
            return Failure::Left;
        }
        pending().await
    }

    /// Tells the access log and the trace what the request asks of its pools.
    fn trace_cost(&self, request: &ClientRequest, asks: &[Ask], admission: &AdmissionRequest) {
        let Some(trace) = &request.trace else { return };
        let counts_tokens = |ask: &&Ask| self.pools[ask.pool.0].limits.unit == Unit::Tokens;
        trace.set_cost(RequestedCost {
            model: asks.iter().find_map(|ask| self.model(ask)).map(Into::into),
            tokens: asks.iter().filter(counts_tokens).filter_map(|ask| ask.cost).max(),
            priority: Some(priority_name(admission.priority)),
        });
    }

    /// The model, if the pool has an instance for each model.
    fn model<'a>(&self, ask: &'a Ask) -> Option<&'a str> {
        let is_model = |part: &KeyPart| *part == KeyPart::Body("model".into());
        let at = self.pools[ask.pool.0].key.iter().position(is_model)?;
        let model = ask.key.as_deref()?.split(' ').nth(at)?;
        (model != "-" && model != "?").then_some(model)
    }
}

fn priority_name(priority: Priority) -> &'static str {
    match priority {
        Priority::High => "high",
        Priority::Normal => "normal",
        Priority::Low => "low",
    }
}
