use std::time::Duration;

use indexmap::IndexMap;
use serde::Serialize;

use super::group_stats::GroupStats;
use super::instance_stats::{InstanceStats, LoadPoint, Utilisation};
use super::ratio::ratio;
use super::stats::Stats;
use super::waits::Waited;
use crate::limit::Unit;
use crate::settings::{PoolSettings, Settings};

/// The outcome of a simulation. Times are in seconds from its start, and waits in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct SimulationReport {
    /// The configuration's name.
    pub config: String,
    /// How long new requests arrived.
    pub lasts_s: f64,
    /// When the last response ended.
    pub completed_s: f64,
    /// Responses a second until then.
    pub throughput_per_s: f64,
    /// All requests.
    pub whole: Outcomes,
    /// The pool instances that requests took from, those with the longest waits first.
    pub pools: Vec<PoolReport>,
    /// The routes with requests.
    pub routes: Vec<NamedOutcomes>,
    /// The clients with requests.
    pub clients: Vec<NamedOutcomes>,
    /// The jobs of each stream that has a name.
    pub streams: Vec<StreamReport>,
    /// Seconds from one point of a series to the next.
    pub step_s: f64,
    /// What differs from a real run.
    pub notes: Vec<String>,
}

/// The outcomes of requests.
#[derive(Clone, Debug, Serialize)]
pub struct Outcomes {
    /// Arrivals, retries included.
    pub requests: u64,
    /// Got a response of their own call.
    pub served: u64,
    /// Got the response of an identical call.
    pub shared: u64,
    /// Refused by the gate, by reason.
    pub refused: IndexMap<String, u64>,
    /// Refusals by the upstream.
    pub upstream_refused: u64,
    /// Got the upstream's refusal, as the gate could not send them again in time.
    pub failed: u64,
    /// The waits of requests that got a response.
    pub wait_ms: Waited,
}

/// The outcomes of one route or client.
#[derive(Clone, Debug, Serialize)]
pub struct NamedOutcomes {
    /// The route or client.
    pub name: String,
    /// Its outcomes.
    #[serde(flatten)]
    pub outcomes: Outcomes,
}

/// The jobs of a stream.
#[derive(Clone, Debug, Serialize)]
pub struct StreamReport {
    /// The stream.
    pub name: String,
    /// Jobs started: requests, or requests with their polls.
    pub begun: u64,
    /// Jobs that ended.
    pub done: u64,
}

/// The outcome at a pool instance.
#[derive(Clone, Debug, Serialize)]
pub struct PoolReport {
    /// The pool's name in the configuration.
    pub name: String,
    /// The instance's key; empty if there is only one.
    pub key: String,
    /// The unit. A pool with limits on requests and on tokens is two.
    pub counts: Unit,
    /// The outcomes of the requests that take from it.
    #[serde(flatten)]
    pub outcomes: Outcomes,
    /// The use of each limit.
    pub limits: Vec<Utilisation>,
    /// The limit learned from the upstream, at the end.
    pub learned: Option<String>,
    /// The longest queue.
    pub longest_line: u32,
    /// Seconds in which a new request had to wait.
    pub full_s: f64,
    /// The first of these spans, from and to, to the precision of the samples.
    pub full: Vec<[f64; 2]>,
    /// The series of samples.
    pub points: Vec<LoadPoint>,
}

/// The most instances in a report, and spans in which one was full. A guess: nobody reads more.
const MOST_INSTANCES: usize = 200;
const MOST_SPANS: usize = 20;

/// The titles of the pools of all these reports, those of the first report first.
#[must_use]
pub fn titles(reports: &[SimulationReport]) -> Vec<String> {
    let mut titles: Vec<String> = Vec::new();
    for title in reports.iter().flat_map(|report| &report.pools).map(PoolReport::title) {
        if !titles.contains(&title) {
            titles.push(title);
        }
    }
    titles
}

impl SimulationReport {
    /// The report of these statistics.
    pub(super) fn new(mut stats: Stats<'_>) -> Self {
        let (completed, step) = ((stats.ended - stats.began).as_secs_f64(), stats.timeline.every());
        let mut notes = stats.traffic.notes.clone();
        notes.extend(without_effect(stats.settings));
        let whole = Outcomes::from(std::mem::take(&mut stats.whole));
        let answered = ratio(whole.served + whole.shared, 1);
        Self {
            config: stats.settings.name.clone(),
            lasts_s: stats.traffic.lasts.as_secs_f64(),
            completed_s: completed,
            throughput_per_s: if completed > 0.0 { answered / completed } else { 0.0 },
            whole,
            pools: pools(&mut stats, step),
            routes: routes(&mut stats),
            clients: std::mem::take(&mut stats.clients).into_iter().filter_map(NamedOutcomes::new).collect(),
            streams: streams(&stats),
            step_s: step.as_secs_f64(),
            notes,
        }
    }

    /// Requests that were refused by the gate, or in the end by the upstream.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.whole.refused.values().sum::<u64>() + self.whole.failed
    }

    /// The pool instance with this title.
    #[must_use]
    pub fn pool(&self, title: &str) -> Option<&PoolReport> {
        self.pools.iter().find(|pool| pool.title() == title)
    }
}

impl NamedOutcomes {
    /// `None` without a request.
    fn new((name, group): (String, GroupStats)) -> Option<Self> {
        (group.requests > 0).then(|| Self { name, outcomes: group.into() })
    }
}

impl PoolReport {
    fn new(instance: InstanceStats, pools: &[PoolSettings], looks: u32, step: Duration) -> Self {
        let pool = &pools[instance.pool.0];
        let (spans, seconds) = (spans(&instance.points), |steps: u32| (step * steps).as_secs_f64());
        let full_steps: u32 = spans.iter().map(|[from, to]| to - from).sum();
        Self {
            name: pool.name.clone(),
            counts: pool.limits.unit,
            limits: instance.used(looks),
            learned: instance.learned.map(|limit| pool.rate_text(limit)),
            longest_line: instance.longest_line,
            full_s: seconds(full_steps),
            full: spans.iter().take(MOST_SPANS).map(|span| span.map(seconds)).collect(),
            outcomes: instance.group.into(),
            key: instance.key.into(),
            points: instance.points,
        }
    }

    /// Its title: its name, its unit if that is not requests, and its key.
    #[must_use]
    pub fn title(&self) -> String {
        let tokens = if self.counts == Unit::Tokens { ", tokens" } else { "" };
        let gap = if self.key.is_empty() { "" } else { " " };
        format!("{}{tokens}{gap}{}", self.name, self.key)
    }

    /// Orders pools by the time they were full, then by their use.
    fn pressure(&self) -> f64 {
        let used = self.limits.iter().map(|used| used.mean).fold(0.0, f64::max);
        self.full_s * 1_000.0 + used
    }
}

/// The spans of points in which it was full.
fn spans(points: &[LoadPoint]) -> Vec<[u32; 2]> {
    let mut spans: Vec<[u32; 2]> = Vec::new();
    for (index, _) in (0..).zip(points).filter(|(_, point)| point.full) {
        match spans.last_mut() {
            Some([_, end]) if *end == index => *end += 1,
            _ => spans.push([index, index + 1]),
        }
    }
    spans
}

/// A note on settings that have no effect here.
fn without_effect(settings: &Settings) -> Option<String> {
    let holds = settings.routes.routes().any(|(_, route)| route.coalesce.is_some_and(|coalesce| coalesce.hold));
    holds.then(|| "hold is not simulated: polls are answered at once.".to_owned())
}

fn pools(stats: &mut Stats<'_>, step: Duration) -> Vec<PoolReport> {
    let mut instances = std::mem::take(&mut stats.instances);
    // An implicit pool matters only if it has learned a limit.
    instances.retain(|instance| !stats.settings.pools[instance.pool.0].implicit || instance.group.upstream_refused > 0);
    let looks = stats.looks;
    let report = |instance: InstanceStats| PoolReport::new(instance, &stats.settings.pools, looks, step);
    let mut pools: Vec<PoolReport> = instances.into_iter().map(report).collect();
    pools.sort_by(|one, other| other.pressure().total_cmp(&one.pressure()));
    pools.truncate(MOST_INSTANCES);
    pools
}

fn routes(stats: &mut Stats<'_>) -> Vec<NamedOutcomes> {
    let names = stats.settings.routes.routes().map(|(_, route)| route.name.clone());
    names.zip(std::mem::take(&mut stats.routes)).filter_map(NamedOutcomes::new).collect()
}

fn streams(stats: &Stats<'_>) -> Vec<StreamReport> {
    let streams = stats.traffic.streams.iter().zip(&stats.streams).filter(|(stream, _)| !stream.name.is_empty());
    streams
        .map(|(stream, work)| StreamReport { name: stream.name.clone(), begun: work.begun, done: work.done })
        .collect()
}

impl From<GroupStats> for Outcomes {
    fn from(mut group: GroupStats) -> Self {
        Self {
            requests: group.requests,
            served: group.served,
            shared: group.shared,
            refused: group.refused,
            upstream_refused: group.upstream_refused,
            failed: group.failed,
            wait_ms: group.waits.waited(),
        }
    }
}
