//! What one configuration changes of another, as far as a gate that runs can take it over.

use std::fmt::Debug;

use humantime::format_duration;

use super::{Config, Pool};
use crate::route::Table;

/// What becomes different.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    lines: Vec<String>,
    is_of_upstream: bool,
}

/// What a gate that runs cannot take over, by the names of the sections.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it changes {}, for which the gate must be started again", .0.join(", "))]
pub struct NeedsRestart(Vec<&'static str>);

impl Difference {
    /// What `new` changes of `old`, whose routes have the numbers that they have there.
    ///
    /// # Errors
    /// [`NeedsRestart`], if it changes anything else.
    pub fn between(old: &Config, new: &Config) -> Result<Self, NeedsRestart> {
        let fixed = fixed_parts(old).into_iter().zip(fixed_parts(new));
        let changed = fixed.filter(|((_, old), (_, new))| old != new).map(|((name, _), _)| name);
        let changed: Vec<&str> = changed.collect();
        if !changed.is_empty() {
            return Err(NeedsRestart(changed));
        }
        let mut lines = Vec::new();
        let mut say = |of: &str, what: &str, old: String, new: String| {
            if old != new {
                lines.push(format!("{of} {what}: {old} -> {new}"));
            }
        };
        say("[replicas]", "share", old.share.to_string(), new.share.to_string());
        let waiting = |config: &Config| config.queue.max_waiting.to_string();
        say("[queue]", "max_waiting", waiting(old), waiting(new));
        for (old, new) in old.pools.iter().zip(&new.pools).filter(|(old, _)| !old.implicit) {
            let (of, old, new) = (format!("[pools.{}]", old.name), settings(old), settings(new));
            old.into_iter().zip(new).for_each(|((what, old), (_, new))| say(&of, what, old, new));
        }
        let mut note = |what: &str, old: String, new: String| {
            let is_other = old != new;
            if is_other {
                lines.push(what.to_owned());
            }
            is_other
        };
        let is_of_upstream = note("[upstream] is changed", upstream(old), upstream(new));
        note("[clients] is changed", clients(old), clients(new));
        note("[queue] is changed", queue(old), queue(new));
        note("[server] allowed_hosts or stall_timeout is changed", server(old), server(new));
        note("mode is changed", modes(old), modes(new));
        lines.extend(routes(&old.routes, &new.routes));
        Ok(Self { lines, is_of_upstream })
    }

    /// Whether the connections to the upstream are made in another way.
    #[must_use]
    pub fn is_of_upstream(&self) -> bool {
        self.is_of_upstream
    }

    /// Whether nothing becomes different.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.lines.is_empty()
    }

    /// What becomes different, as in `[pools.posts] limits: 300/min -> 200/min`.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.lines
    }
}

/// All that a gate has from its start to its end, by the sections of the file. Some of it may be secret, and is only compared.
fn fixed_parts(config: &Config) -> Vec<(&'static str, String)> {
    fn text(part: impl Debug) -> String {
        format!("{part:?}")
    }
    let Config { server, queue, log, store, shared, pools, .. } = config;
    let queue = (queue.max_bytes, queue.max_in_flight, queue.ageing);
    // Pools are told apart by these; what was counted by one key says nothing of another.
    let pools: Vec<_> = pools.iter().map(|pool| (&pool.name, pool.limits.unit, &pool.key, pool.implicit)).collect();
    vec![
        ("[server] listen", text(server.listen)),
        ("[server] admin", text(server.admin)),
        ("[server] drain", text(server.drain)),
        ("[queue] max_bytes, max_in_flight or ageing", text(queue)),
        ("[log]", text(log)),
        ("[store]", text((store, shared))),
        ("which pools there are, or what keys they have", text(pools)),
    ]
}

/// Some of it may be secret, and is only compared.
fn upstream(Config { upstream, .. }: &Config) -> String {
    let key = upstream.api_key_env.as_ref().map(|variable| (variable.name().map(str::to_owned), variable.key()));
    let trusted = upstream.authorities.as_ref().map(|authorities| authorities.roots.clone());
    let times = (upstream.connect_timeout, upstream.response_timeout, upstream.http2_connections);
    format!("{:?}", (&upstream.url, &upstream.proxy, key, times, trusted, &upstream.refusals))
}

/// A map has no order, and its text neither.
fn clients(Config { clients, .. }: &Config) -> String {
    let mut weights: Vec<_> = clients.weights.iter().map(|weight| format!("{weight:?}")).collect();
    weights.sort();
    let mut names: Vec<_> = clients.names.iter().collect();
    names.sort();
    format!("{:?}", (&clients.by, clients.quota, clients.may_raise, weights, names))
}

fn queue(Config { queue, .. }: &Config) -> String {
    format!("{:?}", (queue.log_wait, queue.buffer))
}

fn server(Config { server, .. }: &Config) -> String {
    format!("{:?}", (&server.allowed_hosts, server.stall_timeout, server.tls.is_some()))
}

fn modes(config: &Config) -> String {
    let pools: Vec<_> = config.pools.iter().map(|pool| pool.is_observed).collect();
    format!("{:?}", (config.is_observed, pools))
}

/// What becomes of each route, a line each.
fn routes<'t>(old: &'t Table, new: &'t Table) -> impl Iterator<Item = String> + 't {
    new.routes().filter_map(move |(id, route)| {
        let name = &route.name;
        let was_in_force = old.routes().any(|(known, _)| known == id) && old.is_in_force(id);
        match (was_in_force, new.is_in_force(id)) {
            (false, true) => Some(format!("{name} is new")),
            (true, false) => Some(format!("{name} is removed")),
            (true, true) => {
                let text = |table: &Table| format!("{:?}", (table.route(id), table.charges(id)));
                (text(old) != text(new)).then(|| format!("{name} is changed"))
            }
            (false, false) => None,
        }
    })
}

/// What of a pool may become different, in words.
fn settings(pool: &Pool) -> Vec<(&'static str, String)> {
    let most = |bytes: u64| if bytes == u64::MAX { "off".to_owned() } else { bytesize::ByteSize(bytes).to_string() };
    vec![
        ("limits", pool.limits_text()),
        ("shape", format!("{:?}", pool.limits.shape).to_lowercase()),
        ("margin", format_duration(pool.limits.margin).to_string()),
        ("learn", format!("{:?}", pool.limits.learn).to_lowercase()),
        ("max_waiting", pool.max_waiting.to_string()),
        ("max_bytes", most(pool.max_bytes)),
        ("max_wait", format_duration(pool.max_wait).to_string()),
        ("when_full", if pool.refuse_when_full { "refuse" } else { "queue" }.to_owned()),
        ("poll_share", format!("{} %", pool.poll_share)),
    ]
}
