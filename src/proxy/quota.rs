use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either};
use tower::Service;

use super::Gate;
use super::failure::{Cause, Failure};
use super::passing::{Routed, Tries};

/// Refuses a client that sends more than it may.
#[derive(Clone)]
pub(super) struct CheckQuota<Inner> {
    gate: Gate,
    inner: Inner,
}

impl<Inner> CheckQuota<Inner> {
    pub(super) fn new(gate: Gate, inner: Inner) -> Self {
        Self { gate, inner }
    }
}

impl<Inner> Service<Routed> for CheckQuota<Inner>
where
    Inner: Service<Routed, Response: 'static, Error = Failure, Future: Send + 'static>,
{
    type Response = Inner::Response;
    type Error = Failure;
    type Future = Either<Inner::Future, BoxFuture<'static, Result<Inner::Response, Failure>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, routed: Routed) -> Self::Future {
        let checked = self.gate.shared.quota.as_ref().map(|quota| (quota.rate(), quota.check(routed.who)));
        match checked {
            Some((rate, Err(retry_after))) => {
                let cause = Cause::ClientQuota { rate, retry_after };
                Either::Right(routed.arrived.refuse(cause, Tries::default()).map(Err).boxed())
            }
            _ => Either::Left(self.inner.call(routed)),
        }
    }
}
