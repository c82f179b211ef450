use std::time::Duration;

use indexmap::IndexMap;
use serde::Serialize;

use super::instance::{Instance, Point, Utilisation};
use super::ratio::ratio;
use super::tally::{Group, Tally};
use super::waits::Waited;
use crate::limit::Unit;
use crate::settings::PoolSettings;

/// What has come of traffic. Times are in seconds from its beginning, and waits in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The configuration.
    pub config: String,
    /// How long anybody began something.
    pub lasts_s: f64,
    /// When the last answer had come.
    pub completed_s: f64,
    /// Answers a second until then.
    pub throughput_per_s: f64,
    /// All requests.
    pub whole: Outcomes,
    /// Each pool instance that was asked, and most of all waited for, first.
    pub pools: Vec<PoolReport>,
    /// Each route that was taken.
    pub routes: Vec<Named>,
    /// Each client.
    pub clients: Vec<Named>,
    /// What was begun and done in each stream that has a name.
    pub streams: Vec<Jobs>,
    /// The time from one point of a line to the next.
    pub step_s: f64,
    /// What is not as it would be.
    pub notes: Vec<String>,
}

/// What has come of requests.
#[derive(Clone, Debug, Serialize)]
pub struct Outcomes {
    /// Came, or came back.
    pub requests: u64,
    /// Had an answer by a call of their own.
    pub served: u64,
    /// Had the answer of an identical call.
    pub shared: u64,
    /// Were refused by the gate, by the reason.
    pub refused: IndexMap<String, u64>,
    /// How often the upstream refused.
    pub upstream_refused: u64,
    /// Got the upstream's refusal, as they could not be sent again in time.
    pub failed: u64,
    /// How long those waited that had an answer.
    pub wait_ms: Waited,
}

/// Requests that have something in common.
#[derive(Clone, Debug, Serialize)]
pub struct Named {
    /// What.
    pub name: String,
    /// What has come of them.
    #[serde(flatten)]
    pub outcomes: Outcomes,
}

/// What was begun in a stream, and done.
#[derive(Clone, Debug, Serialize)]
pub struct Jobs {
    /// Which.
    pub name: String,
    /// Requests, or what is polled for.
    pub begun: u64,
    /// How many of them came to their end.
    pub done: u64,
}

/// What has come of a pool instance.
#[derive(Clone, Debug, Serialize)]
pub struct PoolReport {
    /// As the configuration calls it.
    pub name: String,
    /// Which instance; empty where there is but one.
    pub key: String,
    /// What it counts: a pool that is written with requests and with tokens is two.
    pub counts: Unit,
    /// What has come of the requests that need it.
    #[serde(flatten)]
    pub outcomes: Outcomes,
    /// How much of each limit was used.
    pub limits: Vec<Utilisation>,
    /// The limit that the upstream has taught, at the end.
    pub learned: Option<String>,
    /// How many waited at once, at most.
    pub longest_line: u32,
    /// How long one who came had to wait for it.
    pub full_s: f64,
    /// From when until when, as near as it was looked at; the first of these times.
    pub full: Vec<[f64; 2]>,
    /// How it was, step by step.
    pub points: Vec<Point>,
}

/// So many instances are told of, and so many times at which one was full. A guess: as many as anybody reads.
const MOST_INSTANCES: usize = 200;
const MOST_SPANS: usize = 20;

/// The titles of the pools of all these reports, those of the first before those that it has not.
#[must_use]
pub fn titles(reports: &[Report]) -> Vec<String> {
    let mut titles: Vec<String> = Vec::new();
    for title in reports.iter().flat_map(|report| &report.pools).map(PoolReport::title) {
        if !titles.contains(&title) {
            titles.push(title);
        }
    }
    titles
}

impl Report {
    /// How many were refused, by the gate or in the end by the upstream.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.whole.refused.values().sum::<u64>() + self.whole.failed
    }

    /// The pool instance that people call so.
    #[must_use]
    pub fn pool(&self, title: &str) -> Option<&PoolReport> {
        self.pools.iter().find(|pool| pool.title() == title)
    }
}

impl Tally<'_> {
    pub(super) fn report(mut self) -> Report {
        let (completed, step) = ((self.ended - self.began).as_secs_f64(), self.timeline.every());
        let mut notes = self.traffic.notes.clone();
        notes.extend(self.without_effect());
        let whole = std::mem::take(&mut self.whole).outcomes();
        let answered = ratio(whole.served + whole.shared, 1);
        Report {
            config: self.settings.name.clone(),
            lasts_s: self.traffic.lasts.as_secs_f64(),
            completed_s: completed,
            throughput_per_s: if completed > 0.0 { answered / completed } else { 0.0 },
            whole,
            pools: self.pools(step),
            routes: self.routes(),
            clients: std::mem::take(&mut self.clients).into_iter().filter_map(Named::new).collect(),
            streams: self.streams(),
            step_s: step.as_secs_f64(),
            notes,
        }
    }

    /// What is configured and has no effect here.
    fn without_effect(&self) -> Option<String> {
        let holds =
            self.settings.routes.routes().any(|(_, route)| route.coalesce.is_some_and(|coalesce| coalesce.hold));
        holds.then(|| "hold is not simulated: polls are answered at once.".to_owned())
    }

    fn pools(&mut self, step: Duration) -> Vec<PoolReport> {
        let mut instances = std::mem::take(&mut self.instances);
        // Nobody wrote such a pool, and most teach nothing.
        instances
            .retain(|instance| !self.settings.pools[instance.pool.0].implicit || instance.group.upstream_refused > 0);
        let looks = self.looks;
        let report = |instance: Instance| instance.report(&self.settings.pools, looks, step);
        let mut pools: Vec<PoolReport> = instances.into_iter().map(report).collect();
        pools.sort_by(|one, other| other.pressure().total_cmp(&one.pressure()));
        pools.truncate(MOST_INSTANCES);
        pools
    }

    fn routes(&mut self) -> Vec<Named> {
        let names = self.settings.routes.routes().map(|(_, route)| route.name.clone());
        names.zip(std::mem::take(&mut self.routes)).filter_map(Named::new).collect()
    }

    fn streams(&self) -> Vec<Jobs> {
        let streams = self.traffic.streams.iter().zip(&self.streams).filter(|(stream, _)| !stream.name.is_empty());
        streams.map(|(stream, work)| Jobs { name: stream.name.clone(), begun: work.begun, done: work.done }).collect()
    }
}

impl Named {
    /// Of those that nobody sent nothing is said.
    fn new((name, group): (String, Group)) -> Option<Self> {
        (group.requests > 0).then(|| Self { name, outcomes: group.outcomes() })
    }
}

impl PoolReport {
    /// What people call it: its name, what it counts where that is not requests, and its key.
    #[must_use]
    pub fn title(&self) -> String {
        let tokens = if self.counts == Unit::Tokens { ", tokens" } else { "" };
        let gap = if self.key.is_empty() { "" } else { " " };
        format!("{}{tokens}{gap}{}", self.name, self.key)
    }

    /// How much it was waited for; where nobody waited, how full it was.
    fn pressure(&self) -> f64 {
        let used = self.limits.iter().map(|used| used.mean).fold(0.0, f64::max);
        self.full_s * 1_000.0 + used
    }
}

impl Instance {
    fn report(self, pools: &[PoolSettings], looks: u32, step: Duration) -> PoolReport {
        let pool = &pools[self.pool.0];
        let (spans, seconds) = (spans(&self.points), |steps: u32| (step * steps).as_secs_f64());
        let full_steps: u32 = spans.iter().map(|[from, to]| to - from).sum();
        PoolReport {
            name: pool.name.clone(),
            counts: pool.limits.unit,
            limits: self.used(looks),
            learned: self.learned.map(|limit| pool.rate_text(limit)),
            longest_line: self.longest_line,
            full_s: seconds(full_steps),
            full: spans.iter().take(MOST_SPANS).map(|span| span.map(seconds)).collect(),
            outcomes: self.group.outcomes(),
            key: self.key.into(),
            points: self.points,
        }
    }
}

/// From which to which point it was full.
fn spans(points: &[Point]) -> Vec<[u32; 2]> {
    let mut spans: Vec<[u32; 2]> = Vec::new();
    for (index, _) in (0..).zip(points).filter(|(_, point)| point.full) {
        match spans.last_mut() {
            Some([_, end]) if *end == index => *end += 1,
            _ => spans.push([index, index + 1]),
        }
    }
    spans
}

impl Group {
    fn outcomes(mut self) -> Outcomes {
        Outcomes {
            requests: self.requests,
            served: self.served,
            shared: self.shared,
            refused: self.refused,
            upstream_refused: self.upstream_refused,
            failed: self.failed,
            wait_ms: self.waits.waited(),
        }
    }
}
