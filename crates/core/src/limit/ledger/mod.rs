mod feedback;
mod leasing;
mod saved;
mod usage;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use slab::Slab;

use super::pool::Pool;
use super::{Fill, LaterCharge, Learn, Limits, NotYet, PoolUsage};
pub use leasing::Called;
pub use saved::SavedInstance;
pub use usage::{NamedCharges, SavedPool};

/// So many instances a pool has at most. A guess: more keys than an organization uses.
const MOST_KEYS: usize = 10_000;

/// The key of the instance that all others share.
const THE_REST: &str = "...";

/// How long models are taken to share a limit after a refusal has said so. A guess: as long as all else that is
/// learned.
const JOINED: Duration = Duration::from_hours(1);

/// A pool of the configuration, by its place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PoolId(pub usize);

/// A pool instance: the pool itself, or the one of it that belongs to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceId(u32);

/// What a request takes from one pool instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Whose.
    pub instance: InstanceId,
    /// How much.
    pub cost: u32,
}

/// What is used of one instance, for people to read.
#[derive(Clone, Debug)]
pub struct InstanceUsage {
    /// Its pool.
    pub pool: PoolId,
    /// Its key; empty where the pool has none.
    pub key: Arc<str>,
    /// The numbers.
    pub usage: PoolUsage,
    /// What of the limit in force is used, where there is one.
    pub fill: Option<Fill>,
}

/// Every pool instance, and the one rule that joins them: a request takes from all of its pools or from none.
///
/// # Examples
///
/// A request reserves its places, commits them when it is sent, and releases them when its response has ended:
///
/// ```
/// use std::time::Instant;
/// use tidegate_core::limit::{Charge, Ledger, Limits, ParseRateError, PoolId};
///
/// let capped = |rate: &str| Ok::<_, ParseRateError>(Limits { requests: vec![rate.parse()?], ..Limits::default() });
/// let mut ledger = Ledger::new(vec![capped("300/min")?, capped("1/min")?]);
/// let [posts, runs] = [0, 1].map(|pool| Charge { instance: ledger.instance(PoolId(pool), None), cost: 1 });
/// let (now, charges) = (Instant::now(), [posts, runs]);
///
/// ledger.reserve(now, &charges, |_| None).expect("both pools have room"); // reserve
/// ledger.commit(now, &charges); // commit; `refund` instead if the request is never sent
/// ledger.release(&charges); // release
///
/// // The pool of runs is full now, so a second request takes nothing from that of posts either.
/// let (full, _) = ledger.reserve(now, &charges, |_| None).unwrap_err();
/// assert_eq!(full, runs.instance);
/// let posts = ledger.usage(now, posts.instance).expect("a pool without keys stays").usage;
/// assert_eq!((posts.windows[0].1, posts.reserved, posts.in_flight), (1, 0, 0));
/// # Ok::<(), ParseRateError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ledger {
    limits: Vec<Limits>,
    /// First the keyless instance of every pool, which stays for good, then the keyed ones as they come and go.
    instances: Slab<LedgerEntry>,
    keyed: Vec<HashMap<Arc<str>, InstanceId>>,
    /// Of each pool, the keys of models that share the limits of a family, with the family's key and until when.
    families: Vec<Families>,
    /// When it was started with every limit full, if it was.
    full_at: Option<Instant>,
    /// Several gates share the limits.
    is_leasing: bool,
}

/// By the model's key the family's, and until when.
type Families = HashMap<Arc<str>, (Arc<str>, Instant)>;

#[derive(Clone, Debug)]
struct LedgerEntry {
    pool_id: PoolId,
    key: Arc<str>,
    pool: Pool,
    /// Number of queued requests and reservations that reference this instance. It is kept while this is non-zero.
    pins: u32,
}

impl Ledger {
    /// A ledger of pools with these limits; [`PoolId`] counts them.
    #[must_use]
    pub fn new(limits: Vec<Limits>) -> Self {
        let keyless = |(index, limits)| (index, LedgerEntry::new(PoolId(index), "".into(), limits));
        Self {
            instances: limits.iter().enumerate().map(keyless).collect(),
            keyed: vec![HashMap::new(); limits.len()],
            families: vec![HashMap::new(); limits.len()],
            full_at: None,
            is_leasing: false,
            limits,
        }
    }

    /// The configured limits of a pool.
    #[must_use]
    pub fn limits(&self, pool: PoolId) -> &Limits {
        &self.limits[pool.0]
    }

    /// The instance of `pool` for `key`, made if there is none. A keyed one is dropped by [`Ledger::sweep`] once it is
    /// idle and no longer [pinned](Ledger::pin).
    pub fn instance(&mut self, pool: PoolId, key: Option<&str>) -> InstanceId {
        let Some(key) = key else { return InstanceId(u32::try_from(pool.0).expect("fewer than 2^32 pools")) };
        match self.families[pool.0].get(key).map(|(family, _)| Arc::clone(family)) {
            Some(family) => self.of_key(pool, &family),
            None => self.of_key(pool, key),
        }
    }

    /// How much of an instance there is, and is used; nothing where there is none, or no limit is known.
    pub fn load(&mut self, now: Instant, pool: PoolId, key: Option<&str>) -> Option<Fill> {
        let id = match key {
            None => InstanceId(u32::try_from(pool.0).ok()?),
            Some(key) => {
                *self.keyed[pool.0].get(self.families[pool.0].get(key).map_or(key, |(family, _)| &**family))?
            }
        };
        self.pool_mut(id).tightest(now)
    }

    /// The instance of exactly this key. Clients may choose keys: beyond so many they share one.
    fn of_key(&mut self, pool: PoolId, key: &str) -> InstanceId {
        let keyed = &self.keyed[pool.0];
        let key = if keyed.len() < MOST_KEYS || keyed.contains_key(key) { key } else { THE_REST };
        if let Some(&id) = keyed.get(key) {
            return id;
        }
        let mut entry = LedgerEntry::new(pool, key.into(), &self.limits[pool.0]);
        if let Some(at) = self.full_at {
            entry.pool.start_full(at, at);
        }
        if self.is_leasing {
            entry.pool.lease(&self.limits[pool.0]);
        }
        let slot = self.instances.insert(entry);
        let id = InstanceId(u32::try_from(slot).expect("fewer than 2^32 pool instances"));
        self.keyed[pool.0].insert(key.into(), id);
        id
    }

    /// The pool an instance belongs to.
    #[must_use]
    pub fn pool_of(&self, id: InstanceId) -> PoolId {
        self.get(id).pool_id
    }

    /// Its key; empty where the pool has none.
    #[must_use]
    pub fn key_of(&self, id: InstanceId) -> &Arc<str> {
        &self.get(id).key
    }

    /// Pins these instances for a waiting request: they stay until [`Ledger::unpin`].
    pub fn pin(&mut self, charges: &[Charge]) {
        charges.iter().for_each(|charge| self.get_mut(charge.instance).pins += 1);
    }

    /// The request no longer waits.
    pub fn unpin(&mut self, charges: &[Charge]) {
        charges.iter().for_each(|charge| self.get_mut(charge.instance).pins -= 1);
    }

    /// Reserves a place in every pool of `charges`, or in none. Room that `later` names for another request must remain.
    ///
    /// # Errors
    /// The instance at which the request must wait longest, and until when.
    pub fn reserve(
        &mut self,
        now: Instant,
        charges: &[Charge],
        later: impl Fn(InstanceId) -> Option<LaterCharge>,
    ) -> Result<(), (InstanceId, NotYet)> {
        let kept = charges.iter().filter_map(|charge| {
            let pool = self.pool_mut(charge.instance);
            let remains = later(charge.instance).is_none_or(|later| pool.leaves(now, charge.cost, later));
            let verdict = pool.check(now, charge.cost).and(if remains { Ok(()) } else { Err(NotYet::Freed) });
            verdict.err().map(|not_yet| (not_yet, charge.instance))
        });
        if let Some((not_yet, instance)) = kept.max() {
            return Err((instance, not_yet));
        }
        charges.iter().for_each(|charge| self.pool_mut(charge.instance).reserve(charge.cost));
        Ok(())
    }

    /// The request was sent at `now`.
    pub fn commit(&mut self, now: Instant, charges: &[Charge]) {
        charges.iter().for_each(|charge| self.pool_mut(charge.instance).commit(now, charge.cost));
    }

    /// The request was granted and never sent.
    pub fn refund(&mut self, charges: &[Charge]) {
        charges.iter().for_each(|charge| self.pool_mut(charge.instance).refund(charge.cost));
    }

    /// The request is over, sent or not.
    pub fn release(&mut self, charges: &[Charge]) {
        charges.iter().for_each(|charge| self.pool_mut(charge.instance).release());
    }

    /// See [`Pool::turn_of`].
    pub fn turn_of(&mut self, now: Instant, ahead: u64, charge: Charge) -> Instant {
        self.pool_mut(charge.instance).turn_of(now, ahead, charge.cost)
    }

    /// See [`Pool::turn_after`].
    #[must_use]
    pub fn turn_after(&self, first: Instant, before: u64, charge: Charge) -> Instant {
        self.pool(charge.instance).turn_after(first, before, charge.cost)
    }

    /// See [`Pool::room_by`].
    #[must_use]
    pub fn room_by(&self, id: InstanceId, now: Instant, by: Instant) -> u64 {
        self.pool(id).room_by(now, by)
    }

    /// The pool of an instance: for the ledger only, which takes from all pools of a request or from none.
    fn pool_mut(&mut self, id: InstanceId) -> &mut Pool {
        &mut self.get_mut(id).pool
    }

    fn pool(&self, id: InstanceId) -> &Pool {
        &self.get(id).pool
    }

    /// The upstream says that this instance's model shares the limits of a family: for a while, requests with its key get the
    /// family's instance, which this returns. Nothing where the pool does not learn, is not keyed by model, or the model
    /// is the family.
    pub fn join(&mut self, now: Instant, id: InstanceId, family: &str) -> Option<InstanceId> {
        let LedgerEntry { pool_id, key, .. } = self.get(id);
        let (pool, key) = (*pool_id, Arc::clone(key));
        let Limits { model_part, learn, .. } = self.limits[pool.0];
        let part = model_part.filter(|_| learn != Learn::Never)?;
        let mut parts: Vec<&str> = key.split(' ').collect();
        let model = parts.get_mut(part)?;
        // A tier with limits of its own does not share those of the family in another tier.
        let family = model
            .rsplit_once(super::TIER)
            .map_or(family.to_owned(), |(_, tier)| format!("{family}{}{tier}", super::TIER));
        if *model == family {
            return None;
        }
        *model = &family;
        let family = parts.join(" ");
        if self.families[pool.0].len() < MOST_KEYS {
            self.families[pool.0].insert(key, (family.as_str().into(), now + JOINED));
        }
        Some(self.of_key(pool, &family))
    }

    /// The models that share this instance do not share its limits after all.
    pub fn part(&mut self, id: InstanceId) {
        let LedgerEntry { pool_id, key, .. } = self.get(id);
        let (pool, key) = (pool_id.0, Arc::clone(key));
        self.families[pool].retain(|_, (family, _)| *family != key);
    }

    /// Whether this one pool has room for a charge, beside what another request takes `later`.
    pub fn has_room(&mut self, now: Instant, charge: Charge, later: Option<LaterCharge>) -> bool {
        let pool = self.pool_mut(charge.instance);
        let remains = later.is_none_or(|later| pool.leaves(now, charge.cost, later));
        remains && (pool.check(now, charge.cost).is_ok() || pool.waits_for_store(now, charge.cost))
    }

    /// Drops the instances that are not pinned and of which nothing counts any more. `is_kept` may keep one for another
    /// reason; it gets its index ([`InstanceId::index`]).
    pub fn sweep(&mut self, now: Instant, is_kept: impl Fn(usize) -> bool) {
        self.families.iter_mut().for_each(|families| families.retain(|_, (_, until)| *until > now));
        let keyed: Vec<InstanceId> = self.keyed.iter().flat_map(|keyed| keyed.values().copied()).collect();
        for id in keyed {
            if self.get(id).pins == 0 && !is_kept(id.index()) && self.pool_mut(id).is_idle(now) {
                self.remove(id);
            }
        }
    }

    fn remove(&mut self, id: InstanceId) {
        let LedgerEntry { pool_id, key, .. } = self.instances.remove(id.index());
        self.keyed[pool_id.0].remove(&key);
    }

    /// Whether there is an instance whose place in tables that run beside is this.
    #[must_use]
    pub fn holds(&self, slot: usize) -> bool {
        self.instances.contains(slot)
    }

    /// How many keyed instances there are.
    #[must_use]
    pub fn keyed(&self) -> usize {
        self.keyed.iter().map(HashMap::len).sum()
    }

    /// Every instance: its pool, its key and what is used of it.
    fn pools(&self) -> impl Iterator<Item = (PoolId, &Arc<str>, &Pool)> {
        self.instances.iter().map(|(_, instance)| (instance.pool_id, &instance.key, &instance.pool))
    }

    /// Every instance that there is.
    #[must_use]
    pub fn ids(&self) -> Vec<InstanceId> {
        let id = |slot| InstanceId(u32::try_from(slot).expect("fewer than 2^32 pool instances"));
        self.instances.iter().map(|(slot, _)| id(slot)).collect()
    }

    /// What is used of an instance, if it is still there.
    pub fn usage(&mut self, now: Instant, id: InstanceId) -> Option<InstanceUsage> {
        Some(self.instances.get_mut(id.index())?.usage(now))
    }

    fn get(&self, id: InstanceId) -> &LedgerEntry {
        &self.instances[id.0 as usize]
    }

    fn get_mut(&mut self, id: InstanceId) -> &mut LedgerEntry {
        &mut self.instances[id.0 as usize]
    }
}

impl InstanceId {
    /// Its place in tables that run beside the ledger.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl LedgerEntry {
    fn new(pool_id: PoolId, key: Arc<str>, limits: &Limits) -> Self {
        Self { pool_id, key, pool: Pool::new(limits), pins: 0 }
    }

    fn usage(&mut self, now: Instant) -> InstanceUsage {
        let (usage, fill) = (self.pool.usage(now), self.pool.fill(now));
        InstanceUsage { pool: self.pool_id, key: Arc::clone(&self.key), usage, fill }
    }
}
