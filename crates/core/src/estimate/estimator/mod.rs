mod judge;

use std::time::{Duration, Instant};

use crate::estimate::ConfiguredLimit;
use crate::estimate::book::Book;
use crate::estimate::control::Gate;
use crate::estimate::flight::Flight;
use crate::estimate::record::Scored;
use crate::estimate::sample::Place;
use crate::estimate::subject::Subject;
use crate::estimate::traffic::nanos;
use crate::estimate::words::{Failure, RefusalSaid, SaidKind};
use crate::limit::NotYet;

/// A hypothesis that is at least so likely beside the best is worth a challenge. A guess: one refusal in a window is cheap.
const RIVAL: f64 = -9.0;

/// What a gate may do with a request now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clearance {
    /// It goes to tell two hypotheses apart, and may be refused.
    pub challenge: bool,
}

/// Believes one thing of each pool instance, and keeps to it. See the module.
#[derive(Debug)]
pub struct Estimator {
    began: Instant,
    pub(in crate::estimate) books: Vec<Book>,
    /// The last of the books is of the whole upstream.
    pub(in crate::estimate) whole: usize,
}

impl Estimator {
    /// Of these pool instances; nothing is known of them.
    #[must_use]
    pub fn new(now: Instant, pools: &[ConfiguredLimit]) -> Self {
        let longest = pools.iter().map(|pool| pool.per).max().unwrap_or(Duration::from_mins(1));
        let in_longest = |pool: &ConfiguredLimit| {
            pool.amount.map(|amount| f64::from(amount) * longest.as_secs_f64() / pool.per.as_secs_f64())
        };
        let amount = pools.iter().map(in_longest).sum::<Option<f64>>().map(|amount| amount as u32);
        let whole = ConfiguredLimit { amount, per: longest };
        let books = pools.iter().copied().chain([whole]).map(Book::new).collect();
        Self { began: now, books, whole: pools.len() }
    }

    /// Whether a request may go now, as far as is believed.
    ///
    /// # Errors
    /// Until when not.
    pub fn check(&mut self, now: Instant, subject: &Subject) -> Result<Clearance, NotYet> {
        let at = self.at(now);
        let mut verdict = Gate::Open;
        let mut held_by = smallvec::SmallVec::<[usize; 3]>::new();
        for number in self.numbers(subject) {
            let gate = self.books[number].gate(at, subject);
            if gate != Gate::Open {
                held_by.push(number);
                verdict = longest(verdict, gate);
            }
        }
        if verdict == Gate::Open {
            return Ok(Clearance { challenge: false });
        }
        if held_by.iter().all(|&number| self.may_challenge(number, at, subject)) {
            return Ok(Clearance { challenge: true });
        }
        Err(match verdict {
            Gate::Until(until) => NotYet::Until(self.began + Duration::from_nanos(until)),
            Gate::Open | Gate::Freed => NotYet::Freed,
        })
    }

    /// A request is sent.
    pub fn sent(&mut self, now: Instant, subject: &Subject, clearance: Clearance) -> Flight {
        let at = self.at(now);
        let mut places = smallvec::SmallVec::<[Place; 2]>::new();
        for number in self.numbers(subject) {
            let is_whole = number == self.whole;
            let book = &mut self.books[number];
            let tick = book.record.clock.tick(at);
            places.push(book.record.sent(number as u16, &tick, subject, is_whole));
            book.total += 1;
            let ConfiguredLimit { amount, per } = book.record.configured;
            let amount = amount.map_or(f64::MAX, f64::from);
            if book.ramp.as_mut().is_some_and(|ramp| ramp.sent(at, amount, nanos(per))) {
                book.ramp = None;
            }
            book.mixed += u64::from(subject.pools.len() > 1);
            if let Some(limiter) = book.limiter.as_mut().filter(|limiter| limiter.binds(subject)) {
                limiter.sent(at, subject);
            }
            if clearance.challenge {
                book.challenge.under_way += 1;
            }
        }
        Flight { subject: subject.clone(), sent_at: at, places, challenge: clearance.challenge }
    }

    /// The upstream accepted it.
    pub fn accepted(&mut self, now: Instant, flight: &Flight) {
        let at = self.at(now);
        let mut is_news = false;
        for place in &flight.places {
            is_news |= self.books[usize::from(place.record)].accepted(at, flight, place);
        }
        if is_news {
            self.decide(at, &flight.subject);
        }
        if flight.challenge {
            self.challenged(at, flight, false);
        }
    }

    /// The upstream refused it, and said this.
    pub fn refused(&mut self, now: Instant, flight: &Flight, said: &RefusalSaid) {
        let at = self.at(now);
        let of_pools = flight.places.iter().filter(|place| usize::from(place.record) != self.whole);
        of_pools.for_each(|place| self.books[usize::from(place.record)].heard(at, flight, place, said));
        if said.kind != SaidKind::Limit {
            // It says itself what it is, and counts for no hypothesis.
            return self.lost(now, flight);
        }
        for place in &flight.places {
            self.books[usize::from(place.record)].refused(at, flight, place);
        }
        self.decide(at, &flight.subject);
        for place in &flight.places {
            self.books[usize::from(place.record)].hold(at, flight, place);
        }
        if flight.challenge {
            self.challenged(at, flight, true);
        }
    }

    /// It is over: its response has ended.
    pub fn completed(&mut self, _now: Instant, flight: &Flight) {
        for place in &flight.places {
            self.books[usize::from(place.record)].record.completed(&flight.subject, place);
        }
    }

    /// There was no answer, or one that says nothing of limits, and it is over.
    pub fn lost(&mut self, now: Instant, flight: &Flight) {
        for place in &flight.places {
            let book = &mut self.books[usize::from(place.record)];
            book.challenge.under_way -= u32::from(flight.challenge).min(book.challenge.under_way);
        }
        self.completed(now, flight);
    }

    /// A request for these pools failed otherwise.
    pub fn failed(&mut self, subject: &Subject, failure: Failure) {
        subject.pools.iter().for_each(|&pool| self.books[usize::from(pool)].words.failed(failure));
    }

    /// A pool instance is configured like this from now on; what was believed of it before is forgotten. The next number
    /// makes a new instance.
    pub fn configure(&mut self, pool: usize, configured: ConfiguredLimit) {
        if pool == self.whole {
            self.books.insert(pool, Book::new(configured));
            self.whole += 1;
        } else {
            self.books[pool] = Book::new(configured);
        }
    }

    /// How much memory a pool instance takes.
    #[cfg(test)]
    pub(in crate::estimate) fn bytes_of(&self, pool: usize) -> usize {
        let book = &self.books[pool];
        let scored = book.scored.capacity() * size_of_val(book.scored.first().map_or(&[][..], std::slice::from_ref));
        size_of::<Book>() + scored + book.record.bytes()
    }

    /// A request had to wait for the configured limit of this pool instance.
    pub fn waited(&mut self, pool: usize) {
        self.books[pool].is_short = true;
    }

    fn numbers(&self, subject: &Subject) -> smallvec::SmallVec<[usize; 3]> {
        subject.pools.iter().map(|&pool| usize::from(pool)).chain([self.whole]).collect()
    }

    pub(in crate::estimate) fn at(&self, now: Instant) -> u64 {
        nanos(now.saturating_duration_since(self.began))
    }

    /// Whether a rival of what is believed would let it go, and may be tried.
    fn may_challenge(&mut self, number: usize, at: u64, subject: &Subject) -> bool {
        let book = &self.books[number];
        if !book.challenge.may_go(at, book.record.accepted) || book.scored.is_empty() {
            return false;
        }
        let believed = self.books[number].limiter.as_ref().map(|limiter| (limiter.hypothesis, limiter.route));
        let scored = &self.books[number].scored;
        let best = scored.iter().map(|scored| scored.score).fold(f64::NEG_INFINITY, f64::max);
        let rivals: smallvec::SmallVec<[Scored; 8]> = scored
            .iter()
            .filter(|rival| rival.score > best + RIVAL && Some((rival.hypothesis, rival.route)) != believed)
            .copied()
            .collect();
        rivals.iter().any(|rival| self.books[number].would_allow(at, subject, rival))
    }

    fn challenged(&mut self, at: u64, flight: &Flight, refused: bool) {
        for place in &flight.places {
            let book = &mut self.books[usize::from(place.record)];
            book.challenge.answered(
                at,
                flight.sent_at,
                refused,
                nanos(book.record.configured.per),
                book.record.accepted,
            );
        }
        self.decide(at, &flight.subject);
    }

    /// Looks what explains the evidence best now, and acts on it.
    fn decide(&mut self, at: u64, subject: &Subject) {
        for number in self.numbers(subject) {
            let is_whole = number == self.whole;
            let book = &mut self.books[number];
            book.scored = book.record.scores(at, is_whole);
        }
        let whole_wins = self.whole_wins();
        for number in self.numbers(subject) {
            let is_whole = number == self.whole;
            let acts = is_whole == whole_wins || (is_whole && whole_wins);
            self.books[number].follow(at, acts);
        }
    }

    /// Whether one limit of all pools explains more than those of each.
    fn whole_wins(&self) -> bool {
        let pools: Vec<&Book> = self.books[..self.whole].iter().filter(|book| book.total > 0).collect();
        if pools.len() < 2 {
            return false;
        }
        let own = pools.iter().filter(|book| !book.is_mixed()).filter_map(|book| book.best()).sum::<f64>();
        let mixed = pools.iter().filter(|book| book.is_mixed()).filter_map(|book| book.best());
        let own = own
            + mixed.fold(None, |best: Option<f64>, own| Some(best.map_or(own, |best| best.max(own)))).unwrap_or(0.0);
        self.books[self.whole].best().is_some_and(|whole| whole > own)
    }
}

fn longest(one: Gate, other: Gate) -> Gate {
    match (one, other) {
        (Gate::Freed, _) | (_, Gate::Freed) => Gate::Freed,
        (Gate::Until(one), Gate::Until(other)) => Gate::Until(one.max(other)),
        (Gate::Open, gate) | (gate, Gate::Open) => gate,
    }
}
