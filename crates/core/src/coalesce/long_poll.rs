use std::time::{Duration, Instant};

use super::status::PolledStatus;

/// A request whose answer is held back until there is something new to tell, or it has been long enough.
///
/// ```
/// use std::time::{Duration, Instant};
/// use tidegate_core::coalesce::{Coalescer, LongPoll, Shareable, PolledStatus};
///
/// let run = Shareable::new("/v1/threads/t/runs/r", std::iter::empty()).expect("others may ask the same");
/// let mut coalescer = Coalescer::<u8, (), ()>::new(1_000);
/// let (came, ms) = (Instant::now(), Duration::from_millis);
/// let queued = PolledStatus::read(br#"{"status": "queued"}"#);
///
/// // No client knows anything of this run yet: the answer goes out at once.
/// let advice = coalescer.poll(came, &run, &[], None);
/// let deadline = LongPoll::deadline_for(came, came, ms(0), None);
/// assert!(advice.hold(queued.as_ref(), ms(0), deadline).is_none());
/// # use tidegate_core::coalesce::{Role, Terms};
/// # let Role::Lead { call, .. } = coalescer.ask(came, &run, Terms::default(), || ()) else { panic!() };
/// coalescer.complete(came, call, (), true, queued.as_ref());
///
/// // A client that asks again knows that it is queued. The gate looks every half second, for up to 4 s.
/// let advice = coalescer.poll(came, &run, &[], None);
/// let hold = advice.hold(queued.as_ref(), ms(0), deadline).expect("nothing is new");
/// assert_eq!(hold.next_look(came, queued.as_ref()), Some(came + ms(500)));
/// assert_eq!(hold.next_look(came + ms(3_501), queued.as_ref()), None);
/// let in_progress = PolledStatus::read(br#"{"status": "in_progress"}"#);
/// assert_eq!(hold.next_look(came + ms(500), in_progress.as_ref()), None);
/// ```
#[derive(Clone, Debug)]
pub struct LongPoll {
    known: PolledStatus,
    every: Duration,
    deadline: Instant,
}

/// For how long an answer is held at most, from when the request came: less than the 5 s after which many a client gives
/// up. A guess.
const LONGEST_HOLD: Duration = Duration::from_secs(4);

/// How often a held request looks for a change at most. A guess: as often as loops written by hand ask
/// (docs/upstream.md §5.3).
const SHORTEST_LOOK: Duration = Duration::from_millis(500);

impl LongPoll {
    pub(super) fn new(known: PolledStatus, every: Duration, deadline: Instant) -> Self {
        Self { known, every: every.max(SHORTEST_LOOK), deadline }
    }

    /// When the last call must have its turn, so that its answer comes in time: an answer usually takes the `usual` time,
    /// and half of the `patience` that a client has left is enough.
    #[must_use]
    pub fn deadline_for(now: Instant, came: Instant, usual: Duration, patience: Option<Duration>) -> Instant {
        let patience = patience.map_or(LONGEST_HOLD, |patience| (patience / 2).min(LONGEST_HOLD));
        (came + LONGEST_HOLD.saturating_sub(usual)).min(now + patience)
    }

    /// When to [ask](super::Coalescer::ask) once more, after an answer with this status; none if the answer goes to the
    /// client now. If the call of a look fails, the client gets the answer that it had.
    #[must_use]
    pub fn next_look(&self, now: Instant, status: Option<&PolledStatus>) -> Option<Instant> {
        let at = now + self.every;
        (status == Some(&self.known) && at <= self.deadline).then_some(at)
    }

    /// When the call of a look must have its turn.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }
}
