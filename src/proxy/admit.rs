use std::pin::pin;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::{Either, select};
use http::Method;
use tokio::time::Instant;
use tower::{Service, ServiceExt};

use super::Gate;
use super::failure::{Cause, Failure};
use super::headers::come_from_another_site;
use super::passing::{Arrived, Passed, Passing, Permitted, Routed};
use crate::admission::{Applicant, Permit};
use crate::upstream::Failed;

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
    Inner: Service<Permitted, Response = Passed, Error = Failure, Future = Passing> + Clone + Send + 'static,
{
    type Response = Passed;
    type Error = Failure;
    type Future = Passing;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut routed: Routed) -> Passing {
        let (gate, inner) = (self.gate.clone(), self.inner.clone());
        Box::pin(async move {
            let came = Instant::now();
            match gate.admit(&mut routed).await {
                Ok(permit) => inner.oneshot(Permitted { routed, permit }).await,
                Err(cause) => Err(routed.arrived.refuse(cause, came.elapsed()).await),
            }
        })
    }
}

impl Gate {
    /// Dropped while it waits, it leaves the queue; what was read of the body goes with the request.
    async fn admit(&self, routed: &mut Routed) -> Result<Permit, Cause> {
        if routed.arrived.head.method == Method::CONNECT {
            return Err(Cause::Connect);
        }
        if self.shared.upstream.adds_key() && come_from_another_site(&routed.arrived.head.headers) {
            return Err(Cause::CrossSite);
        }
        let broke_off = |_| Cause::Upstream(Failed::Body);
        if self.reads_body(routed) {
            routed.arrived.body.fill(self.shared.buffer).await.map_err(broke_off)?;
        }
        let asks = self.asks(routed);
        let mut turn = pin!(self.shared.admission.acquire(&asks, Applicant::default()));
        if let Some(at_once) = turn.as_mut().now_or_never() {
            return at_once.map_err(Cause::Refused);
        }
        routed.compact();
        let Arrived { body, client, .. } = &mut *routed.arrived;
        // While it waits its body is read: hyper sees that a client leaves once nothing of it is left unread, and of one
        // whose body is larger than that the socket is watched.
        let leaves = async {
            body.fill(self.shared.buffer).await.map_err(broke_off)?;
            if body.whole().is_none() {
                client.socket.hung_up().await;
                return Err(Cause::Upstream(Failed::Body));
            }
            Ok(())
        };
        let permit = match select(turn, pin!(leaves)).await {
            Either::Left((permit, _)) => permit,
            Either::Right((left, turn)) => {
                left?;
                turn.await
            }
        };
        permit.map_err(Cause::Refused)
    }
}
