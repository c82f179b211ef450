use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::mem;
use std::time::{Duration, Instant};

use super::key::Key;
use super::status::PolledStatus;
use super::trailing::TrailingCount;
use crate::limit::Fill;

/// The longest interval and the longest hold of a poll: openai-go obeys no more (docs/upstream.md §5.3).
pub const LONGEST: Duration = Duration::from_secs(8);

/// How long a thing counts as polled after it was last asked for: twice as long as it may take to be asked for again.
const MEMORY: Duration = Duration::from_secs(16);

/// However little others leave of a pool, polling has one in so many. A guess: a run's end must be seen some time.
const LEAST: u64 = 20;

/// What is asked for again and again, and the pools that pay for it, `P`.
#[derive(Debug)]
pub(super) struct Polls<P> {
    things: HashMap<Key, Thing<P>>,
    crowds: HashMap<P, Crowd>,
    /// Every thing with a time at which it was asked for, to be looked at when that is long ago.
    seen: VecDeque<(Instant, Key)>,
    most: usize,
}

/// What one key asks for.
#[derive(Debug)]
struct Thing<P> {
    pools: Vec<P>,
    asked: Instant,
    /// It was asked for before, or by one who says that he will again.
    is_polled: bool,
    /// When the last call for it began.
    called: Option<Instant>,
    /// The status that was last told of it.
    told: Option<PolledStatus>,
}

/// All that is polled at the cost of one pool.
#[derive(Debug)]
struct Crowd {
    things: u32,
    calls: TrailingCount,
}

impl Crowd {
    fn new(now: Instant) -> Self {
        Self { things: 0, calls: TrailingCount::new(now) }
    }
}

/// A pool that pays for polls.
#[derive(Clone, Debug)]
pub struct Payer<P> {
    /// Which.
    pub pool: P,
    /// How much of it there is, and is used; nothing where no limit is known.
    pub load: Option<Fill>,
    /// The part of it that polling may have, in hundredths.
    pub share: u8,
}

impl<P: Clone + Eq + Hash> Polls<P> {
    /// Room for so many things.
    #[must_use]
    pub(super) fn new(most: usize) -> Self {
        Self { things: HashMap::new(), crowds: HashMap::new(), seen: VecDeque::new(), most }
    }

    /// Somebody asks, and may say that he polls; whoever asks for what was asked for lately does. Says how far apart calls
    /// for it are, so that all that is polled keeps within the share of each pool that pays, and within what others leave.
    pub(super) fn ask(&mut self, now: Instant, key: Key, payers: &[Payer<P>], polls: bool) -> Duration {
        self.forget_old(now);
        self.note(now, key, payers, polls);
        payers.iter().map(|payer| self.every(now, payer)).max().unwrap_or_default()
    }

    fn note(&mut self, now: Instant, key: Key, payers: &[Payer<P>], mut polls: bool) {
        let has_room = self.things.len() < self.most;
        let thing = match self.things.entry(key) {
            Entry::Occupied(thing) => {
                polls = true;
                thing.into_mut()
            }
            Entry::Vacant(place) if has_room => {
                let pools = payers.iter().map(|payer| payer.pool.clone()).collect();
                self.seen.push_back((now, key));
                place.insert(Thing { pools, asked: now, is_polled: false, called: None, told: None })
            }
            Entry::Vacant(_) => return,
        };
        thing.asked = now;
        if polls && !mem::replace(&mut thing.is_polled, true) {
            for pool in &thing.pools {
                self.crowds.entry(pool.clone()).or_insert_with(|| Crowd::new(now)).things += 1;
            }
        }
    }

    fn every(&mut self, now: Instant, Payer { pool, load, share }: &Payer<P>) -> Duration {
        let (Some(crowd), Some(load)) = (self.crowds.get_mut(pool), load) else { return Duration::ZERO };
        let (allowed, per) = (u64::from(load.limit.amount()), load.limit.per());
        let others = load.used.saturating_sub(crowd.calls.within(now, per));
        let budget =
            (allowed * u64::from(*share) / 100).min(allowed.saturating_sub(others)).max(allowed / LEAST).max(1);
        (per.saturating_mul(crowd.things) / u32::try_from(budget).unwrap_or(u32::MAX)).min(LONGEST)
    }

    /// How long a call for this must wait so that it is so far from the one before. Whoever has less patience than that
    /// goes at once.
    #[must_use]
    pub(super) fn wait(&self, now: Instant, key: Key, every: Duration, patience: Option<Duration>) -> Duration {
        let called = self.things.get(&key).and_then(|thing| thing.called);
        let wait = called.map_or(Duration::ZERO, |called| (called + every).saturating_duration_since(now));
        if patience.is_none_or(|patience| wait < patience) { wait } else { Duration::ZERO }
    }

    /// A call for this begins. Says when the one before it did.
    pub(super) fn call(&mut self, now: Instant, key: Key) -> Option<Instant> {
        let thing = self.things.get_mut(&key)?;
        for pool in &thing.pools {
            // Its first call goes before it is known to be polled, and counts as a poll all the same.
            self.crowds.entry(pool.clone()).or_insert_with(|| Crowd::new(now)).calls.add();
        }
        thing.called.replace(now)
    }

    /// That call was refused, and never went; the one before it began then.
    pub(super) fn refused(&mut self, key: Key, before: Option<Instant>) {
        let Some(thing) = self.things.get_mut(&key) else { return };
        thing.called = before;
        for pool in &thing.pools {
            if let Some(crowd) = self.crowds.get_mut(pool) {
                crowd.calls.take_back();
            }
        }
    }

    /// It will not change any more: until somebody asks again, nobody polls it.
    pub(super) fn end(&mut self, key: Key) {
        let Some(thing) = self.things.get_mut(&key).filter(|thing| thing.is_polled) else { return };
        thing.is_polled = false;
        for pool in &thing.pools {
            if let Some(crowd) = self.crowds.get_mut(pool) {
                crowd.things -= 1;
            }
        }
    }

    /// Whoever asked for this has been told so.
    pub(super) fn tell(&mut self, key: Key, status: Option<PolledStatus>) {
        if let Some(thing) = self.things.get_mut(&key) {
            thing.told = status;
        }
    }

    /// The status that whoever asks for this has been told.
    #[must_use]
    pub(super) fn told(&self, key: Key) -> Option<PolledStatus> {
        self.things.get(&key)?.told.clone()
    }

    fn forget_old(&mut self, now: Instant) {
        while let Some((seen, key)) = self.seen.pop_front_if(|(seen, _)| *seen + MEMORY <= now) {
            match self.things.get(&key).map(|thing| thing.asked) {
                Some(asked) if asked > seen => self.seen.push_back((asked, key)),
                _ => self.forget(key),
            }
        }
    }

    fn forget(&mut self, key: Key) {
        self.end(key);
        let gone = self.things.remove(&key).map(|thing| thing.pools).unwrap_or_default();
        for pool in gone {
            if self.crowds.get(&pool).is_some_and(|crowd| crowd.things == 0) {
                self.crowds.remove(&pool);
            }
        }
    }
}
