use std::time::{Duration, Instant};

use super::foreign::Foreign;
use super::share::whole;
use super::stats::Others;
use super::tally::Clock;
use super::weather::Weather;
use crate::limit::Rate;
use crate::meter::Meter;

/// One limit: the weather changes it, and somebody else may use it as well.
#[derive(Debug)]
pub(super) struct Cap {
    pub(super) measure: Measure,
    /// The limit in fair weather.
    pub(super) rate: Rate,
    pub(super) meter: Meter,
    pub(super) others: Others,
    /// The limit now.
    amount: u32,
    foreign: Foreign,
}

/// What a limit counts, which decides how it words its refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    /// Requests of a type; such limits are not named.
    OfType,
    /// A model's requests per minute.
    Requests,
    /// A model's requests per day.
    RequestsADay,
    /// A model's tokens per minute.
    Tokens,
}

/// What a request takes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    pub(super) requests: u32,
    pub(super) tokens: u32,
}

/// A limit without room for a request.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Exhausted {
    pub(super) measure: Measure,
    pub(super) limit: u32,
    pub(super) used: u32,
    pub(super) requested: u32,
    /// When there may be room again.
    pub(super) again_in: Duration,
}

/// How a limit stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Left {
    pub(super) limit: u32,
    pub(super) remaining: u32,
    /// When all of it is there again.
    pub(super) reset: Duration,
}

impl Cap {
    pub(super) fn new(measure: Measure, rate: Rate, meter: Meter, chance: fastrand::Rng, now: Instant) -> Self {
        let foreign = Foreign::new(chance, meter.per(), now);
        Self { measure, rate, meter, others: Others::default(), amount: rate.amount(), foreign }
    }

    /// From now on this is the weather.
    pub(super) fn meet(&mut self, weather: &Weather, now: Instant) {
        self.amount = weather.scale.of(self.rate.amount());
        self.meter.resize(now, self.amount);
        self.foreign.begin(whole(weather.foreign.of(f64::from(self.amount / self.bite()))), now);
    }

    /// Counts what others have taken by now; what found no room is dropped.
    pub(super) fn settle(&mut self, clock: Clock, now: Instant) {
        let bite = self.bite();
        while let Some(at) = self.foreign.next(now) {
            if self.meter.room(at, bite).is_ok() {
                self.meter.count(at, bite);
                self.others.admitted.add(clock, at, bite.into());
            } else {
                self.others.dropped += u64::from(bite);
            }
        }
    }

    /// A request arrives, which may be one too many.
    pub(super) fn arrive(&mut self, now: Instant, cost: Cost) -> Option<Exhausted> {
        let requested = self.measure.of(cost);
        self.meter.arrive(now, requested);
        let again_in = self.meter.room(now, requested).err()?;
        let used = self.amount.saturating_sub(whole(self.meter.left(now)));
        Some(Exhausted { measure: self.measure, limit: self.amount, used, requested, again_in })
    }

    pub(super) fn count(&mut self, now: Instant, cost: Cost) {
        self.meter.count(now, self.measure.of(cost));
    }

    pub(super) fn left(&mut self, now: Instant) -> Left {
        let remaining = whole(self.meter.left(now));
        Left { limit: self.amount, remaining, reset: self.meter.wait(now, f64::from(self.amount)) }
    }

    /// What each request of somebody else's takes: a hundredth of a minute's tokens, as a request of a usual size.
    fn bite(&self) -> u32 {
        if self.measure == Measure::Tokens { (self.rate.amount() / 100).max(1) } else { 1 }
    }
}

impl Cost {
    /// So many more of whatever a pool counts.
    pub(super) fn add(&mut self, cost: u32) {
        self.requests = self.requests.saturating_add(cost);
        self.tokens = self.tokens.saturating_add(cost);
    }
}

impl Measure {
    /// As refusals say it.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::OfType => "requests of this type",
            Self::Requests => "requests per min (RPM)",
            Self::RequestsADay => "requests per day (RPD)",
            Self::Tokens => "tokens per min (TPM)",
        }
    }

    /// In one word.
    pub(super) fn counts(self) -> &'static str {
        if self == Self::Tokens { "tokens" } else { "requests" }
    }

    fn of(self, cost: Cost) -> u32 {
        if self == Self::Tokens { cost.tokens } else { cost.requests }
    }
}

impl Exhausted {
    /// What no wait helps against comes before what lasts long.
    pub(super) fn rank(&self) -> (bool, Duration) {
        (self.is_too_large(), self.again_in)
    }

    /// No wait makes room for it.
    pub(super) fn is_too_large(&self) -> bool {
        self.measure != Measure::OfType && self.requested > self.limit
    }
}
