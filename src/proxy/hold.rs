use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use tower::Service;

use super::Gate;
use super::failure::Failure;
use super::keepalive::Answered;
use super::passing::Routed;
use super::polling::Poll;
use super::sharing::Shareable;

/// A poll that may be kept for a while.
pub(super) struct Held<'p> {
    /// The request, to be made again.
    pub(super) routed: &'p Routed,
    pub(super) asked: &'p Shareable,
    pub(super) poll: &'p Poll,
}

/// For how long at most: less than the 5 s after which many a client gives up.
const LONGEST: Duration = Duration::from_secs(4);

/// How often it is looked for a change at most.
const OFTEN: Duration = Duration::from_millis(500);

impl Gate {
    /// Keeps one who would be told what he knows until there is something else to tell, or it has been long enough.
    pub(super) async fn hold<Inner>(&self, inner: &mut Inner, held: Held<'_>, mut answered: Answered) -> Answered
    where
        Inner: Service<Routed, Response = Answered, Error = Failure, Future: Send + 'static>,
    {
        if held.poll.knows(&answered) {
            held.asked.shares.held.add();
            let began = Instant::now();
            answered = self.keep(inner, &held, answered, began).await;
            answered.waits_since(began);
        }
        if let Answered::Shared(shared) = &answered {
            let status = shared.whole.status().filter(|status| status.is_to_change());
            self.shared.sharing.polls().tell(&held.asked.key, status.cloned());
        }
        answered
    }

    /// If asking again fails he has what there was. Dropped at any time, the others go on.
    async fn keep<Inner>(
        &self,
        inner: &mut Inner,
        Held { routed, asked, poll }: &Held<'_>,
        mut answered: Answered,
        began: Instant,
    ) -> Answered
    where
        Inner: Service<Routed, Response = Answered, Error = Failure, Future: Send + 'static>,
    {
        let patience = self.applicant(routed).patience.unwrap_or(Duration::MAX);
        let (every, until) = (poll.every.max(asked.shares.how.reuse).max(OFTEN), began + LONGEST.min(patience / 2));
        while poll.knows(&answered) && Instant::now() + every <= until {
            sleep(every).await;
            let Ok(Ok(next)) = timeout_at(until, self.once(inner, routed.again(), asked, poll)).await else { break };
            answered = next;
        }
        answered
    }
}

impl Answered {
    fn waits_since(&mut self, since: Instant) {
        match self {
            Self::Passed(passed) => passed.tries.waits_since(since),
            Self::Shared(shared) => shared.tries.waits_since(since),
            Self::Kept(_) => {}
        }
    }
}

impl Poll {
    /// Whether it says nothing new, and something new is to come.
    fn knows(&self, answered: &Answered) -> bool {
        let Answered::Shared(shared) = answered else { return false };
        shared.whole.status().is_some_and(|status| status.is_to_change() && self.told.as_ref() == Some(status))
    }
}
