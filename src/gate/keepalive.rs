use std::future::pending;
use std::time::Duration;

use http::Method;
use http::header::{ACCEPT_ENCODING, HeaderValue};
use tokio::sync::watch;
use tokio::time::sleep;

use super::answer::Answer;
use super::early::{EarlyResponse, PendingExchange};
use super::failure::Failure;
use super::progress::Progress;
use super::request::ClientRequest;
use super::state::Gate;
use super::write::WriteGuard;
use crate::route::Body;

impl Gate {
    /// How often an event stream sends a comment while this request waits, if its route asks for that.
    pub(super) fn keepalive_of(&self, request: &ClientRequest) -> Option<Duration> {
        self.routes.route(request.route()).keepalive.filter(|_| request.head.method == Method::POST)
    }

    /// Sends a request; if it asks for an event stream and waits in the queue for longer than `every`, its response begins.
    pub(super) async fn keep_alive(
        &self,
        mut request: Box<ClientRequest>,
        every: Duration,
        write: Option<WriteGuard>,
        progress: &mut Progress,
    ) -> Result<Answer, Failure> {
        if let Err(failure) = self.read_body(&mut request).await {
            progress.waited = request.arrived.elapsed();
            return Err(request.reject(failure).await);
        }
        if !request.body.whole().is_some_and(asks_for_event_stream) {
            return self.attempt(&mut request, progress).await.map(Answer::Upstream);
        }
        // The head that would name a coding may be sent before the upstream chooses one.
        request.head.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let (arrived, (reports, queued)) = (request.arrived, watch::channel(true));
        let gate = self.clone();
        let mut call: PendingExchange = Box::pin(async move {
            let _write = write;
            let mut progress = Progress::reporting(reports);
            let answer = gate.attempt(&mut request, &mut progress).await;
            (answer, progress)
        });
        tokio::select! {
            biased;
            (answer, called) = &mut call => {
                progress.take_over(&called);
                answer.map(Answer::Upstream)
            }
            () = is_queued_after(every, queued) => Ok(Answer::Early(EarlyResponse::begin(call, arrived, every))),
        }
    }
}

/// Resolves once this time is over and the request is in the queue: once it is sent, its response has the upstream's head.
async fn is_queued_after(time: Duration, mut queued: watch::Receiver<bool>) {
    sleep(time).await;
    if queued.wait_for(|is_queued| *is_queued).await.is_err() {
        pending::<()>().await;
    }
}

/// As lenient as upstreams are.
fn asks_for_event_stream(body: &[u8]) -> bool {
    Body::read(body, None).is_some_and(|body| body.streams())
}
