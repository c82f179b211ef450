use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use super::pace::Pace;
use super::window::Window;
use super::{Never, NotYet, Rate};

/// How long before its turn a reservation keeps a place in flight.
const SOON: Duration = Duration::from_secs(1);

/// What a pool counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unit {
    /// Requests, or whatever its routes say that a request costs.
    #[default]
    Requests,
    /// Tokens of a model: estimated before the request goes, and corrected by its answer.
    Tokens,
}

/// Whether a pool's limits follow what the upstream shows of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Learn {
    /// They stay as they are configured.
    Never,
    /// They tighten, and come back as the upstream gives way.
    #[default]
    Tighten,
    /// None is known before an answer tells: until then requests go one at a time.
    Discover,
}

/// How a pool spends its rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// At once, while the window has room.
    #[default]
    Window,
    /// At an even pace, of which up to `burst` may go at once.
    Smooth {
        /// How many may go at once.
        burst: NonZeroU32,
    },
}

/// The limits of a pool, as configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Each caps every trailing window of its span.
    pub requests: Vec<Rate>,
    /// How many requests may be between their grant and the last byte of their answer.
    pub in_flight: Option<NonZeroU32>,
    /// How the rate is spent.
    pub shape: Shape,
    /// Added to every window, against jitter on the way to the upstream.
    pub margin: Duration,
    /// What is counted.
    pub unit: Unit,
    /// Whether they follow what the upstream shows.
    pub learn: Learn,
}

impl Limits {
    /// Whether something that costs `cost` can go at all, however long it waits.
    ///
    /// # Errors
    /// [`Never`], with the limit that is too small.
    pub fn fits(&self, cost: u32) -> Result<(), Never> {
        match self.requests.iter().find(|rate| rate.amount() < cost) {
            Some(&limit) => Err(Never { limit }),
            None => Ok(()),
        }
    }

    /// The most that a single request may cost. Where no rate counts costs, each request is one.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.requests.iter().map(|rate| rate.amount()).min().unwrap_or(1)
    }
}

/// Room that is kept for somebody who will go later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// What it will take.
    pub cost: u32,
    /// When.
    pub at: Instant,
}

/// One instance of a pool: its limits and what is taken of them.
#[derive(Clone, Debug)]
pub struct Pool {
    windows: Vec<Window>,
    paces: Vec<Pace>,
    most_in_flight: Option<NonZeroU32>,
    held: u64,
    in_flight: u32,
}

/// What is taken of a pool instance at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolUsage {
    /// Each limit with what its window holds now.
    pub windows: Vec<(Rate, u64)>,
    /// Granted and not sent yet (cost).
    pub held: u64,
    /// Granted and not over yet (requests).
    pub in_flight: u32,
}

impl Pool {
    /// An instance of which nothing is taken.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let paces = match limits.shape {
            Shape::Window => Vec::new(),
            Shape::Smooth { burst } => {
                limits.requests.iter().map(|&rate| Pace::new(rate, limits.margin, burst)).collect()
            }
        };
        Self {
            windows: limits.requests.iter().map(|&rate| Window::new(rate, limits.margin)).collect(),
            paces,
            most_in_flight: limits.in_flight,
            held: 0,
            in_flight: 0,
        }
    }

    /// May a request that costs `cost` go now? Takes nothing.
    ///
    /// # Errors
    /// [`NotYet`] of the limit that keeps it longest.
    pub fn check(&mut self, now: Instant, cost: u32) -> Result<(), NotYet> {
        let room = self.most_in_flight.is_none_or(|most| self.in_flight < most.get());
        let mut verdict = if room { Ok(()) } else { Err(NotYet::Freed) };
        for window in &mut self.windows {
            verdict = longest(verdict, window.check(now, self.held, cost));
        }
        for pace in &self.paces {
            verdict = longest(verdict, pace.check(now, self.held, cost));
        }
        verdict
    }

    /// Whether something that costs `cost` may go now and leave room for a reservation. How long it will be in flight
    /// nobody can say, so that a place there is kept for the last second only.
    #[must_use]
    pub fn leaves(&self, now: Instant, cost: u32, reserved: Reserved) -> bool {
        let Reserved { cost: kept, at } = reserved;
        let is_soon = at <= now + SOON;
        self.most_in_flight.is_none_or(|most| !is_soon || self.in_flight + 1 < most.get())
            && self.windows.iter().all(|window| window.leaves(now, self.held, cost, kept, at))
            && self.paces.iter().all(|pace| pace.leaves(now, self.held, cost, kept, at))
    }

    /// How much may go from now on until `by`, by the rates alone, if all of it goes as early as it may.
    #[must_use]
    pub fn room_by(&self, now: Instant, by: Instant) -> u64 {
        let windows = self.windows.iter().map(|window| window.room_by(now, by));
        windows.chain(self.paces.iter().map(|pace| pace.room_by(now, by))).min().unwrap_or(u64::MAX)
    }

    /// Takes a place, from the grant on.
    pub fn hold(&mut self, cost: u32) {
        self.held += u64::from(cost);
        self.in_flight += 1;
    }

    /// The request was sent: what was held is spent.
    pub fn spend(&mut self, now: Instant, cost: u32) {
        self.held -= u64::from(cost);
        self.windows.iter_mut().for_each(|window| window.spend(now, cost));
        self.paces.iter_mut().for_each(|pace| pace.spend(now, cost));
    }

    /// The request was never sent: what was held is free again.
    pub fn give_back(&mut self, cost: u32) {
        self.held -= u64::from(cost);
    }

    /// The request is over, sent or not.
    pub fn land(&mut self) {
        self.in_flight -= 1;
    }

    /// When something that costs `own` would go after `ahead` more, by the rates alone: how long others stay in flight
    /// nobody can say.
    pub fn turn_of(&mut self, now: Instant, ahead: u64, own: u32) -> Instant {
        let ahead = ahead + self.held;
        let windows = self.windows.iter_mut().map(|window| window.turn_of(now, ahead + u64::from(own)));
        let paces = self.paces.iter().map(|pace| pace.turn_of(now, ahead, own));
        windows.chain(paces).max().unwrap_or(now)
    }

    /// When something that costs `own` would go after `before` more of which none goes before `first`: the earliest
    /// that the rates allow, whatever else is taken.
    #[must_use]
    pub fn turn_after(&self, first: Instant, before: u64, own: u32) -> Instant {
        let windows = self.windows.iter().map(|window| window.turn_after(first, before + u64::from(own)));
        let paces = self.paces.iter().map(|pace| pace.turn_after(first, before, own));
        windows.chain(paces).max().unwrap_or(first)
    }

    /// Nothing of it is taken, and nothing that was taken still counts.
    pub fn is_idle(&mut self, now: Instant) -> bool {
        self.held == 0
            && self.in_flight == 0
            && self.windows.iter_mut().all(|window| window.used(now) == 0)
            && self.paces.iter().all(|pace| pace.is_idle(now))
    }

    /// What is taken at `now`.
    pub fn usage(&mut self, now: Instant) -> PoolUsage {
        let windows = self.windows.iter_mut().map(|window| (window.rate(), window.used(now))).collect();
        PoolUsage { windows, held: self.held, in_flight: self.in_flight }
    }
}

/// Of two verdicts the one that keeps longer; [`NotYet::Freed`] has no end and is the longest.
fn longest(one: Result<(), NotYet>, other: Result<(), NotYet>) -> Result<(), NotYet> {
    match (one, other) {
        (Err(one), Err(other)) => Err(one.max(other)),
        (one, other) => one.and(other),
    }
}
