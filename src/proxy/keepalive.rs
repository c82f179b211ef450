use std::future::pending;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, Map};
use http::Method;
use http::header::{ACCEPT_ENCODING, HeaderValue};
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep};
use tokio_util::task::AbortOnDropHandle;
use tower::Service;

use super::Gate;
use super::ending::{Ending, ending};
use super::failure::Failure;
use super::passing::{Passed, Passing, Routed, Tries};
use super::whole::Shared;

/// What comes back: an answer of the upstream, one that others have as well, or the gate's own promise of one.
pub(super) enum Answered {
    Passed(Passed),
    Kept(Kept),
    Shared(Shared),
}

type Straight = Map<Passing, fn(Result<Passed, Failure>) -> Result<Answered, Failure>>;
type Answering = BoxFuture<'static, Result<Answered, Failure>>;

/// Keeps the connections of clients alive that wait long for a stream of events, on the routes that ask for it.
#[derive(Clone)]
pub(super) struct KeepAlive<Inner> {
    gate: Gate,
    inner: Inner,
}

impl<Inner> KeepAlive<Inner> {
    pub(super) fn new(gate: Gate, inner: Inner) -> Self {
        Self { gate, inner }
    }
}

impl<Inner> Service<Routed> for KeepAlive<Inner>
where
    Inner: Service<Routed, Response = Passed, Error = Failure, Future = Passing> + Clone + Send + 'static,
{
    type Response = Answered;
    type Error = Failure;
    type Future = Either<Straight, Answering>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut routed: Routed) -> Self::Future {
        let every = self.gate.shared.keepalive.get(&routed.route.found.route()).copied();
        let Some(every) = every.filter(|_| routed.arrived.head.method == Method::POST) else {
            return Either::Left(self.inner.call(routed).map(|passed| passed.map(Answered::Passed)));
        };
        let (gate, mut inner) = (self.gate.clone(), self.inner.clone());
        Either::Right(Box::pin(async move {
            if let Err(cause) = gate.read_body_first(&mut routed).await {
                let tries = Tries { waited: routed.arrived.came.elapsed(), ..Tries::default() };
                return Err(routed.arrived.refuse(cause, tries).await);
            }
            if !routed.arrived.body.whole().is_some_and(asks_for_events) {
                return inner.call(routed).await.map(Answered::Passed);
            }
            // The head that would tell of a coding may have gone by then.
            routed.arrived.head.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            let (tells, waiting) = watch::channel(true);
            routed.arrived.waiting = Some(tells);
            let came = routed.arrived.came;
            wait(inner.call(routed), waiting, came, every).await
        }))
    }
}

/// Waits for the answer without a word for so long, and for as long as it is with the upstream, whose head it is to get.
/// What the upstream refuses waits for its turn once more; then nothing has been promised, and it is answered before it.
async fn wait(
    mut passing: Passing,
    waiting: watch::Receiver<bool>,
    came: Instant,
    every: Duration,
) -> Result<Answered, Failure> {
    tokio::select! {
        biased;
        passed = &mut passing => passed.map(Answered::Passed),
        () = waits_long(waiting, every) => Ok(Answered::Kept(Kept::new(passing, came, every))),
    }
}

/// Comes to its end when a request waits that has not been heard of for so long. Of one that is gone nobody hears more.
async fn waits_long(mut waiting: watch::Receiver<bool>, every: Duration) {
    sleep(every).await;
    if waiting.wait_for(|waits| *waits).await.is_err() {
        pending::<()>().await;
    }
}

/// Whether a body is JSON that asks for a stream.
fn asks_for_events(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Asked {
        stream: Option<bool>,
    }
    serde_json::from_slice::<Asked>(body).is_ok_and(|asked| asked.stream == Some(true))
}

/// A request that still waits while its client is already being answered. Dropped, it leaves the queue.
pub(super) struct Kept {
    /// A task of its own: it must go on while the client does not read.
    ending: AbortOnDropHandle<Ending>,
    beat: Interval,
    came: Instant,
}

/// What becomes of it next.
pub(super) enum Next {
    /// A comment that says it is still there.
    Comment(Bytes),
    /// Its answer.
    Ending(Ending),
}

impl Kept {
    fn new(passing: Passing, came: Instant, every: Duration) -> Self {
        let mut beat = interval(every);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { ending: AbortOnDropHandle::new(tokio::spawn(ending(passing))), beat, came }
    }

    /// How long it has waited so far.
    pub(super) fn waited(&self) -> Duration {
        self.came.elapsed()
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        if let Poll::Ready(ending) = Pin::new(&mut self.ending).poll(cx) {
            // No step above it can see a panic any more.
            return Poll::Ready(Next::Ending(ending.unwrap_or_else(|_| Ending::Failure(Failure::panicked()))));
        }
        self.beat.poll_tick(cx).map(|_| Next::Comment(self.comment()))
    }

    fn comment(&self) -> Bytes {
        format!(": tidegate waits, {} ms so far\n\n", self.waited().as_millis()).into()
    }
}
