use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use super::Gate;
use super::keepalive::Answered;
use super::line::millis;
use super::passing::Routed;
use super::sharing::Shareable;
use super::whole::Shared;
use crate::coalesce::{Payer, Status};
use crate::limit::{PoolId, Unit};
use crate::route::Ask;

/// What is known of one who asks for a thing that may be polled.
pub(super) struct Poll {
    /// How far apart calls for it are.
    pub(super) every: Duration,
    /// The status that he, or another with his credentials, was told of it.
    pub(super) told: Option<Status>,
    /// When he is to ask again, in milliseconds, where he would sooner of himself.
    after: Option<u64>,
}

/// What the poll helpers of the SDKs say of themselves, and obey (docs/upstream.md §5.3).
const HELPER: &str = "x-stainless-poll-helper";
const LANGUAGE: &str = "x-stainless-lang";
const POLL_AFTER: HeaderName = HeaderName::from_static("openai-poll-after-ms");

impl Gate {
    /// Notes that this is asked for, and says what is known of it.
    pub(super) fn poll(&self, routed: &Routed, asked: &Shareable) -> Poll {
        let headers = &routed.arrived.head.headers;
        let (asks, is_helper) = (self.asks(routed), headers.contains_key(HELPER));
        let paying = asks.iter().filter(|ask| self.counts_requests(ask.pool));
        let payers: Vec<_> = paying.map(|ask| self.payer(ask)).collect();
        let (now, mut polls) = (Instant::now().into_std(), self.shared.sharing.polls());
        let every = polls.ask(now, asked.key, &payers, is_helper);
        let after = (is_helper && every > of_itself(headers)).then(|| millis(every));
        Poll { every, told: polls.told(asked.key), after }
    }

    /// How long a call that begins here and now must wait.
    pub(super) fn pace(&self, routed: &Routed, asked: &Shareable, poll: &Poll) -> Duration {
        let patience = self.applicant(routed).patience;
        let wait = self.shared.sharing.polls().wait(Instant::now().into_std(), asked.key, poll.every, patience);
        if !wait.is_zero() {
            asked.shares.paced.add();
        }
        wait
    }

    /// What has come of asking for this. What will not change any more is polled by nobody.
    pub(super) fn note(&self, asked: &Shareable, answered: &Answered) {
        if let Answered::Shared(Shared { whole, .. }) = answered
            && whole.status().is_some_and(|status| !status.is_to_change())
        {
            self.shared.sharing.polls().end(asked.key);
        }
    }

    /// Where nobody waits for a pool, nobody waits for his share of it.
    fn payer(&self, ask: &Ask) -> Payer<(PoolId, Option<Box<str>>)> {
        let pool = &self.shared.pools[ask.pool.0];
        let load = if pool.refuse_when_full { None } else { self.shared.admission.load(ask) };
        Payer { pool: (ask.pool, ask.key.clone()), load, share: pool.poll_share }
    }

    fn counts_requests(&self, PoolId(pool): PoolId) -> bool {
        self.shared.pools[pool].limits.unit == Unit::Requests
    }
}

impl Poll {
    /// Tells one who polls when to ask again.
    pub(super) fn say(&self, answered: &mut Answered) {
        match (answered, self.after) {
            (Answered::Passed(passed), Some(ms)) => set_poll_after(passed.response.headers_mut(), ms),
            (Answered::Shared(shared), after) => shared.poll_after = after,
            _ => {}
        }
    }
}

/// Never sooner than the upstream itself wants.
pub(super) fn set_poll_after(headers: &mut HeaderMap, ms: u64) {
    let own = headers.get(&POLL_AFTER).and_then(|own| own.to_str().ok()?.trim().parse::<u64>().ok());
    if own.is_none_or(|own| own < ms) {
        headers.insert(POLL_AFTER, HeaderValue::from(ms));
    }
}

/// How often the poll helper of an SDK asks that has been told nothing (docs/upstream.md §5.3).
fn of_itself(headers: &HeaderMap) -> Duration {
    let is_node = headers.get(LANGUAGE).is_some_and(|language| language == "js");
    Duration::from_secs(if is_node { 5 } else { 1 })
}
