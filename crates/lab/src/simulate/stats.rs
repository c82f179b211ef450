use std::collections::HashMap;
use std::time::{Duration, Instant};

use indexmap::{IndexMap, IndexSet};
use smallvec::SmallVec;

use super::group_stats::GroupStats;
use super::instance_stats::InstanceStats;
use super::timeline::Timeline;
use super::traffic::{Stream, Traffic};
use crate::client::Clients;
use crate::route::{Asks, RouteId};
use crate::scheduler::Snapshot;
use crate::settings::Settings;

/// The outcome of a simulation so far.
pub(super) struct Stats<'t> {
    pub(super) settings: &'t Settings,
    pub(super) traffic: &'t Traffic,
    pub(super) began: Instant,
    pub(super) ended: Instant,
    pub(super) whole: GroupStats,
    /// By the route's number.
    pub(super) routes: Vec<GroupStats>,
    pub(super) clients: IndexMap<String, GroupStats>,
    /// The client of each stream, as an index into `clients`.
    client_of: Vec<usize>,
    pub(super) streams: Vec<StreamStats>,
    pub(super) instances: Vec<InstanceStats>,
    /// For each pool, the index of each instance by its key.
    by_key: Vec<HashMap<Box<str>, usize>>,
    pub(super) timeline: Timeline,
    /// Samples while there was traffic.
    pub(super) looks: u32,
}

/// The jobs of a stream.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct StreamStats {
    pub(super) begun: u64,
    pub(super) done: u64,
}

impl<'t> Stats<'t> {
    pub(super) fn new(settings: &'t Settings, traffic: &'t Traffic, began: Instant) -> Self {
        let clients = Clients::new(&settings.clients);
        let label = |stream: &Stream| stream.kind.sender.label(&clients);
        let names: IndexSet<String> = traffic.streams.iter().map(label).collect();
        let client_of = traffic.streams.iter().filter_map(|stream| names.get_index_of(&label(stream))).collect();
        Self {
            settings,
            traffic,
            began,
            ended: began,
            whole: GroupStats::default(),
            routes: settings.routes.routes().map(|_| GroupStats::default()).collect(),
            clients: names.into_iter().map(|name| (name, GroupStats::default())).collect(),
            client_of,
            streams: vec![StreamStats::default(); traffic.streams.len()],
            instances: Vec::new(),
            by_key: vec![HashMap::new(); settings.pools.len()],
            timeline: Timeline::new(began, traffic.lasts),
            looks: 0,
        }
    }

    pub(super) fn begins(&mut self, stream: usize) {
        self.streams[stream].begun += 1;
    }

    pub(super) fn ends(&mut self, stream: usize, is_done: bool) {
        self.streams[stream].done += u64::from(is_done);
    }

    pub(super) fn comes(&mut self, route: RouteId, stream: usize) {
        self.each(route, stream, &[], |group| group.requests += 1);
    }

    /// A request takes this from its pools. Returns their instances.
    pub(super) fn asks(&mut self, asks: &Asks) -> SmallVec<[usize; 2]> {
        let mut instances = SmallVec::new();
        for ask in asks {
            let key = ask.key.as_deref().unwrap_or_default();
            let known = self.by_key[ask.pool.0].get(key).copied();
            let index = known.unwrap_or_else(|| {
                let pool = &self.settings.pools[ask.pool.0];
                self.by_key[ask.pool.0].insert(key.into(), self.instances.len());
                self.instances.push(InstanceStats::new(ask.pool, pool, key, self.timeline.len()));
                self.instances.len() - 1
            });
            if !instances.contains(&index) {
                self.instances[index].group.requests += 1;
                instances.push(index);
            }
        }
        instances
    }

    pub(super) fn joins_line(&mut self, instances: &[usize]) {
        instances.iter().for_each(|&index| self.instances[index].joins_line());
    }

    pub(super) fn leaves_line(&mut self, instances: &[usize]) {
        instances.iter().for_each(|&index| self.instances[index].leaves_line());
    }

    pub(super) fn serves(
        &mut self,
        now: Instant,
        route: RouteId,
        stream: usize,
        instances: &[usize],
        waited: Duration,
    ) {
        self.ended = now;
        self.each(route, stream, instances, |group| {
            group.served += 1;
            group.waits.add(waited);
        });
        instances.iter().for_each(|&index| self.instances[index].recent.add(waited));
    }

    pub(super) fn shares(&mut self, now: Instant, route: RouteId, stream: usize, waited: Duration) {
        self.ended = now;
        self.each(route, stream, &[], |group| {
            group.shared += 1;
            group.waits.add(waited);
        });
    }

    pub(super) fn refuses(&mut self, route: RouteId, stream: usize, instances: &[usize], why: &str) {
        self.each(route, stream, instances, |group| match group.refused.get_mut(why) {
            Some(times) => *times += 1,
            None => drop(group.refused.insert(why.to_owned(), 1)),
        });
    }

    pub(super) fn upstream_refuses(&mut self, route: RouteId, stream: usize, instances: &[usize]) {
        self.each(route, stream, instances, |group| group.upstream_refused += 1);
    }

    pub(super) fn fails(&mut self, route: RouteId, stream: usize, instances: &[usize]) {
        self.each(route, stream, instances, |group| group.failed += 1);
    }

    /// When the next sample of the gate's state is due.
    pub(super) fn sample_at(&self) -> Instant {
        self.timeline.next_at()
    }

    pub(super) fn sample(&mut self, snapshot: &Snapshot) {
        let counts = self.timeline.next_at() <= self.began + self.traffic.lasts;
        self.looks += u32::from(counts);
        for state in &snapshot.instances {
            if let Some(&index) = self.by_key[state.pool.0].get(&*state.key) {
                self.instances[index].sample(state, counts);
            }
        }
        self.timeline.step();
        for instance in &mut self.instances {
            instance.reaches(self.timeline.len());
        }
        if self.timeline.is_long() {
            self.timeline.thin();
            self.instances.iter_mut().for_each(InstanceStats::thin);
        }
    }

    fn each(&mut self, route: RouteId, stream: usize, instances: &[usize], mut note: impl FnMut(&mut GroupStats)) {
        note(&mut self.whole);
        note(&mut self.routes[route.0]);
        note(&mut self.clients[self.client_of[stream]]);
        instances.iter().for_each(|&index| note(&mut self.instances[index].group));
    }
}
