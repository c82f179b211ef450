use std::future::pending;
use std::sync::Arc;
use std::task::{self, Context};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either};
use http::Method;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;
use tower::Service;

use super::Gate;
use super::failure::{Cause, Failure};
use super::flight::{Begun, Flight, Landed};
use super::hold::Held;
use super::keepalive::Answered;
use super::passing::{Routed, Tries};
use super::polling::Poll;
use super::sharing::Shareable;
use super::whole::{Shared, Way, Whole};
use crate::coalesce::Found;
use crate::log::Story;
use crate::upstream::Failed;

type Answering = BoxFuture<'static, Result<Answered, Failure>>;

/// Lets identical GETs share one call, on the routes that ask for it.
#[derive(Clone)]
pub(super) struct Coalesce<Inner> {
    gate: Gate,
    inner: Inner,
}

impl<Inner> Coalesce<Inner> {
    pub(super) fn new(gate: Gate, inner: Inner) -> Self {
        Self { gate, inner }
    }

    /// What comes before a write serves nobody who comes once that is under way.
    fn writes(&self, routed: &Routed) -> Option<Wrote> {
        let (sharing, path) = (&self.gate.shared.sharing, routed.route.target.path());
        sharing.may_end_by(&routed.arrived.head.method).then(|| {
            sharing.wrote(path);
            Wrote { gate: self.gate.clone(), path: path.into() }
        })
    }
}

impl<Inner> Service<Routed> for Coalesce<Inner>
where
    Inner: Service<Routed, Response = Answered, Error = Failure, Future: Send + 'static> + Clone + Send + 'static,
{
    type Response = Answered;
    type Error = Failure;
    type Future = Either<Inner::Future, Answering>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> task::Poll<Result<(), Failure>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut routed: Routed) -> Self::Future {
        let sharing = &self.gate.shared.sharing;
        let is_get = routed.arrived.head.method == Method::GET;
        if let Some(shares) = sharing.of(routed.route.found.route()).filter(|_| is_get) {
            let Some(asked) = Shareable::of(&routed, shares) else {
                shares.asked.add();
                shares.calls.add();
                return Either::Left(self.inner.call(routed));
            };
            let (gate, inner) = (self.gate.clone(), self.inner.clone());
            return Either::Right(async move { gate.share(inner, routed, asked).await }.boxed());
        }
        routed.arrived.wrote = self.writes(&routed);
        Either::Left(self.inner.call(routed))
    }
}

/// A write that is under way, until the head of its answer is there. However it ends, it may have gone through.
pub(super) struct Wrote {
    gate: Gate,
    path: Box<str>,
}

impl Drop for Wrote {
    fn drop(&mut self) {
        self.gate.shared.sharing.wrote(&self.path);
    }
}

/// How a request has its answer.
enum Role {
    First(First),
    Sharer(Arc<Flight>, Routed),
    /// With what he has waited so far.
    Late(Arc<Whole>, Duration),
    Alone(Routed),
}

/// What the board says to one who comes.
enum Place {
    Found(Found<Flight, Arc<Whole>>),
    Begun(Begun),
}

/// Whose request goes. He alone has what cannot be shared.
struct First {
    answer: oneshot::Receiver<Result<Answered, Failure>>,
    _flight: Arc<Flight>,
}

impl Gate {
    /// Dropped at any time, the call goes on for those who share it.
    async fn share<Inner>(&self, mut inner: Inner, routed: Routed, asked: Shareable) -> Result<Answered, Failure>
    where
        Inner: Service<Routed, Response = Answered, Error = Failure, Future: Send + 'static>,
    {
        let shares = &asked.shares;
        shares.asked.add();
        let poll = self.poll(&routed, &asked);
        let again = shares.how.hold.then(|| routed.again());
        let mut answered = self.once(&mut inner, routed, &asked, &poll).await?;
        if let Some(again) = again {
            answered = self.hold(&mut inner, Held { routed: &again, asked: &asked, poll: &poll }, answered).await;
        }
        if let Answered::Shared(Shared { way, .. }) = &answered {
            shares.count(*way);
        }
        self.note(&asked, &answered);
        poll.say(&mut answered);
        Ok(answered)
    }

    /// One answer, its own or another's.
    pub(super) async fn once<Inner>(
        &self,
        inner: &mut Inner,
        routed: Routed,
        asked: &Shareable,
        poll: &Poll,
    ) -> Result<Answered, Failure>
    where
        Inner: Service<Routed, Response = Answered, Error = Failure, Future: Send + 'static>,
    {
        let mut role = self.role(inner, routed, asked, poll);
        loop {
            let (flight, mut routed) = match role {
                Role::First(First { answer, .. }) => return answer.await.unwrap_or_else(|_| Err(Failure::panicked())),
                Role::Sharer(flight, routed) => (flight, routed),
                Role::Late(whole, waited) => return Ok(coalesced(whole, Way::Reused, waited)),
                Role::Alone(routed) => {
                    asked.shares.calls.add();
                    return inner.call(routed).await;
                }
            };
            let (joined, landed) = (Instant::now(), self.landed(&flight, &routed).await);
            let with = |tries: Tries| routed.tries.waited + joined.elapsed().min(tries.waited);
            match landed {
                Landed::Whole(whole) => return Ok(coalesced(Arc::clone(&whole), Way::Joined, with(whole.tries))),
                Landed::Failed(failed, tries) => return Err(failed_alike(failed, with(tries))),
                Landed::Refused | Landed::Unshared => {}
            }
            routed.tries.waited += joined.elapsed();
            role = match landed {
                Landed::Refused => self.role(inner, routed, asked, poll),
                _ => Role::Alone(routed),
            };
        }
    }

    /// Joins, reuses or begins.
    fn role<Inner>(&self, inner: &mut Inner, mut routed: Routed, asked: &Shareable, poll: &Poll) -> Role
    where
        Inner: Service<Routed, Response = Answered, Error = Failure, Future: Send + 'static>,
    {
        match self.find_or_begin(asked) {
            Some(Place::Found(Found::Flying(flight))) => {
                routed.compact();
                Role::Sharer(flight, routed)
            }
            Some(Place::Found(Found::Landed(whole))) => Role::Late(whole, routed.tries.waited),
            Some(Place::Begun(Begun { flight, tells_waiting, call, answer })) => {
                asked.shares.calls.add();
                let wait = self.pace(&routed, asked, poll);
                routed.tries.waited += wait;
                routed.arrived.waiting = Some(tells_waiting);
                let story = routed.arrived.story.clone();
                let task = tokio::spawn(call.fly(wait, story, inner.call(routed)));
                drop(flight.task.set(AbortOnDropHandle::new(task)));
                Role::First(First { answer, _flight: flight })
            }
            None => Role::Alone(routed),
        }
    }

    /// Which one is decided under one lock. Nothing where there is no room for another call.
    fn find_or_begin(&self, asked: &Shareable) -> Option<Place> {
        let mut board = self.shared.sharing.board();
        if let Some(found) = board.find(Instant::now().into_std(), &asked.resource, &asked.key, asked.shares.how.reuse)
        {
            return Some(Place::Found(found));
        }
        board.has_room().then(|| Place::Begun(Begun::new(self, &mut board, asked)))
    }

    /// What comes of a call that one has joined. While that still waits for its turn when his own patience is over, he
    /// asks for his own, and is told.
    async fn landed(&self, flight: &Flight, routed: &Routed) -> Landed {
        let patience = self.applicant(routed).patience;
        let _waits = routed.arrived.story.as_ref().map(Story::waits);
        let mut landed = flight.landed.clone();
        tokio::select! {
            biased;
            landed = landed.wait_for(Option::is_some) => {
                // Of a call that ends without a word nothing is known.
                landed.ok().and_then(|landed| landed.clone()).unwrap_or(Landed::Unshared)
            }
            () = waits_too_long(flight.waiting.clone(), patience) => Landed::Unshared,
        }
    }
}

/// Comes to its end when a call waits longer than this for its turn.
async fn waits_too_long(mut waiting: watch::Receiver<bool>, patience: Option<Duration>) {
    let Some(patience) = patience else { return pending().await };
    sleep(patience).await;
    if waiting.wait_for(|waits| *waits).await.is_err() {
        pending::<()>().await;
    }
}

/// As the one whose request went.
fn failed_alike(failed: Failed, waited: Duration) -> Failure {
    Failure { cause: Cause::Upstream(failed), tries: Tries { waited, ..Tries::default() } }
}

/// He waited for as long as the call did, or from when he came.
fn coalesced(whole: Arc<Whole>, way: Way, waited: Duration) -> Answered {
    Answered::Shared(Shared { whole, way, tries: Tries { waited, ..Tries::default() }, poll_after: None })
}
