use std::num::NonZeroU32;

use serde::Serialize;

use super::group_stats::GroupStats;
use super::ratio::ratio;
use super::waits::WaitSamples;
use crate::limit::{EstimateView, PoolId, Rate};
use crate::scheduler::InstanceState;
use crate::settings::PoolSettings;

/// The statistics of one pool instance.
pub(super) struct InstanceStats {
    pub(super) pool: PoolId,
    pub(super) key: Box<str>,
    pub(super) group: GroupStats,
    waiting: u32,
    pub(super) longest_line: u32,
    /// The use of each limit.
    limits: Vec<UsedLimit>,
    most_in_flight: Option<NonZeroU32>,
    pub(super) points: Vec<LoadPoint>,
    /// The waits that ended since the last sample.
    pub(super) recent: WaitSamples,
    pub(super) learned: Option<Rate>,
}

/// The use of a limit.
#[derive(Default)]
struct UsedLimit {
    limit: String,
    sum: f64,
    peak: f64,
}

/// The use of a limit: 1 is all of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Utilisation {
    /// The limit, as configured.
    pub limit: String,
    /// The mean over the time with traffic.
    pub mean: f64,
    /// The maximum.
    pub peak: f64,
}

/// The state of a pool instance at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LoadPoint {
    /// The use of the limit that is used most: 1 is all of it.
    pub used: f64,
    /// Requests waiting.
    pub waiting: u32,
    /// The 95th percentile of the waits that ended since the point before, in milliseconds.
    pub wait_p95_ms: f64,
    /// Whether a new request must wait.
    pub full: bool,
}

impl InstanceStats {
    /// A new instance, after this many samples of the others.
    pub(super) fn new(id: PoolId, pool: &PoolSettings, key: &str, looks: usize) -> Self {
        let rates = pool.rates();
        let limits = rates.chain(pool.limits.in_flight.map(|most| format!("{most} in flight")));
        Self {
            pool: id,
            key: key.into(),
            group: GroupStats::default(),
            waiting: 0,
            longest_line: 0,
            limits: limits.map(|limit| UsedLimit { limit, ..UsedLimit::default() }).collect(),
            most_in_flight: pool.limits.in_flight,
            points: vec![LoadPoint::default(); looks],
            recent: WaitSamples::default(),
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

    /// Adds a sample. It `counts` for the mean while there is traffic.
    pub(super) fn sample(&mut self, state: &InstanceState, counts: bool) {
        let in_flight = f64::from(state.usage.in_flight);
        let windows = state.usage.windows.iter().map(|&(rate, used)| ratio(used, rate.amount().into()));
        let most = self.most_in_flight.map(|most| f64::from(most.get()));
        let shares: Vec<f64> = windows.chain(most.map(|most| in_flight / most)).collect();
        for (used, share) in self.limits.iter_mut().zip(&shares) {
            used.sum += if counts { *share } else { 0.0 };
            used.peak = used.peak.max(*share);
        }
        self.points.push(LoadPoint {
            used: shares.iter().copied().fold(0.0, f64::max),
            waiting: self.waiting,
            wait_p95_ms: std::mem::take(&mut self.recent).waited().p95,
            full: !state.eta.is_zero() || most.is_some_and(|most| in_flight >= most),
        });
        self.learned = state.usage.learned.as_ref().and_then(|learned| learned.estimate).and_then(EstimateView::limit);
    }

    /// Fills up the samples of an instance that the gate has forgotten, as idle.
    pub(super) fn reaches(&mut self, looks: usize) {
        self.points.resize(looks, LoadPoint::default());
    }

    /// Merges each two points into the worse of them.
    pub(super) fn thin(&mut self) {
        self.points =
            self.points.chunks(2).map(|pair| pair.iter().copied().fold(LoadPoint::default(), worse)).collect();
    }

    /// The mean and the maximum use of each limit, of this many samples.
    pub(super) fn used(&self, looks: u32) -> Vec<Utilisation> {
        let of = |used: &UsedLimit| Utilisation {
            limit: used.limit.clone(),
            mean: used.sum / f64::from(looks.max(1)),
            peak: used.peak,
        };
        self.limits.iter().map(of).collect()
    }
}

fn worse(one: LoadPoint, other: LoadPoint) -> LoadPoint {
    LoadPoint {
        used: one.used.max(other.used),
        waiting: one.waiting.max(other.waiting),
        wait_p95_ms: one.wait_p95_ms.max(other.wait_p95_ms),
        full: one.full || other.full,
    }
}
