use std::time::{Duration, Instant};

use super::{Lease, MeterCall, Micros, OnOutage, ParseAnswerError, StoreAnswer, TurnCall};

/// One gate among several: which call it makes next, and what an answer means for it.
#[derive(Clone, Debug)]
pub struct Member {
    settings: MemberSettings,
    started: Instant,
    epoch: u64,
    seq: u64,
    /// How many calls there have been: each offers an epoch of its own.
    calls: u64,
    /// It has yet to declare itself in this epoch; what was sent before this instant is known there.
    declares: Option<Instant>,
    /// What the store's clock was at least, when.
    clock: Option<(Micros, Instant)>,
    /// When the last turn was answered, by the store's clock; 0 before the first of an epoch.
    confirmed: Micros,
    /// When the last answer arrived, and when the call was sent that it was to.
    heard: Option<(Instant, Instant)>,
    /// What the store's clock was at most, when.
    anchor: Option<(Micros, Instant)>,
    until: Option<Instant>,
    peers: Vec<String>,
    promise: u64,
    longest: Duration,
    /// The call that no answer has come to yet.
    open: Option<OpenCall>,
    /// It has been told to come later.
    later: Option<Later>,
}

#[derive(Clone, Copy, Debug)]
struct Later {
    since: Instant,
    /// When the last try was sent, and what the store's clock was then.
    sent: Instant,
    seen: Micros,
}

#[derive(Clone, Debug)]
struct OpenCall {
    call: TurnCall,
    /// When it was sent, each time.
    sent: Vec<Instant>,
}

/// What a gate says of itself.
#[derive(Clone, Debug)]
pub struct MemberSettings {
    /// Its name; no two have the same.
    pub gate: String,
    /// Random: epochs that begin with this gate are numbered from here.
    pub nonce: u64,
    /// What it does without the store.
    pub on_outage: OnOutage,
    /// Its part of each limit then ([`super::PARTS`]).
    pub share: u64,
}

/// How a gate shares the account at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareState {
    /// It has never heard the store.
    Joining,
    /// The store leases it places.
    Leasing,
    /// It does not hear the store and sends nothing.
    Cut,
    /// It does not hear the store and uses its part.
    OnShare,
    /// It does not hear the store and uses all.
    Open,
}

/// What an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Of each limit in the call; the leases end then.
    Leases {
        /// When.
        until: Instant,
        /// Of each limit in the call.
        leases: Vec<Lease>,
    },
    /// The gate is to declare itself: it calls again at once.
    Again,
    /// The same call is to be sent again in a while.
    Later,
}

/// How long leases last without being renewed. A guess: several turns, and short beside a minute.
pub const TTL: Duration = Duration::from_secs(5);

/// By so much clocks differ in speed at most: quartz is ten times better.
const DRIFT: u32 = 2_000;

/// How long a gate uses its part of an outage at most.
pub const OUTAGE: Duration = Duration::from_mins(5);

/// From the last answer on, beside the span of a limit, until all that others leased before they knew has left its window: their
/// leases end, the store takes a gate for silent after three seconds, and one for the clocks.
const UNHEARD: Duration = Duration::from_secs(9);

/// How long an answer is what the store's clock is held against. A guess: as long as most windows.
const ANCHOR: Duration = Duration::from_mins(1);

/// How long a new gate with [`OnOutage::Open`] waits for the store.
const FIRST: Duration = Duration::from_secs(1);

impl Member {
    /// A gate that has never heard the store.
    #[must_use]
    pub fn new(settings: MemberSettings, now: Instant) -> Self {
        Self {
            settings,
            started: now,
            epoch: 0,
            seq: 0,
            calls: 0,
            declares: None,
            clock: None,
            confirmed: 0,
            heard: None,
            anchor: None,
            until: None,
            peers: Vec::new(),
            promise: 0,
            longest: Duration::ZERO,
            open: None,
            later: None,
        }
    }

    /// The next call: the one that is not answered yet, or a new one whose limits `meters` tells. It is given when the last
    /// answer arrived and, if the gate is to declare itself, since when.
    pub fn call(
        &mut self,
        now: Instant,
        leaves: bool,
        meters: impl FnOnce(Instant, Option<Instant>) -> Vec<MeterCall>,
    ) -> TurnCall {
        let (since_answer, since_anchor) = self.since(now);
        let ago = |at: Instant| micros(now.saturating_duration_since(at));
        let waits = self.later.map_or(0, |later| ago(later.since));
        let (prev, anchor) = (self.clock.map_or(0, |(at, _)| at), self.anchor.map_or(0, |(at, _)| at));
        if let Some(OpenCall { call, sent }) = &mut self.open {
            (call.attempt, call.prev, call.anchor) = (sent.len(), prev, anchor);
            (call.since_answer, call.since_anchor, call.waits) = (since_answer, since_anchor, waits);
            sent.push(now);
            return call.clone();
        }
        let meters = if self.epoch == 0 { Vec::new() } else { meters(self.heard_at(), self.declares) };
        let spans = meters.iter().map(|meter| Duration::from_micros(meter.span.unsigned_abs()));
        self.longest = spans.filter(|&span| span < OUTAGE).chain([self.longest]).max().unwrap_or_default();
        let is_new = self.declares.is_some();
        self.calls += 1;
        let call = TurnCall {
            gate: self.settings.gate.clone(),
            nonce: self.settings.nonce + self.calls,
            epoch: self.epoch,
            seq: self.seq + 1,
            prev,
            since_answer,
            anchor,
            since_anchor,
            ttl: micros(TTL),
            share: self.settings.share,
            outage: micros(OUTAGE),
            longest: micros(self.longest),
            leaves,
            waits,
            confirmed: self.confirmed,
            attempt: 0,
            peers: if is_new { self.peers.clone() } else { Vec::new() },
            meters,
        };
        self.open = Some(OpenCall { call: call.clone(), sent: vec![now] });
        call
    }

    /// The answer to the last call.
    ///
    /// # Errors
    /// [`ParseAnswerError`]: it is none, and the call stands.
    pub fn answered(&mut self, now: Instant, text: &str) -> Result<Heard, ParseAnswerError> {
        match text.parse()? {
            StoreAnswer::Later { seen } => {
                self.told(now, seen);
                Ok(Heard::Later)
            }
            StoreAnswer::Stale => Err(ParseAnswerError),
            StoreAnswer::Declare { epoch, age } => {
                // What a gate sent before this process began, an older epoch knows by that gate's own turns.
                let is_old = self.epoch == 0 && age > micros(self.longest.max(OUTAGE));
                let long_ago = self.started.checked_sub(Duration::from_hours(24)).unwrap_or(self.started);
                self.declares = Some(if is_old { self.started } else { long_ago });
                (self.epoch, self.open, self.later) = (epoch, None, None);
                (self.clock, self.anchor, self.confirmed) = (None, None, 0);
                Ok(Heard::Again)
            }
            StoreAnswer::Turn(answer) => {
                let open = self.open.take_if(|open| answer.attempt < open.sent.len()).ok_or(ParseAnswerError)?;
                let (call, first) = (open.call, open.sent[answer.attempt]);
                self.seq = call.seq;
                (self.declares, self.later) = (None, None);
                (self.clock, self.confirmed) = (Some((answer.now, now)), answer.now);
                self.heard = Some((now, first));
                let is_old = |&(_, called): &(Micros, Instant)| now >= called + ANCHOR;
                if self.anchor.as_ref().is_none_or(is_old) {
                    self.anchor = Some((answer.late, first));
                }
                let until = first + TTL.saturating_sub(TTL / DRIFT);
                (self.until, self.peers, self.promise) = (Some(until), answer.peers, answer.share);
                Ok(Heard::Leases { until, leases: answer.leases })
            }
        }
    }

    /// The store says what its clock is. Once it has moved since the try before, it is known how late it can be: it moved
    /// after that try was sent.
    fn told(&mut self, now: Instant, seen: Micros) {
        let sent = self.open.as_ref().and_then(|open| open.sent.last().copied()).unwrap_or(now);
        let since = self.later.map_or(now, |later| later.since);
        if let Some(before) = self.later.filter(|before| before.seen < seen) {
            self.clock = Some((seen, now));
            self.anchor = Some((seen + micros(now.saturating_duration_since(before.sent)), sent));
        }
        self.later = Some(Later { since, sent, seen });
    }

    /// How it shares limits of this span now.
    #[must_use]
    pub fn state(&self, now: Instant, span: Duration) -> ShareState {
        if self.until.is_some_and(|until| now < until) {
            return ShareState::Leasing;
        }
        match (self.settings.on_outage, self.heard) {
            (OnOutage::Open, None) if now < self.started + FIRST => ShareState::Joining,
            (OnOutage::Open, _) => ShareState::Open,
            (_, None) => ShareState::Joining,
            (OnOutage::Share, Some((heard, called)))
                if self.promise > 0 && now >= heard + span + UNHEARD && now < called + OUTAGE =>
            {
                ShareState::OnShare
            }
            _ => ShareState::Cut,
        }
    }

    /// Its part of each limit in an outage, as the store has promised it.
    #[must_use]
    pub fn promise(&self) -> u64 {
        self.promise
    }

    /// How many gates there are, this one included.
    #[must_use]
    pub fn gates(&self) -> u64 {
        self.peers.len() as u64 + 1
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.settings.gate
    }

    /// The names of the others.
    pub fn peers(&self) -> impl Iterator<Item = &str> {
        self.peers.iter().map(|peer| peer.rsplit_once(':').map_or(&**peer, |(name, _)| name))
    }

    /// When it last heard the store.
    #[must_use]
    pub fn last_heard(&self) -> Option<Instant> {
        self.heard.map(|(at, _)| at)
    }

    fn heard_at(&self) -> Instant {
        self.last_heard().unwrap_or(self.started)
    }

    fn since(&self, now: Instant) -> (Micros, Micros) {
        let since = |at: Instant| micros(now.saturating_duration_since(at));
        let since_anchor = self.anchor.map_or(0, |(_, called)| since(called));
        (self.clock.map_or(0, |(_, at)| since(at)), since_anchor)
    }
}

fn micros(time: Duration) -> Micros {
    Micros::try_from(time.as_micros()).unwrap_or(Micros::MAX)
}
