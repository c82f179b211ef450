//! A pool whose limits several gates share: each limit has a stock of places beside its window.

use std::time::{Duration, Instant};

use super::{Limits, Pool, Shape, longest};
use crate::limit::stock::{Demand, Source, Stock, TurnTime};
use crate::limit::stocks::Stocks;
use crate::limit::{NotYet, Rate};
use crate::replica::{Lease, MeterCall};

/// How long a place in flight counts whose gate is gone. A guess: the upstream may go on answering for as long.
const ANSWER: Duration = Duration::from_mins(2);

impl Pool {
    /// From now on its limits are shared with other gates, and nothing is leased yet.
    pub(crate) fn lease(&mut self, limits: &Limits) {
        self.stocks = Some(Box::new(stocks_of(limits)));
    }

    /// May it go by what is leased?
    pub(super) fn check_stocks(&mut self, now: Instant, cost: u32) -> Result<(), NotYet> {
        let Some(stocks) = self.stocks.take() else { return Ok(()) };
        let mut verdict = Ok(());
        for (nth, stock) in stocks.rates.iter().enumerate() {
            let since = now.checked_sub(stock.span()).unwrap_or(now);
            let used = self.windows.get(nth % self.windows.len().max(1)).map_or(0, |log| log.committed_since(since));
            verdict = longest(verdict, stock.check(now, self.reserved, used, cost));
        }
        if let Some(stock) = &stocks.in_flight {
            verdict = longest(verdict, stock.check(now, self.in_flight.into(), 0, 1));
        }
        self.stocks = Some(stocks);
        verdict
    }

    /// It could go by all but what is leased, and the store has some.
    pub(crate) fn waits_for_store(&mut self, now: Instant, cost: u32) -> bool {
        let Some(stocks) = self.stocks.take() else { return false };
        let is_else_free = self.check(now, cost).is_ok();
        let has = stocks.rates.iter().all(|stock| stock.waits_for_store(now, cost))
            && stocks.in_flight.iter().all(|stock| stock.waits_for_store(now, 1));
        self.stocks = Some(stocks);
        is_else_free && has
    }

    pub(super) fn commit_stocks(&mut self, now: Instant, cost: u32) {
        self.stocks.iter_mut().flat_map(|stocks| &mut stocks.rates).for_each(|stock| stock.commit(now, cost));
    }

    /// What was sent at `at` costs so much less, or more.
    pub(super) fn correct_stocks(&mut self, at: Instant, less: u64, more: u64) {
        for stock in self.stocks.iter_mut().flat_map(|stocks| &mut stocks.rates) {
            stock.refund(at, less);
            stock.add(at, more);
        }
    }

    pub(crate) fn has_nothing_leased(&self) -> bool {
        self.stocks.as_ref().is_none_or(|stocks| stocks.all().all(Stock::is_idle))
    }

    /// When it goes by what is leased, and by what this gate gets of what becomes free.
    pub(super) fn turn_of_stocks(&self, now: Instant, ahead: u64, own: u32) -> Instant {
        let rates = self.stocks.iter().flat_map(|stocks| &stocks.rates);
        rates.map(|stock| stock.turn_of(now, ahead, own)).max().unwrap_or(now)
    }

    /// What is said in a turn of each of its limits.
    pub(crate) fn turn_call(&mut self, time: TurnTime, demand: Demand, declared: Option<Instant>) -> Vec<MeterCall> {
        let Some(mut stocks) = self.stocks.take() else { return Vec::new() };
        let (reserved, in_flight) = (self.reserved, u64::from(self.in_flight));
        let requests = Demand { cost: demand.requests, first: 1, ..demand };
        let mut calls = Vec::new();
        let windows = self.windows.len().max(1);
        for (nth, stock) in stocks.rates.iter_mut().enumerate() {
            calls.push(match declared {
                Some(known) => {
                    let log = self
                        .windows
                        .get_mut(nth % windows)
                        .map(|log| log.spent(time.now, MOST_DECLARED))
                        .unwrap_or_default();
                    let log: Vec<_> = log.into_iter().filter(|&(at, _)| at >= known).collect();
                    stock.declare(time, reserved, &log, demand)
                }
                None => stock.call(time, reserved, demand),
            });
        }
        calls.extend(stocks.in_flight.as_mut().map(|stock| match declared {
            Some(_) => stock.declare(time, in_flight, &[], requests),
            None => stock.call(time, in_flight, requests),
        }));
        self.stocks = Some(stocks);
        calls
    }

    /// What came of that: of each of its limits, in the same order.
    pub(crate) fn leased(&mut self, now: Instant, until: Instant, leases: &mut impl Iterator<Item = Lease>) {
        for stock in self.stocks.iter_mut().flat_map(|stocks| stocks.all_mut()) {
            if let Some(lease) = leases.next() {
                stock.leased(now, until, lease);
            }
        }
    }

    /// Without the store, places come from there; `since` is when the store was last heard.
    pub(crate) fn set_source(&mut self, source: impl Fn(Duration) -> Source) {
        for stock in self.stocks.iter_mut().flat_map(|stocks| stocks.all_mut()) {
            stock.set_source(source(stock.span()));
        }
    }
}

/// So many entries a gate declares of one window. A guess: a minute to 120 ms.
const MOST_DECLARED: usize = 500;

fn stocks_of(limits: &Limits) -> Stocks {
    let window = |rate: &Rate| Stock::new(rate.amount().into(), rate.per().saturating_add(limits.margin));
    let mut rates: Vec<_> = limits.requests.iter().map(window).collect();
    if let Shape::Smooth { burst } = limits.shape {
        let span = |rate: &Rate| (rate.interval() * burst.get()).saturating_add(limits.margin);
        rates.extend(limits.requests.iter().map(|rate| Stock::new(burst.get().into(), span(rate))));
    }
    Stocks { rates, in_flight: limits.in_flight.map(|most| Stock::new(most.get().into(), ANSWER)) }
}
