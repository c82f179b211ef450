use std::convert::Infallible;
use std::future::pending;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use http::Method;
use tokio::time::{Instant, sleep, timeout};
use tower::{Service, ServiceExt};

use super::failure::{Cause, Failure};
use super::headers::come_from_another_site;
use super::line::millis;
use super::passing::{Arrived, Attempt, Attempting, Permitted, Routed, Tries};
use super::{Gate, Shared};
use crate::admission::{Permit, Refusal};
use crate::log::Story;
use crate::route::{RouteId, method_name};
use crate::upstream::{Failed, Held};

/// Waits for a place in every pool of the request's route.
#[derive(Clone)]
pub(super) struct Admit<Inner> {
    gate: Gate,
    inner: Inner,
}

impl<Inner> Admit<Inner> {
    pub(super) fn new(gate: Gate, inner: Inner) -> Self {
        Self { gate, inner }
    }
}

impl<Inner> Service<Routed> for Admit<Inner>
where
    Inner: Service<Permitted, Response = Attempt, Error = Failure, Future = Attempting> + Clone + Send + 'static,
{
    type Response = Attempt;
    type Error = Failure;
    type Future = Attempting;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut routed: Routed) -> Attempting {
        let (gate, inner) = (self.gate.clone(), self.inner.clone());
        Box::pin(async move {
            match gate.admit(&mut routed).await {
                Ok((permit, held)) => inner.oneshot(Permitted { routed, permit, held }).await,
                Err(cause) => {
                    let tries = Tries { waited: routed.arrived.came.elapsed(), ..routed.tries };
                    Err(routed.arrived.refuse(cause, tries).await)
                }
            }
        })
    }
}

/// How long a body may take of which something must be known first: as long as requests usually may wait. A guess.
const COMES: Duration = Duration::from_mins(2);

/// How long a body may take that is read only so that it can be sent again. A guess: longer than a body on the way
/// already, shorter than anybody minds.
const COMES_SOON: Duration = Duration::from_secs(1);

fn refused(refusal: Refusal) -> Cause {
    Cause::Refused(Box::new(refusal))
}

/// What one who waits is told.
type Verdict = Result<Permit, Refusal>;

impl Gate {
    /// Dropped while it waits, it leaves the queue; what was read of the body goes with the request.
    async fn admit(&self, routed: &mut Routed) -> Result<(Permit, Held), Cause> {
        if routed.arrived.head.method == Method::CONNECT {
            return Err(Cause::Connect);
        }
        if self.shared.upstream.adds_key() && come_from_another_site(&routed.arrived.head.headers) {
            return Err(Cause::CrossSite);
        }
        if self.reads_body(routed) {
            self.read_body_first(routed).await?;
        } else {
            self.keep_body(routed).await?;
        }
        let (asks, asked, applicant) = (self.asks(routed), Instant::now(), self.applicant(routed));
        self.tell_asked(routed, &asks, &applicant);
        let mut turn = pin!(self.shared.admission.acquire(&asks, applicant));
        // Who finds too many under way is refused here and now, and not after he has waited.
        let held = self.shared.under_way.take(1).map_err(Cause::UnderWay)?;
        let (permit, held) = if let Some(at_once) = turn.as_mut().now_or_never() {
            (at_once.map_err(refused)?, held)
        } else {
            drop(held);
            let permit = self.wait(turn, routed).await?;
            routed.tries.waited += asked.elapsed();
            (permit, self.shared.under_way.overdraw(1))
        };
        routed.place = (!asks.is_empty()).then_some(permit.again);
        Ok((permit, held))
    }

    /// Reads a body that can be kept, so that its request can be sent again; if it does not come soon it goes as it comes.
    async fn keep_body(&self, Routed { arrived, .. }: &mut Routed) -> Result<(), Cause> {
        let Shared { buffer, bodies, .. } = &*self.shared;
        let body = &mut arrived.body;
        if !body.is_within(*buffer) || !bodies.has_plenty() || body.reserve(*buffer, bodies).is_err() {
            return Ok(());
        }
        timeout(COMES_SOON, body.fill(*buffer)).await.unwrap_or(Ok(())).map_err(Cause::Upstream)
    }

    /// Reads the body before the request asks for its turn, as what it asks depends on it; in some time or never.
    pub(super) async fn read_body_first(&self, routed: &mut Routed) -> Result<(), Cause> {
        let read = timeout(COMES, self.read_body(routed)).await;
        read.unwrap_or(Err(Cause::Upstream(Failed::Slow(COMES))))
    }

    /// Reads as much of the body as may be kept, having taken room for it.
    async fn read_body(&self, Routed { arrived, .. }: &mut Routed) -> Result<(), Cause> {
        arrived.body.reserve(self.shared.buffer, &self.shared.bodies).map_err(Cause::Bodies)?;
        arrived.body.fill(self.shared.buffer).await.map_err(Cause::Upstream)
    }

    /// Waits for its turn, unless the client leaves. Once it is long, the log says so.
    async fn wait(&self, turn: Pin<&mut impl Future<Output = Verdict>>, routed: &mut Routed) -> Result<Permit, Cause> {
        routed.compact();
        let _waits = routed.arrived.story.as_ref().map(Story::waits);
        let (method, route, came) =
            (routed.arrived.head.method.clone(), routed.route.found.route(), routed.arrived.came);
        tokio::select! {
            biased;
            verdict = turn => verdict.map_err(refused),
            left = self.leaves(routed) => Err(left),
            never = self.say_when_long(method, route, came) => match never {},
        }
    }

    /// While it waits its body is read: hyper sees that a client leaves once nothing of it is left unread, and of one
    /// whose body is larger than that the socket is watched.
    async fn leaves(&self, routed: &mut Routed) -> Cause {
        if let Err(cause) = self.read_body(routed).await {
            return cause;
        }
        let Arrived { body, client, .. } = &*routed.arrived;
        if body.whole().is_none() {
            client.socket.hung_up().await;
            return Cause::Upstream(Failed::Body);
        }
        pending().await
    }

    /// Says in the log that a request has waited for long, while it still does.
    async fn say_when_long(&self, method: Method, route: RouteId, came: Instant) -> Infallible {
        sleep(self.shared.log_wait.saturating_sub(came.elapsed())).await;
        let (name, pools) = (&*self.shared.routes.route(route).name, self.shared.labels.pools(route));
        let waited_ms = millis(came.elapsed());
        let method = method_name(method.as_str());
        tracing::info!(method, route = name, pools, waited_ms, "still waiting");
        pending().await
    }
}
