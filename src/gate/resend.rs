use std::time::Duration;

use tokio::time::Instant;

use super::exchange::Exchange;
use super::failure::Failure;
use super::forward::Forwarded;
use super::headers::{has_retry_after, set_retry_after, set_should_retry};
use super::progress::Progress;
use super::request::ClientRequest;
use super::state::Gate;
use crate::hints::{RefusalCause, forbids_retry};

impl Gate {
    /// Sends a request, and sends it again after a refusal as long as waiting helps: it goes back to its place in the queue
    /// and waits there until its pools allow it.
    ///
    /// Dropped at any time, it leaves nothing behind: a refused request is no longer in flight when it queues again.
    pub(super) async fn attempt(
        &self,
        request: &mut ClientRequest,
        progress: &mut Progress,
    ) -> Result<Exchange, Failure> {
        let (mut position, mut refused, mut queued) = (None, None, request.arrived);
        loop {
            let admitted = match self.admit(request, position, progress).await {
                Ok(admitted) => admitted,
                Err(failure) => return self.end_unsent(request, failure, refused, queued, progress).await,
            };
            position = admitted.position;
            let is_observed = admitted.is_observed;
            let Forwarded { mut exchange, can_resend } = self.forward(request, admitted, progress).await?;
            if is_observed {
                // More was sent than the scheduler thinks, so a refusal teaches it nothing.
                return Ok(exchange);
            }
            let Some(refusal) = exchange.classify_refusal(&self.meanings).await else { return Ok(exchange) };
            let helps = waiting_helps(refusal.cause) && !forbids_retry(exchange.response.headers());
            if !helps || !can_resend {
                exchange.pass_on(helps);
                return Ok(exchange);
            }
            exchange.release();
            progress.is_queued(true);
            (refused, queued) = (Some(exchange), Instant::now());
        }
    }

    /// The request is not sent. If the upstream refused it before, the upstream has the last word, and the gate adds when
    /// to come back.
    async fn end_unsent(
        &self,
        request: &mut ClientRequest,
        failure: Failure,
        refused: Option<Exchange>,
        queued: Instant,
        progress: &mut Progress,
    ) -> Result<Exchange, Failure> {
        let Some(mut exchange) = refused else {
            progress.waited = request.arrived.elapsed();
            return Err(Box::pin(request.reject(failure)).await);
        };
        progress.waited_since(queued);
        let error = failure.response(&self.shown_pools());
        let headers = exchange.response.headers_mut();
        if let (Some(wait), false) = (error.retry_after, has_retry_after(headers)) {
            set_retry_after(headers, wait);
        }
        set_should_retry(headers, !error.is_hopeless);
        Ok(exchange)
    }
}

impl Exchange {
    /// The refusal of a request that cannot be sent again. A client that is not told when to come back gets a time of its
    /// own.
    fn pass_on(&mut self, waiting_helps: bool) {
        let headers = self.response.headers_mut();
        if forbids_retry(headers) {
            return;
        }
        if waiting_helps && !has_retry_after(headers) {
            set_retry_after(headers, Duration::from_millis(fastrand::u64(1_000..=10_000)));
        }
        set_should_retry(headers, waiting_helps);
    }
}

fn waiting_helps(cause: RefusalCause) -> bool {
    match cause {
        RefusalCause::Limit | RefusalCause::Ramp | RefusalCause::Overload => true,
        RefusalCause::TooLarge | RefusalCause::Billing => false,
    }
}
