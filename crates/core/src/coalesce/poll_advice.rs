use std::time::{Duration, Instant};

use super::long_poll::LongPoll;
use super::status::PolledStatus;

/// What is known of a thing that a request asks for.
#[derive(Clone, Debug)]
pub struct PollAdvice {
    every: Duration,
    reported: Option<PolledStatus>,
    poll_after: Option<Duration>,
}

/// What the poll helpers of the SDKs say of themselves (docs/upstream.md §5.3).
const HELPER: &str = "x-stainless-poll-helper";
const LANGUAGE: &str = "x-stainless-lang";

/// How often the poll helper of an SDK asks by itself (docs/upstream.md §5.3).
const NODE_ASKS: Duration = Duration::from_secs(5);
const OTHERS_ASK: Duration = Duration::from_secs(1);

/// How often the poll helper of an SDK asks that nobody tells how often, read from its request's headers, whose names
/// are in lower case; none for all other clients, which do not obey.
pub fn poll_helper<'h>(headers: impl Iterator<Item = (&'h str, &'h [u8])>) -> Option<Duration> {
    let (mut is_helper, mut asks) = (false, OTHERS_ASK);
    for (name, value) in headers {
        is_helper |= name == HELPER;
        if name == LANGUAGE && value == b"js" {
            asks = NODE_ASKS;
        }
    }
    is_helper.then_some(asks)
}

impl PollAdvice {
    pub(super) fn new(every: Duration, reported: Option<PolledStatus>, helper: Option<Duration>) -> Self {
        Self { every, reported, poll_after: helper.filter(|by_itself| every > *by_itself).map(|_| every) }
    }

    /// How far apart calls for the thing are, for [`Terms::every`](super::Terms::every).
    #[must_use]
    pub fn every(&self) -> Duration {
        self.every
    }

    /// When the client is to ask again, where it obeys and would ask sooner by itself. What the upstream says of this
    /// counts if that is later.
    #[must_use]
    pub fn poll_after(&self) -> Option<Duration> {
        self.poll_after
    }

    /// A long poll, if an answer with this status says nothing new to a client of this credential, and something new is
    /// to come. It ends at the [deadline](LongPoll::deadline_for).
    #[must_use]
    pub fn hold(&self, status: Option<&PolledStatus>, reuse: Duration, deadline: Instant) -> Option<LongPoll> {
        let known = self.reported.as_ref().filter(|known| status == Some(*known))?;
        Some(LongPoll::new(known.clone(), self.every.max(reuse), deadline))
    }
}
