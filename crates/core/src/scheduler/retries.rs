use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::limit::InstanceId;
use crate::queue::{Charges, ClientId, Flow, Seq};
use crate::route::RouteId;

/// The shortest time to come back in: `Retry-After` has whole seconds (RFC 9110 §10.2.3), and no SDK waits for a zero
/// (docs/upstream.md §5.2).
const SOONEST: Duration = Duration::from_secs(1);

/// The longest: openai-node obeys no more, and openai-python did not before mid-2026 (docs/upstream.md §5.2).
pub(super) const LATEST: Duration = Duration::from_mins(1);

/// Clients for whom no time is left before [`LATEST`] are spread between this and twice this, which is [`LATEST`]. A
/// guess.
const BEYOND: Duration = Duration::from_secs(30);

/// How late a client may come back. A guess: a new connection and a busy client.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// How often a client is remembered to have come back, which is for how many of its refused requests positions are reserved at
/// once: for a client that stops coming back, no more stand in the way of the others. A guess.
const MOST_TRUSTED: usize = 8;

/// Above this number of clients, all are forgotten that came back. A guess: it bounds the memory.
const REMEMBERED: usize = 10_000;

/// When refused clients may come back: each at its own time, so that they do not come as a herd. For clients that have come
/// back before, their positions are reserved.
///
/// That a client counts its retries does not say that there will be any: SDKs with `max_retries=0` count them, too, and so do
/// frameworks that begin anew each time.
#[derive(Clone, Debug, Default)]
pub(super) struct RetryReservations {
    next: HashMap<InstanceId, Instant>,
    beyond: u32,
    reserved: HashMap<(Flow, RouteId), VecDeque<RetryReservation>>,
    ends: BTreeMap<(Instant, Seq), (Flow, RouteId)>,
    /// How many are reserved for each client.
    of: HashMap<ClientId, usize>,
    /// How often each client came back of late, less the reservations that it left to expire.
    trust: HashMap<ClientId, usize>,
}

/// A position that is reserved for a refused client until it comes back.
#[derive(Clone, Debug)]
pub(super) struct RetryReservation {
    pub(super) flow: Flow,
    pub(super) charges: Charges,
    /// Its place in the order of arrival.
    pub(super) seq: Seq,
    /// When its turn will come.
    pub(super) turn: Instant,
    pub(super) ends: Instant,
}

/// Multiples of it, modulo one, are spread as evenly as can be, however many there are (the golden ratio's fraction).
const GOLDEN: f64 = 0.618_033_988_749_894_9;

impl RetryReservation {
    pub(super) fn new(flow: Flow, charges: Charges, seq: Seq, turn: Instant, back_at: Instant) -> Self {
        Self { flow, charges, seq, turn, ends: back_at + GRACE }
    }
}

impl RetryReservations {
    /// A time of its own to come back to this instance: not before `room`, and one `gap` after the last that was given.
    ///
    /// No SDK obeys more than a minute; clients for later are spread over its second half.
    pub(super) fn slot(&mut self, now: Instant, at: InstanceId, room: Instant, gap: Duration) -> Duration {
        let slot = self.next.get(&at).map_or(room, |&next| next.max(room)).max(now + SOONEST);
        if slot <= now + LATEST {
            self.next.insert(at, slot + gap.min(LATEST));
            return slot - now;
        }
        self.beyond = self.beyond.wrapping_add(1);
        BEYOND + BEYOND.mul_f64((f64::from(self.beyond) * GOLDEN).fract())
    }

    /// Reserves a position.
    pub(super) fn reserve(&mut self, route: RouteId, reservation: RetryReservation) {
        let key = (reservation.flow.clone(), route);
        *self.of.entry(reservation.flow.client).or_default() += 1;
        self.ends.insert((reservation.ends, reservation.seq), key.clone());
        self.reserved.entry(key).or_default().push_back(reservation);
    }

    /// A client comes back for its reserved position.
    pub(super) fn claim(&mut self, route: RouteId, flow: &Flow) -> Option<RetryReservation> {
        let key = (flow.clone(), route);
        let seq = self.reserved.get(&key)?.front()?.seq;
        self.remove(&key, seq)
    }

    /// A client came back after a refusal.
    pub(super) fn returned(&mut self, client: ClientId) {
        if self.trust.len() >= REMEMBERED {
            self.trust.clear();
        }
        let trust = self.trust.entry(client).or_default();
        *trust = (*trust + 1).min(MOST_TRUSTED);
    }

    /// Whether one more of a client's refused requests is likely to come back.
    pub(super) fn is_trusted(&self, client: ClientId) -> bool {
        self.of(client) < self.trust.get(&client).copied().unwrap_or(0)
    }

    /// A reservation whose client did not come back in time.
    pub(super) fn end(&mut self, now: Instant) -> Option<RetryReservation> {
        let (&(ends, seq), key) = self.ends.first_key_value()?;
        if ends > now {
            return None;
        }
        let key = key.clone();
        if let Some(trust) = self.trust.get_mut(&key.0.client) {
            *trust = trust.saturating_sub(1);
        }
        self.remove(&key, seq)
    }

    fn remove(&mut self, key: &(Flow, RouteId), seq: Seq) -> Option<RetryReservation> {
        let reserved = self.reserved.get_mut(key)?;
        let at = reserved.iter().position(|reservation| reservation.seq == seq)?;
        let reservation = reserved.remove(at)?;
        if reserved.is_empty() {
            self.reserved.remove(key);
        }
        self.ends.remove(&(reservation.ends, seq));
        let of_client = self.of.entry(key.0.client).or_default();
        *of_client -= 1;
        if *of_client == 0 {
            self.of.remove(&key.0.client);
        }
        Some(reservation)
    }

    /// How many places are reserved.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// How many are reserved for a client.
    pub(super) fn of(&self, client: ClientId) -> usize {
        self.of.get(&client).copied().unwrap_or(0)
    }

    /// When the next place is reserved no more.
    pub(super) fn next_end(&self) -> Option<Instant> {
        self.ends.first_key_value().map(|(&(ends, _), _)| ends)
    }

    /// All places that are reserved, the oldest first.
    pub(super) fn all(&self) -> Vec<(RouteId, &RetryReservation)> {
        let all = self.reserved.iter().flat_map(|((_, route), reserved)| reserved.iter().map(|each| (*route, each)));
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|(_, reservation)| reservation.seq);
        all
    }

    /// When the next client may come back to this instance, if one was told a time that may still lie ahead.
    pub(super) fn next(&self, instance: InstanceId) -> Option<Instant> {
        self.next.get(&instance).copied()
    }

    /// Times up to then were given before the start.
    pub(super) fn skip(&mut self, instance: InstanceId, until: Instant) {
        let next = self.next.entry(instance).or_insert(until);
        *next = until.max(*next);
    }

    /// All places are reserved no more.
    pub(super) fn drain(&mut self) -> Vec<RetryReservation> {
        self.ends.clear();
        self.of.clear();
        std::mem::take(&mut self.reserved).into_values().flatten().collect()
    }

    /// Whether a time to come back was given that may still lie ahead.
    pub(super) fn has_reported(&self) -> bool {
        !self.next.is_empty()
    }

    /// Forgets what is past.
    pub(super) fn sweep(&mut self, now: Instant) {
        self.next.retain(|_, next| *next > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::tests::capped;
    use crate::limit::{Ledger, PoolId};

    fn idle() -> InstanceId {
        Ledger::new(vec![capped(&[])]).instance(PoolId(0), None)
    }

    #[test]
    fn each_refused_gets_a_time_of_its_own_between_one_second_and_sixty() {
        let at = idle();
        let (mut reservations, now) = (RetryReservations::default(), crate::tests::any_instant());
        let gap = Duration::from_millis(700);
        let told: Vec<_> = (0..80).map(|_| reservations.slot(now, at, now, gap)).collect();
        assert_eq!(told[..3], [1_000, 1_700, 2_400].map(Duration::from_millis));
        assert!(told.iter().all(|wait| (SOONEST..=LATEST).contains(wait)), "{told:?}");
        let mut distinct = told.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), told.len(), "{told:?}");
    }

    #[test]
    fn what_was_promised_for_a_past_time_is_forgotten() {
        let at = idle();
        let (mut reservations, now) = (RetryReservations::default(), crate::tests::any_instant());
        reservations.slot(now, at, now, SOONEST);
        reservations.sweep(now + LATEST);
        assert!(reservations.next.is_empty());
    }
}
