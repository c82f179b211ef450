use std::num::NonZeroU32;

use serde::Serialize;

use super::ratio::ratio;
use super::tally::Group;
use super::waits::Waits;
use crate::limit::{EstimateView, PoolId, Rate};
use crate::scheduler::InstanceState;
use crate::settings::PoolSettings;

/// What has come of one pool instance.
pub(super) struct Instance {
    pub(super) pool: PoolId,
    pub(super) key: Box<str>,
    pub(super) group: Group,
    waiting: u32,
    pub(super) longest_line: u32,
    /// How much of each limit was used.
    limits: Vec<Used>,
    most_in_flight: Option<NonZeroU32>,
    pub(super) points: Vec<Point>,
    /// The waits that have ended since it was last looked at.
    pub(super) recent: Waits,
    pub(super) learned: Option<Rate>,
}

/// How much of a limit was used.
#[derive(Default)]
struct Used {
    limit: String,
    sum: f64,
    peak: f64,
}

/// How much of a limit was used: 1 is all of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Utilisation {
    /// Which, as it is configured.
    pub limit: String,
    /// On average, as long as there was traffic.
    pub mean: f64,
    /// At most.
    pub peak: f64,
}

/// The state of a pool instance at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Point {
    /// How much is used of the limit that is used most: 1 is all of it.
    pub used: f64,
    /// How many wait.
    pub waiting: u32,
    /// Of those who were answered since the moment before, the 95th percentile of the wait, in milliseconds.
    pub wait_p95_ms: f64,
    /// Whether one who comes must wait.
    pub full: bool,
}

impl Instance {
    /// A new one, when it has been looked so many times at the others.
    pub(super) fn new(id: PoolId, pool: &PoolSettings, key: &str, looks: usize) -> Self {
        let rates = pool.rates();
        let limits = rates.chain(pool.limits.in_flight.map(|most| format!("{most} in flight")));
        Self {
            pool: id,
            key: key.into(),
            group: Group::default(),
            waiting: 0,
            longest_line: 0,
            limits: limits.map(|limit| Used { limit, ..Used::default() }).collect(),
            most_in_flight: pool.limits.in_flight,
            points: vec![Point::default(); looks],
            recent: Waits::default(),
            learned: None,
        }
    }

    pub(super) fn joins_line(&mut self) {
        self.waiting += 1;
        self.longest_line = self.longest_line.max(self.waiting);
    }

    pub(super) fn leaves_line(&mut self) {
        self.waiting -= 1;
    }

    /// Looks at it; in the mean of what is used it `counts` as long as there is traffic.
    pub(super) fn sample(&mut self, state: &InstanceState, counts: bool) {
        let in_flight = f64::from(state.usage.in_flight);
        let windows = state.usage.windows.iter().map(|&(rate, used)| ratio(used, rate.amount().into()));
        let most = self.most_in_flight.map(|most| f64::from(most.get()));
        let shares: Vec<f64> = windows.chain(most.map(|most| in_flight / most)).collect();
        for (used, share) in self.limits.iter_mut().zip(&shares) {
            used.sum += if counts { *share } else { 0.0 };
            used.peak = used.peak.max(*share);
        }
        self.points.push(Point {
            used: shares.iter().copied().fold(0.0, f64::max),
            waiting: self.waiting,
            wait_p95_ms: std::mem::take(&mut self.recent).waited().p95,
            full: !state.eta.is_zero() || most.is_some_and(|most| in_flight >= most),
        });
        self.learned = state.usage.learned.as_ref().and_then(|learned| learned.estimate).and_then(EstimateView::limit);
    }

    /// One that the gate has forgotten is idle.
    pub(super) fn reaches(&mut self, looks: usize) {
        self.points.resize(looks, Point::default());
    }

    /// Of two points the worse stays.
    pub(super) fn thin(&mut self) {
        self.points = self.points.chunks(2).map(|pair| pair.iter().copied().fold(Point::default(), worse)).collect();
    }

    /// Of each limit how much was used on average, and at most, where it was looked at so often.
    pub(super) fn used(&self, looks: u32) -> Vec<Utilisation> {
        let of = |used: &Used| Utilisation {
            limit: used.limit.clone(),
            mean: used.sum / f64::from(looks.max(1)),
            peak: used.peak,
        };
        self.limits.iter().map(of).collect()
    }
}

fn worse(one: Point, other: Point) -> Point {
    Point {
        used: one.used.max(other.used),
        waiting: one.waiting.max(other.waiting),
        wait_p95_ms: one.wait_p95_ms.max(other.wait_p95_ms),
        full: one.full || other.full,
    }
}
