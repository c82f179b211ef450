use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::config_view::ConfigView;
use super::diagnosis::millis;
use super::pool::{counts, eta_ms};
use crate::admission::Snapshot;
use crate::config::Pool;
use crate::limit::PoolId;

/// The last quarter of an hour, as `/history` says it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HistoryStatus {
    /// The time from one point to the next.
    pub step_ms: u64,
    /// When the last point was, in milliseconds since the Unix epoch.
    pub until_ms: u64,
    /// The pool instances of which anything was used.
    pub pools: Vec<TrackStatus>,
}

/// What a pool instance has been through, the last point last.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrackStatus {
    /// As the pool is called in the configuration.
    pub name: String,
    /// Which instance of it; nothing where it has only one.
    pub key: Option<String>,
    /// What it counts.
    pub counts: String,
    /// Which part of the limit in force was used, where 1 is all.
    pub used: Vec<f64>,
    /// How long 95 % of the requests that went in the minute before had waited at most.
    pub wait_ms: Vec<u32>,
}

/// What pool instances have been through lately.
#[derive(Debug, Default)]
pub(super) struct History {
    until_ms: u64,
    tracks: HashMap<InstanceName, Track>,
}

type InstanceName = (PoolId, Arc<str>);

#[derive(Debug, Default)]
struct Track {
    points: VecDeque<HistoryPoint>,
    /// How busy it has been, the last minutes more than those before.
    busy: u64,
}

/// One instance at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct HistoryPoint {
    used_thousandths: u16,
    wait_ms: u32,
}

/// The time from one point to the next, and how many points there are: a quarter of an hour. A guess: ten usual
/// windows.
pub(super) const STEP: Duration = Duration::from_secs(5);
const POINTS: usize = 180;

/// How many instances are remembered; of more, those that have been busiest. A guess: with all their
/// points they take 1.5 MB.
const MOST: usize = 1_000;

impl History {
    /// How things are now.
    pub(super) fn note(&mut self, config: &ConfigView, snapshot: &Snapshot, at_ms: u64) {
        let points = snapshot.instances.iter().map(|state| {
            let in_force = super::pool::InForceStatus::new(&config.pools[state.pool.0], state);
            let point = HistoryPoint {
                used_thousandths: in_force.map_or(0, |in_force| thousandths(in_force.ratio())),
                wait_ms: eta_ms(state.waits.p95),
            };
            ((state.pool, Arc::clone(&state.key)), point)
        });
        self.push(points.collect(), at_ms);
    }

    fn push(&mut self, mut now: HashMap<InstanceName, HistoryPoint>, at_ms: u64) {
        self.until_ms = at_ms;
        for (name, track) in &mut self.tracks {
            track.push(now.remove(name).unwrap_or_default());
        }
        self.tracks.retain(|_, track| !track.is_still());
        for (name, point) in now.into_iter().filter(|(_, point)| *point != HistoryPoint::default()) {
            self.tracks.entry(name).or_default().push(point);
        }
        self.forget_the_calm();
    }

    fn forget_the_calm(&mut self) {
        if self.tracks.len() <= MOST {
            return;
        }
        let mut busy: Vec<u64> = self.tracks.values().map(|track| track.busy).collect();
        busy.sort_unstable_by_key(|&busy| Reverse(busy));
        let (least, mut room) = (busy[MOST - 1], MOST);
        room -= busy.iter().filter(|&&busy| busy > least).count();
        self.tracks.retain(|_, track| {
            let stays = track.busy > least || track.busy == least && room > 0;
            room -= usize::from(stays && track.busy == least);
            stays
        });
    }

    /// What is remembered of the instances that are meant.
    pub(super) fn status(&self, pools: &[Pool], is_meant: impl Fn(&str, &str) -> bool) -> HistoryStatus {
        let meant = self.tracks.iter().filter(|((pool, key), _)| is_meant(&pools[pool.0].name, key));
        let mut meant: Vec<_> = meant.collect();
        meant.sort_by_key(|(name, _)| *name);
        let tracks = meant.into_iter().map(|((pool, key), track)| track.status(&pools[pool.0], key));
        HistoryStatus { step_ms: millis(STEP), until_ms: self.until_ms, pools: tracks.collect() }
    }
}

impl Track {
    fn push(&mut self, point: HistoryPoint) {
        if self.points.len() == POINTS {
            self.points.pop_front();
        }
        self.points.push_back(point);
        self.busy -= self.busy / 64;
        self.busy += u64::from(point.used_thousandths) + u64::from(point.wait_ms.min(1_000_000));
    }

    /// Nothing was used of it, for as long as is remembered.
    fn is_still(&self) -> bool {
        self.points.iter().all(|point| *point == HistoryPoint::default())
    }

    fn status(&self, pool: &Pool, key: &str) -> TrackStatus {
        TrackStatus {
            name: pool.name.clone(),
            key: (!key.is_empty()).then(|| key.to_owned()),
            counts: counts(pool).to_owned(),
            used: self.points.iter().map(|point| f64::from(point.used_thousandths) / 1e3).collect(),
            wait_ms: self.points.iter().map(|point| point.wait_ms).collect(),
        }
    }
}

/// Rounded up, so that whatever is used is not nothing.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
fn thousandths(ratio: f64) -> u16 {
    (ratio * 1e3).ceil() as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(key: usize) -> InstanceName {
        (PoolId(0), key.to_string().into())
    }

    fn used(used_thousandths: u16) -> HistoryPoint {
        HistoryPoint { used_thousandths, wait_ms: 0 }
    }

    #[test]
    fn only_the_last_quarter_of_an_hour_is_remembered_and_what_was_still_in_it_is_forgotten() {
        let mut history = History::default();
        history.push([(name(1), used(500)), (name(2), used(0))].into(), 1);
        assert_eq!(history.tracks.len(), 1, "nothing is remembered of what has not been used");
        for step in 0..POINTS {
            assert!(history.tracks.contains_key(&name(1)), "step {step}");
            history.push(HashMap::new(), 2);
        }
        assert!(history.tracks.is_empty());
    }

    #[test]
    fn of_more_instances_than_are_remembered_the_busiest_stay() {
        let mut history = History::default();
        let busy = |key: usize| if key < 100 { used(900) } else { used(10) };
        for step in 0..5 {
            let some = (0..100).chain(100 + step * MOST..100 + (step + 1) * MOST);
            history.push(some.map(|key| (name(key), busy(key))).collect(), 1);
            assert_eq!(history.tracks.len(), MOST, "step {step}");
        }
        assert!((0..100).all(|key| history.tracks.contains_key(&name(key))));
        assert!(history.tracks.values().all(|track| track.points.len() <= 5));
    }

    #[test]
    fn the_least_use_is_not_nothing_and_the_most_is_all_that_can_be_said() {
        assert_eq!([0.0, 1e-6, 0.5, 1.0, 1e9].map(thousandths), [0, 1, 500, 1_000, u16::MAX]);
    }
}
