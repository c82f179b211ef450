use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::Gate;
use super::failure::{Cause, Failure};
use super::keepalive::Answered;
use super::passing::{Passed, Tries};
use super::sharing::{Calls, Shareable};
use super::whole::{Shared, Way, Whole};
use crate::coalesce::{Key, Ticket};
use crate::log::Story;
use crate::upstream::{Budget, Failed};

/// A call that several want. It ends with the last of them.
pub(super) struct Flight {
    pub(super) landed: watch::Receiver<Option<Landed>>,
    /// Whether it waits for its turn.
    pub(super) waiting: watch::Receiver<bool>,
    pub(super) task: OnceLock<AbortOnDropHandle<()>>,
}

/// What has come of a call, for those who joined it.
#[derive(Clone)]
pub(super) enum Landed {
    Whole(Arc<Whole>),
    Failed(Failed, Tries),
    /// It was refused for what its own client is or said, so that another one goes.
    Refused,
    /// It is for one only, so that everybody makes a call of his own.
    Unshared,
}

/// A call that is on the board and has not gone yet.
pub(super) struct Begun {
    pub(super) flight: Arc<Flight>,
    pub(super) tells_waiting: watch::Sender<bool>,
    pub(super) call: Call,
    pub(super) answer: oneshot::Receiver<Result<Answered, Failure>>,
}

/// A call on its way, a task of its own.
pub(super) struct Call {
    on_board: OnBoard,
    key: Key,
    reuse: Duration,
    /// The one whose request goes.
    own: oneshot::Sender<Result<Answered, Failure>>,
    /// The others.
    tells: watch::Sender<Option<Landed>>,
}

/// What is on the board until it is dropped.
struct OnBoard {
    gate: Gate,
    ticket: Ticket,
}

impl Begun {
    pub(super) fn new(gate: &Gate, board: &mut Calls, asked: &Shareable) -> Self {
        let (own, answer) = oneshot::channel();
        let (tells_waiting, waiting) = watch::channel(true);
        let (tells, landed) = watch::channel(None);
        let flight = Arc::new(Flight { landed, waiting, task: OnceLock::new() });
        let ticket = board.begin(&asked.resource, &asked.key, &flight);
        let on_board = OnBoard { gate: gate.clone(), ticket };
        let call = Call { on_board, key: asked.key, reuse: asked.shares.how.reuse, own, tells };
        Self { flight, tells_waiting, call, answer }
    }
}

impl Call {
    /// Begins after so long. Aborted at any time, it leaves nothing.
    pub(super) async fn fly(
        self,
        wait: Duration,
        story: Option<Arc<Story>>,
        answering: impl Future<Output = Result<Answered, Failure>>,
    ) {
        let Self { on_board, key, reuse, own: first, tells } = self;
        let gate = on_board.gate.clone();
        if !wait.is_zero() {
            let _waits = story.as_ref().map(Story::waits);
            sleep(wait).await;
        }
        let before = gate.shared.sharing.polls().call(Instant::now().into_std(), key);
        let (landed, own) = match answering.await {
            Ok(Answered::Passed(passed)) => read(passed, &on_board.gate.shared.bodies).await,
            Ok(other) => (Landed::Unshared, Ok(other)),
            Err(Failure { cause: Cause::Upstream(failed), tries }) => {
                (Landed::Failed(failed.clone(), tries), Err(Failure { cause: Cause::Upstream(failed), tries }))
            }
            Err(failure) => {
                gate.shared.sharing.polls().refused(key, before);
                (Landed::Refused, Err(failure))
            }
        };
        on_board.land(&landed, reuse);
        tells.send_replace(Some(landed));
        drop(first.send(own));
    }
}

/// An answer for those who joined, and for the one whose request went.
async fn read(passed: Passed, budget: &Budget) -> (Landed, Result<Answered, Failure>) {
    match Whole::read(passed, budget).await {
        Ok(whole) => {
            let whole = Arc::new(whole);
            let shared = Shared { whole: Arc::clone(&whole), way: Way::Own, tries: whole.tries, poll_after: None };
            (Landed::Whole(whole), Ok(Answered::Shared(shared)))
        }
        Err(passed) => (Landed::Unshared, Ok(Answered::Passed(passed))),
    }
}

impl OnBoard {
    /// From now on nobody joins; an answer that lasts serves for a while, where there is plenty of room.
    fn land(self, landed: &Landed, reuse: Duration) {
        let Landed::Whole(whole) = landed else { return };
        if !whole.is_lasting() || reuse.is_zero() || !self.gate.shared.bodies.has_plenty() {
            return;
        }
        let (now, whole) = (Instant::now().into_std(), Arc::clone(whole));
        if self.gate.shared.sharing.board().land(now, &self.ticket, whole) {
            tokio::spawn(async move {
                sleep(reuse).await;
                drop(self);
            });
        }
    }
}

impl Drop for OnBoard {
    fn drop(&mut self) {
        self.gate.shared.sharing.board().forget(&self.ticket);
    }
}
