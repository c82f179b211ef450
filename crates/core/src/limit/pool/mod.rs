mod fill;
mod learning;
mod leasing;
mod saved;
mod usage;

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::learned::{Learned, LearnedUsage};
use super::pace::Pace;
use super::stocks::Stocks;
use super::window::Window;
use super::{Never, NotYet, Rate, Share};
pub use fill::Fill;
pub(super) use learning::RefusalFit;
pub use learning::{FillLevel, Hint};
pub use usage::{SavedPace, SavedUsage, SavedWindow};

/// The window in which is counted what has no limit that is known: most limits of OpenAI are so many a minute
/// (docs/upstream.md §1 and §2).
const MINUTE: Duration = Duration::from_mins(1);

/// How long before its turn a reservation keeps a place in flight. A guess: about as long as a short answer takes.
const SOON: Duration = Duration::from_secs(1);

/// What a pool counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// None is known before an answer tells: until then four requests a second go.
    Discover,
}

/// How a pool spends its rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// At once, while the window has room.
    ///
    /// The cap is exact in every trailing window, wherever it begins:
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use tidegate_core::limit::{Charge, Ledger, Limits, NotYet, PoolId};
    ///
    /// let mut ledger = Ledger::new(vec![Limits { requests: vec!["2/min".parse()?], ..Limits::default() }]);
    /// let charges = [Charge { instance: ledger.instance(PoolId(0), None), cost: 1 }];
    /// let start = Instant::now();
    /// let at = |seconds| start + Duration::from_secs(seconds);
    ///
    /// for now in [at(0), at(20)] {
    ///     ledger.reserve(now, &charges, |_| None).expect("the window has room");
    ///     ledger.commit(now, &charges);
    /// }
    /// // The window is full until the first request has left it.
    /// let reserved = ledger.reserve(at(40), &charges, |_| None);
    /// assert_eq!(reserved, Err((charges[0].instance, NotYet::Until(at(60)))));
    /// assert_eq!(ledger.reserve(at(60), &charges, |_| None), Ok(()));
    /// # Ok::<(), tidegate_core::limit::ParseRateError>(())
    /// ```
    #[default]
    Window,
    /// At an even pace, of which up to `burst` may go at once.
    ///
    /// ```
    /// use std::num::NonZeroU32;
    /// use std::time::{Duration, Instant};
    /// use tidegate_core::limit::{Charge, Ledger, Limits, NotYet, PoolId, Shape};
    ///
    /// let shape = Shape::Smooth { burst: NonZeroU32::new(2).unwrap() };
    /// let mut ledger = Ledger::new(vec![Limits { requests: vec!["60/min".parse()?], shape, ..Limits::default() }]);
    /// let charges = [Charge { instance: ledger.instance(PoolId(0), None), cost: 1 }];
    /// let now = Instant::now();
    ///
    /// // The burst goes at once, and then one request a second.
    /// for _ in 0..2 {
    ///     ledger.reserve(now, &charges, |_| None).expect("the burst has room");
    ///     ledger.commit(now, &charges);
    /// }
    /// let reserved = ledger.reserve(now, &charges, |_| None);
    /// assert_eq!(reserved, Err((charges[0].instance, NotYet::Until(now + Duration::from_secs(1)))));
    /// # Ok::<(), tidegate_core::limit::ParseRateError>(())
    /// ```
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
    /// Which part of an instance's key is the model, if any is: then answers that name figures tell its own.
    pub model_part: Option<usize>,
    /// Which part of the account's limits these are.
    pub share: Share,
}

impl Limits {
    /// The part of them that one of several gates has.
    #[must_use]
    pub fn shared(self, share: Share) -> Self {
        let shape = match self.shape {
            Shape::Window => Shape::Window,
            Shape::Smooth { burst } => Shape::Smooth { burst: share.of_count(burst) },
        };
        let requests = self.requests.into_iter().map(|rate| share.of_rate(rate)).collect();
        let in_flight = self.in_flight.map(|most| share.of_count(most));
        Self { requests, in_flight, shape, share, ..self }
    }

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

/// What another request will take later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaterCharge {
    /// What it will take.
    pub cost: u32,
    /// When.
    pub at: Instant,
}

/// One instance of a pool: its limits and what is taken of them.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    /// The configured ones; one without a cap where none is configured and limits are learned.
    pub(super) windows: Vec<Window>,
    paces: Vec<Pace>,
    most_in_flight: Option<NonZeroU32>,
    pub(super) learned: Option<Box<Learned>>,
    pub(super) learn: Learn,
    pub(super) margin: Duration,
    reserved: u64,
    in_flight: u32,
    /// Since when requests have been asking for it, here and before a restart.
    watched: Option<Instant>,
    /// What is leased, where several gates share the limits.
    stocks: Option<Box<Stocks>>,
}

/// What is taken of a pool instance at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolUsage {
    /// Each limit with what its window holds now.
    pub windows: Vec<(Rate, u64)>,
    /// Granted and not sent yet (cost).
    pub reserved: u64,
    /// Granted and not over yet (requests).
    pub in_flight: u32,
    /// What the upstream has taught of it.
    pub learned: Option<LearnedUsage>,
}

impl Pool {
    /// An instance of which nothing is taken.
    #[must_use]
    pub(crate) fn new(limits: &Limits) -> Self {
        let paces = match limits.shape {
            Shape::Window => Vec::new(),
            Shape::Smooth { burst } => {
                limits.requests.iter().map(|&rate| Pace::new(rate, limits.margin, burst)).collect()
            }
        };
        let mut windows: Vec<_> = limits.requests.iter().map(|&rate| Window::new(rate, limits.margin)).collect();
        if windows.is_empty() && limits.learn != Learn::Never {
            windows.push(Window::open(MINUTE));
        }
        Self {
            windows,
            paces,
            most_in_flight: limits.in_flight,
            learned: (limits.learn == Learn::Discover && limits.unit == Unit::Requests)
                .then(|| Box::new(Learned::unknown())),
            learn: limits.learn,
            margin: limits.margin,
            reserved: 0,
            in_flight: 0,
            watched: None,
            stocks: None,
        }
    }

    fn windows(&self) -> impl Iterator<Item = &Window> {
        self.windows.iter().chain(self.learned.as_ref().and_then(|learned| learned.window()))
    }

    pub(super) fn windows_mut(&mut self) -> impl Iterator<Item = &mut Window> {
        self.windows.iter_mut().chain(self.learned.as_mut().and_then(|learned| learned.window_mut()))
    }

    fn paces(&self) -> impl Iterator<Item = &Pace> {
        self.paces.iter().chain(self.learned.as_ref().and_then(|learned| learned.pace()))
    }

    pub(super) fn paces_mut(&mut self) -> impl Iterator<Item = &mut Pace> {
        self.paces.iter_mut().chain(self.learned.as_mut().and_then(|learned| learned.pace_mut()))
    }

    /// The earliest instant at which a request may go, whatever room there is.
    fn opens(&self, now: Instant) -> Instant {
        self.learned.as_ref().and_then(|learned| learned.not_until(now)).unwrap_or(now)
    }

    /// May a request that costs `cost` go now? Takes nothing.
    ///
    /// # Errors
    /// [`NotYet`] of the limit that keeps it longest.
    pub(crate) fn check(&mut self, now: Instant, cost: u32) -> Result<(), NotYet> {
        self.watched.get_or_insert(now);
        let room = self.most_in_flight.is_none_or(|most| self.in_flight < most.get());
        let mut verdict = if room { Ok(()) } else { Err(NotYet::Freed) };
        let reserved = self.reserved;
        for window in self.windows_mut() {
            verdict = longest(verdict, window.check(now, reserved, cost));
        }
        for pace in self.paces() {
            verdict = longest(verdict, pace.check(now, reserved, cost));
        }
        if self.stocks.is_some() {
            verdict = longest(verdict, self.check_stocks(now, cost));
        }
        self.learned.as_ref().map_or(verdict, |learned| longest(verdict, learned.check(now)))
    }

    /// Whether something that costs `cost` may go now and leave room for a reservation. How long it will be in flight is
    /// unknown, so a place in flight is kept free for the last second only.
    #[must_use]
    pub(crate) fn leaves(&self, now: Instant, cost: u32, later: LaterCharge) -> bool {
        let LaterCharge { cost: kept, at } = later;
        let is_soon = at <= now + SOON;
        self.most_in_flight.is_none_or(|most| !is_soon || self.in_flight + 1 < most.get())
            && self.windows().all(|window| window.leaves(now, self.reserved, cost, kept, at))
            && self.paces().all(|pace| pace.leaves(now, self.reserved, cost, kept, at))
    }

    /// How much may go from now on until `by`, by the rates alone, if all of it goes as early as it may.
    #[must_use]
    pub(crate) fn room_by(&self, now: Instant, by: Instant) -> u64 {
        let from = self.opens(now).min(by);
        let windows = self.windows().map(|window| window.room_by(from, by));
        windows.chain(self.paces().map(|pace| pace.room_by(from, by))).min().unwrap_or(u64::MAX)
    }

    /// Takes a place, from the grant on.
    pub(crate) fn reserve(&mut self, cost: u32) {
        self.reserved += u64::from(cost);
        self.in_flight += 1;
    }

    /// The request was sent: what was reserved is committed.
    pub(crate) fn commit(&mut self, now: Instant, cost: u32) {
        self.reserved -= u64::from(cost);
        self.windows_mut().for_each(|window| window.commit(now, cost));
        self.paces_mut().for_each(|pace| pace.commit(now, cost));
        self.commit_stocks(now, cost);
    }

    /// The request was never sent: what was reserved is free again.
    pub(crate) fn refund(&mut self, cost: u32) {
        self.reserved -= u64::from(cost);
    }

    /// The request is over, sent or not.
    pub(crate) fn release(&mut self) {
        self.in_flight -= 1;
    }

    /// When something that costs `own` would go after `ahead` more, by the rates alone: how long others stay in flight is
    /// unknown.
    pub(crate) fn turn_of(&mut self, now: Instant, ahead: u64, own: u32) -> Instant {
        let ahead = ahead + self.reserved;
        let opens = self.opens(now);
        let windows = self.windows_mut().map(|window| window.turn_of(now, ahead, own));
        let by_windows = windows.max().unwrap_or(now);
        let by_paces = self.paces().map(|pace| pace.turn_of(now, ahead, own)).max().unwrap_or(now);
        let turn = by_windows.max(by_paces).max(self.turn_of_stocks(now, ahead, own));
        if opens > now { turn.max(self.turn_after(opens, ahead, own)) } else { turn }
    }

    /// When something that costs `own` would go after `before` more of which none goes before `first`: the earliest
    /// that the rates allow, whatever else is taken.
    #[must_use]
    pub(crate) fn turn_after(&self, first: Instant, before: u64, own: u32) -> Instant {
        let windows = self.windows().map(|window| window.turn_after(first, before, own));
        let paces = self.paces().map(|pace| pace.turn_after(first, before, own));
        windows.chain(paces).max().unwrap_or(first)
    }

    /// Nothing of it is taken, and nothing that was taken still counts.
    pub(crate) fn is_idle(&mut self, now: Instant) -> bool {
        self.reserved == 0
            && self.in_flight == 0
            && self.learned.as_ref().is_none_or(|learned| learned.is_stale(now))
            && self.windows_mut().all(|window| window.used(now) == 0)
            && self.paces().all(|pace| pace.is_idle(now))
            && self.has_nothing_leased()
    }

    /// What is taken at `now`.
    pub(crate) fn usage(&mut self, now: Instant) -> PoolUsage {
        let bounded = self.windows.iter_mut().filter(|window| !window.is_open());
        let windows = bounded.map(|window| (window.rate(), window.used(now))).collect();
        let learned = self.learned.as_ref().map(|learned| learned.usage(now));
        PoolUsage { windows, reserved: self.reserved, in_flight: self.in_flight, learned }
    }
}

/// Of two verdicts the one that keeps longer; [`NotYet::Freed`] has no end and is the longest.
fn longest(one: Result<(), NotYet>, other: Result<(), NotYet>) -> Result<(), NotYet> {
    match (one, other) {
        (Err(one), Err(other)) => Err(one.max(other)),
        (one, other) => one.and(other),
    }
}
