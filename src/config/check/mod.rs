mod addresses;
mod clients;
mod coalesce;
mod effects;
mod keepalive;
mod learning;
mod log;
mod polls;
mod pools;
mod queue;
mod routes;
mod shared;
mod store;
mod uses;

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::file::{self, Text};
use super::{Change, Config, Pool, QueueConfig, Source};
use crate::limit::{Rate, Share};
use crate::problem::{Problem, Sources};

/// Longer than anything waits or is counted, and short of what overflows a clock. A leap year.
const LONGEST: Duration = Duration::from_hours(366 * 24);

/// How long a request may wait for its turn. A guess: the SDKs wait for 600 s (docs/upstream.md §5.1), and people for
/// less.
const MAX_WAIT: Duration = Duration::from_mins(2);

/// Where a configuration comes from.
pub(super) struct Origin<'s> {
    pub(super) source: &'s Source,
    pub(super) hash: String,
    pub(super) changes: Vec<Change>,
    pub(super) environment: Vec<String>,
    pub(super) sources: &'s Sources,
    /// The offset of the built-in configuration in the sources.
    pub(super) built_in_from: usize,
}

/// Turns the file into the program's own form, or lists everything that is wrong with it.
pub(super) fn validate(origin: Origin<'_>, file: &file::File) -> Result<Config, Vec<Problem>> {
    let mut check = Check { problems: Vec::new(), built_in_from: origin.built_in_from };
    let server = check.server(&file.server);
    let upstream = check.upstream(&file.upstream, |at| origin.sources.place(at));
    check.own_upstream(&file.upstream, &server, &upstream);
    let clients = check.clients(&file.clients);
    let queue = check.queue(&file.queue);
    let log = check.log(&file.log);
    let store = check.store(&file.store);
    let max_wait = check.time(file.queue.max_wait.as_ref(), MAX_WAIT);
    let is_observed = file.mode == Some(file::Mode::Observe);
    let defaults = Defaults { queue, max_wait, learn: file.upstream.learn.unwrap_or(true), is_observed };
    let mut pools: Vec<Pool> = file.pools.iter().flat_map(|(name, pool)| check.pool(name, pool, defaults)).collect();
    pools.extend(defaults.learn.then(|| Check::implicit_pool(defaults)));
    let share = check.replica_share(&file.replicas);
    let shared = check.shared_store(&file.store, share, |at| origin.sources.place(at));
    if file.store.url.is_some() {
        check.shared_bursts(file, &pools);
    } else {
        Check::share_out(&mut pools, share);
    }
    let mut routes = check.routes(&file.routes, &pools);
    check.keepalive(&file.routes, &mut routes, &pools);
    check.coalesce(&file.routes, &mut routes);
    check.unused_pools(&file.pools, &pools, &routes);
    check.unused_poll_shares(&file.pools, &pools, &routes);
    check.uses(file, &routes, &pools, queue);
    if !check.problems.is_empty() {
        return Err(check.problems);
    }
    let Origin { source, hash, changes, environment, .. } = origin;
    let (source, routes) = (source.clone(), Arc::new(routes));
    Ok(Config {
        source,
        hash,
        environment,
        changes,
        is_observed,
        server,
        upstream,
        queue,
        clients,
        log,
        store,
        share: if shared.is_some() { Share::WHOLE } else { share },
        shared,
        pools,
        routes,
    })
}

/// What holds for a pool that does not say otherwise.
#[derive(Clone, Copy)]
struct Defaults {
    queue: QueueConfig,
    max_wait: Duration,
    learn: bool,
    is_observed: bool,
}

/// Gathers what is wrong while the rest is looked at.
struct Check {
    problems: Vec<Problem>,
    built_in_from: usize,
}

impl Check {
    /// Something that is written has no effect. In the built-in configuration that is no mistake: other settings of the file
    /// are why.
    fn idle(&mut self, problem: Problem) {
        if problem.at().start < self.built_in_from {
            self.problems.push(problem);
        }
    }

    fn rate(&mut self, text: Option<&Text>) -> Option<Rate> {
        let rate = self.parsed::<Rate>(text, "not a rate", "")?;
        if let (Some(text), true) = (text, rate.per() > LONGEST) {
            let mend = "write a window of at most a year";
            self.problems.push(Problem::new("a window without end", text.span(), "longer than a year", mend));
            return None;
        }
        Some(rate)
    }

    fn time(&mut self, text: Option<&Text>, default: Duration) -> Duration {
        self.bounded_time(text).unwrap_or(default)
    }

    fn bounded_time(&mut self, text: Option<&Text>) -> Option<Duration> {
        let mend = "write a number and a unit, as in \"500ms\", \"30s\" or \"2m\"";
        let time: Duration = self.parsed::<humantime::Duration>(text, "not a length of time", mend)?.into();
        if let (Some(text), true) = (text, time > LONGEST) {
            let mend = "write a time of at most a year";
            self.problems.push(Problem::new("a time without end", text.span(), "longer than a year", mend));
            return None;
        }
        Some(time)
    }

    /// A time that must not be nothing.
    fn some_time(&mut self, text: Option<&Text>, default: Duration) -> Duration {
        let time = self.time(text, default);
        if let (Some(text), true) = (text, time.is_zero()) {
            let mend = "write how long it may take, as in \"5s\"";
            self.problems.push(Problem::new("no time at all", text.span(), "nothing ever comes in 0 s", mend));
        }
        time
    }

    /// The parsed text, or a problem that points to it.
    fn parsed<T: FromStr<Err: std::fmt::Display>>(&mut self, text: Option<&Text>, what: &str, mend: &str) -> Option<T> {
        let text = text?;
        let parsed = text.as_ref().parse();
        parsed
            .map_err(|error: T::Err| self.problems.push(Problem::new(what, text.span(), error.to_string(), mend)))
            .ok()
    }
}
