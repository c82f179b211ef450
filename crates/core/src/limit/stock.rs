use std::time::{Duration, Instant};

use super::NotYet;
use crate::replica::{EntryKind, Lease, LogEntry, MeterCall, Micros, PARTS};

/// Places of one limit that are leased from the account which several gates share.
///
/// The window beside it is this gate's own log, and goes on as without. What it says of the whole limit does not count as
/// long as the stock is asked.
#[derive(Clone, Debug)]
pub(super) struct Stock {
    limit: u64,
    span: Duration,
    source: Source,
    /// What is leased: what is reserved of it included, what is committed not.
    left: u64,
    /// Until when the lease lasts.
    until: Option<Instant>,
    /// What was committed since the last call: of the lease, and without one.
    spent: Vec<(Instant, u64)>,
    extra: Vec<(Instant, u64)>,
    /// What counts less than was committed.
    refunds: Vec<(Instant, u64)>,
    /// So much of what is leased is of no use any more: as much was sent without it.
    replaced: u64,
    /// So much is used in a second.
    rate: f64,
    built: Option<Instant>,
    picture: Option<Picture>,
}

/// Where places come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The store leases them.
    Leased,
    /// Without the store this part of the limit is this gate's ([`PARTS`]).
    Share(u64),
    /// Without the store all of the limit is.
    Whole,
}

/// What the store said of all gates.
#[derive(Clone, Debug)]
struct Picture {
    at: Instant,
    lease: Lease,
}

/// What the gate is about to need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// What those take who wait.
    pub cost: u64,
    /// How many they are.
    pub requests: u64,
    /// How many clients they are of.
    pub clients: u64,
    /// What the first of them takes.
    pub first: u64,
    /// Places are kept at hand even where none has been used lately.
    pub is_lasting: bool,
}

/// When a call is built, and what of the answer before.
#[derive(Clone, Copy, Debug)]
pub struct TurnTime {
    /// When.
    pub now: Instant,
    /// When the last answer came.
    pub answered: Instant,
    /// How many gates there are.
    pub gates: u64,
}

/// Places are not granted so shortly before their lease ends: a connection may have to be made first. A guess.
const GRACE: Duration = Duration::from_secs(1);

/// How far ahead places are leased that are used evenly, in seconds: about what two turns take. A guess.
const AHEAD: f64 = 0.75;

/// A gate has no more than this part of its even share at hand, and as much for a burst where less than half of the limit is used.
/// A guess: what one gate has at hand, the others lack for a moment.
const BURST_PART: u64 = 4;

/// What is left of a rate a turn later if nothing is sent, and from when on that is none. Guesses.
const DECAY: f64 = 0.2;
const LEAST: f64 = 0.01;

/// How long it takes until the store has given what it has. A guess.
const SOON: Duration = Duration::from_millis(100);

/// What is sent within this part of the span goes as one entry.
const GRAINS: u32 = 512;

impl Stock {
    /// Nothing is leased yet.
    pub(super) fn new(limit: u64, span: Duration) -> Self {
        Self {
            limit,
            span,
            source: Source::Leased,
            left: 0,
            until: None,
            spent: Vec::new(),
            extra: Vec::new(),
            refunds: Vec::new(),
            replaced: 0,
            rate: 0.0,
            built: None,
            picture: None,
        }
    }

    pub(super) fn span(&self) -> Duration {
        self.span
    }

    pub(super) fn set_source(&mut self, source: Source) {
        self.source = source;
    }

    /// May `cost` go, while `taken` of what is leased is reserved, and `used` of the window is of this gate?
    pub(super) fn check(&self, now: Instant, taken: u64, used: u64, cost: u32) -> Result<(), NotYet> {
        let asked = taken + u64::from(cost);
        let has_place = match self.source {
            Source::Leased => self.until.is_some_and(|until| now + GRACE < until) && asked <= self.left,
            Source::Share(part) => used + asked <= self.limit * part / PARTS,
            Source::Whole => true,
        };
        if has_place { Ok(()) } else { Err(NotYet::Freed) }
    }

    pub(super) fn commit(&mut self, now: Instant, cost: u32) {
        let (cost, grain) = (u64::from(cost), self.span / GRAINS);
        let is_leased = self.until.is_some_and(|until| now < until) && cost <= self.left;
        let log = if is_leased { &mut self.spent } else { &mut self.extra };
        match log.last_mut() {
            Some((at, sum)) if *at + grain > now => {
                *at = now;
                *sum += cost;
            }
            _ if cost > 0 => log.push((now, cost)),
            _ => {}
        }
        let paid = cost.min(self.left);
        self.left -= paid;
        if !is_leased {
            self.replaced += paid;
        }
    }

    /// What was committed at `at` has cost so much more.
    pub(super) fn add(&mut self, at: Instant, more: u64) {
        if more > 0 {
            self.extra.push((at, more));
        }
    }

    /// What was committed at `at` has cost so much less.
    pub(super) fn refund(&mut self, at: Instant, less: u64) {
        if less > 0 {
            self.refunds.push((at, less));
        }
    }

    /// Nothing of it is here or on its way.
    pub(super) fn is_idle(&self) -> bool {
        self.left == 0
            && self.replaced == 0
            && self.spent.is_empty()
            && self.extra.is_empty()
            && self.refunds.is_empty()
    }

    /// What is said of it in a turn, of which `taken` is reserved.
    pub(super) fn call(&mut self, time: TurnTime, taken: u64, demand: Demand) -> MeterCall {
        let TurnTime { now, answered, .. } = time;
        let mut entries = Vec::new();
        self.measure(now);
        let age = |at: Instant| micros(now.saturating_duration_since(at));
        let sent = |kind| move |(at, cost)| LogEntry { kind, age: age(at), cost };
        entries.extend(self.spent.drain(..).map(sent(EntryKind::Spent)));
        entries.extend(self.extra.drain(..).map(sent(EntryKind::Extra)));
        let refund = |(at, cost)| {
            let age = micros(answered.saturating_duration_since(at));
            LogEntry { kind: EntryKind::Refund, age, cost }
        };
        entries.extend(self.refunds.drain(..).map(refund));
        // Granted in an outage, say, and not sent yet.
        if taken > self.left {
            entries.push(LogEntry { kind: EntryKind::Held, age: 0, cost: taken - self.left });
            self.left = taken;
        }
        let target = taken + self.target(time, demand);
        let back = self.left.saturating_sub(target);
        self.left -= back;
        let back = back + std::mem::take(&mut self.replaced);
        MeterCall {
            id: String::new(),
            limit: self.limit,
            span: micros(self.span),
            want: target.saturating_sub(self.left),
            least: (taken + demand.first).saturating_sub(self.left),
            claim: demand.clients.max(1),
            back,
            entries,
        }
    }

    /// In the first turn of an epoch: what of this gate counts, and what it has reserved.
    pub(super) fn declare(&mut self, time: TurnTime, taken: u64, log: &[(Instant, u64)], demand: Demand) -> MeterCall {
        (self.spent, self.extra, self.refunds) = (Vec::new(), log.to_vec(), Vec::new());
        (self.left, self.replaced) = (0, 0);
        self.call(time, taken, demand)
    }

    /// What came of a call that was first sent so that its lease ends at `until`.
    pub(super) fn leased(&mut self, now: Instant, until: Instant, lease: Lease) {
        if lease.lapsed {
            (self.left, self.replaced) = (0, 0);
        }
        self.left += lease.granted;
        self.until = Some(until);
        self.picture = Some(Picture { at: now, lease });
    }

    /// So much it should have at hand beyond what is reserved.
    fn target(&self, time: TurnTime, demand: Demand) -> u64 {
        // A rate is no more than a limit in a second, which is far below 2^53.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let even = (self.rate * AHEAD).ceil() as u64;
        let most = (self.limit / BURST_PART / time.gates.max(1)).max(1);
        let is_free = self.picture.as_ref().is_some_and(|picture| picture.lease.taken() * 2 < self.limit);
        let others_wait = self.picture.as_ref().is_some_and(|picture| picture.lease.others > 0);
        let burst = if is_free && !others_wait && (demand.is_lasting || even > 0) { most } else { 0 };
        let even = even.min(most);
        (demand.cost + even.max(burst)).min(self.limit)
    }

    fn measure(&mut self, now: Instant) {
        let spent: u64 = self.spent.iter().chain(&self.extra).map(|&(_, cost)| cost).sum();
        let since = self.built.map_or(Duration::from_secs(1), |built| now.saturating_duration_since(built));
        self.built = Some(now);
        if since > Duration::from_millis(20) {
            let latest = f64::from(u32::try_from(spent).unwrap_or(u32::MAX)) / since.as_secs_f64();
            self.rate = latest.max(self.rate * DECAY);
            if self.rate < LEAST {
                self.rate = 0.0;
            }
        }
    }

    /// Whether the store still has something to give, as far as is known.
    pub(super) fn waits_for_store(&self, now: Instant, cost: u32) -> bool {
        let is_fresh = |picture: &&Picture| picture.at + GRACE > now;
        let has = |picture: &Picture| picture.lease.taken() + u64::from(cost) <= self.limit;
        self.source == Source::Leased && self.picture.as_ref().filter(is_fresh).is_some_and(has)
    }

    /// What of the limit all gates have sent, by the last answer.
    pub(super) fn used_by_all(&self) -> Option<u64> {
        let picture = self.picture.as_ref().filter(|_| self.source == Source::Leased)?;
        u64::try_from(picture.lease.used).ok()
    }

    /// When what costs `own` would go after `ahead` more, at this gate's part of what becomes free.
    pub(super) fn turn_of(&self, now: Instant, ahead: u64, own: u32) -> Instant {
        let needed = ahead + u64::from(own);
        if self.source != Source::Leased || needed <= self.left {
            return now;
        }
        let Some(Picture { at, lease }) = &self.picture else { return now + SOON };
        let missing = needed - self.left;
        let clients = lease.own.max(1);
        let of_all = missing.saturating_mul(lease.others + clients).div_ceil(clients);
        let free = lease.limit.saturating_sub(lease.taken());
        let Some(beyond) = of_all.checked_sub(free).filter(|&beyond| beyond > 0) else { return now + SOON };
        let counted = u64::try_from(lease.used).unwrap_or(0).max(1);
        let rounds = (beyond - 1) / lease.limit.max(1);
        let rest = beyond - rounds * lease.limit.max(1);
        let eighth = usize::try_from((rest * 8).div_ceil(counted).clamp(1, 8)).unwrap_or(8) - 1;
        let leaves = lease.leaving.get(eighth).map_or(self.span / 2, |&time| duration(time));
        (*at + leaves + self.span * u32::try_from(rounds).unwrap_or(u32::MAX)).max(now + SOON)
    }
}

pub(super) fn micros(time: Duration) -> Micros {
    Micros::try_from(time.as_micros()).unwrap_or(Micros::MAX)
}

fn duration(time: Micros) -> Duration {
    Duration::from_micros(u64::try_from(time).unwrap_or(0))
}
