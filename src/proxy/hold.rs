use std::time::Duration;

use tokio::time::{Instant, sleep};
use tower::Service;

use super::Gate;
use super::failure::Failure;
use super::keepalive::Answered;
use super::passing::Routed;
use super::polling::Poll;
use super::sharing::Shareable;
use crate::client::MAX_WAIT;
use crate::log::Story;

/// A poll that may be kept for a while.
pub(super) struct Held<'p> {
    /// The request, to be made again.
    pub(super) routed: &'p Routed,
    pub(super) asked: &'p Shareable,
    pub(super) poll: &'p Poll,
}

/// For how long at most, from when it came: less than the 5 s after which many a client gives up. A guess.
const LONGEST: Duration = Duration::from_secs(4);

/// How often it is looked for a change at most. A guess: as often as loops written by hand ask (docs/upstream.md §5.3).
const OFTEN: Duration = Duration::from_millis(500);

impl Gate {
    /// Keeps one who would be told what he knows until there is something else to tell, or it has been long enough.
    pub(super) async fn hold<Inner>(&self, inner: &mut Inner, held: Held<'_>, mut answered: Answered) -> Answered
    where
        Inner: Service<Routed, Response = Answered, Error = Failure, Future: Send + 'static>,
    {
        if held.poll.knows(&answered) {
            held.asked.shares.held.add();
            answered = self.keep(inner, &held, answered).await;
        }
        if let Answered::Shared(shared) = &answered {
            let status = shared.whole.status().filter(|status| status.is_to_change());
            self.shared.sharing.polls().tell(held.asked.key, status.cloned());
        }
        answered
    }

    /// If asking again fails he has what there was. Dropped at any time, the others go on.
    async fn keep<Inner>(&self, inner: &mut Inner, held: &Held<'_>, mut answered: Answered) -> Answered
    where
        Inner: Service<Routed, Response = Answered, Error = Failure, Future: Send + 'static>,
    {
        let Held { routed, asked, poll } = held;
        let (every, until) = (poll.every.max(asked.shares.how.reuse).max(OFTEN), self.holds_until(routed));
        let (began, before) = (Instant::now(), answered.waited());
        while poll.knows(&answered) && Instant::now() + every <= until {
            self.rest(routed, every).await;
            let (held, next) = (before + began.elapsed(), self.once(inner, routed.until(until), asked, poll).await);
            let Ok(mut next) = next else {
                answered.waits(before + began.elapsed());
                break;
            };
            next.waits(held + next.waited());
            answered = next;
        }
        answered
    }

    /// When the last call must have its turn, so that its answer comes in time; half of what a client can bear is enough.
    fn holds_until(&self, routed: &Routed) -> Instant {
        let usual = self.shared.typical_latency.of(routed.route.found.route());
        let patience = self.applicant(routed).patience.map_or(LONGEST, |patience| patience / 2);
        (routed.arrived.came + LONGEST.saturating_sub(usual)).min(Instant::now() + patience)
    }

    async fn rest(&self, routed: &Routed, time: Duration) {
        let _waits = routed.arrived.story.as_ref().map(Story::waits);
        sleep(time).await;
    }
}

impl Routed {
    /// The same once more, with patience for its turn until then.
    fn until(&self, until: Instant) -> Self {
        let mut again = self.again();
        let patience = format!("{:.3}", until.saturating_duration_since(self.arrived.came).as_secs_f64());
        again.arrived.head.headers.insert(MAX_WAIT, patience.parse().expect("digits"));
        again
    }
}

impl Answered {
    fn waited(&self) -> Duration {
        match self {
            Self::Passed(passed) => passed.tries.waited,
            Self::Shared(shared) => shared.tries.waited,
            Self::Kept(_) => Duration::ZERO,
        }
    }

    fn waits(&mut self, waited: Duration) {
        match self {
            Self::Passed(passed) => passed.tries.waited = waited,
            Self::Shared(shared) => shared.tries.waited = waited,
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
