//! What one configuration changes of another, as far as a gate that runs can take it over.

use std::fmt::Debug;

use humantime::format_duration;

use super::{Config, Pool};

/// What becomes different, a line each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference(Vec<String>);

/// What a gate that runs cannot take over, by the names of the sections.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it changes {}, for which the gate must be started again", .0.join(", "))]
pub struct NeedsRestart(Vec<&'static str>);

impl Difference {
    /// What `new` changes of the limits and bounds of the pools of `old`.
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
        Ok(Self(lines))
    }

    /// Whether nothing becomes different.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.0.is_empty()
    }

    /// What becomes different, as in `[pools.posts] limits: 300/min -> 200/min`.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.0
    }
}

/// All that a gate has from its start to its end, by the sections of the file. Some of it may be secret, and is only compared.
fn fixed_parts(config: &Config) -> Vec<(&'static str, String)> {
    fn text(part: impl Debug) -> String {
        format!("{part:?}")
    }
    let Config { server, upstream, queue, clients, log, store, shared, routes, pools, .. } = config;
    let key = upstream.api_key_env.as_ref().map(|variable| (variable.name().map(str::to_owned), variable.key()));
    let trusted = upstream.authorities.as_ref().map(|authorities| authorities.len());
    let times = (upstream.connect_timeout, upstream.response_timeout, upstream.http2_connections);
    let upstream = (&upstream.url, &upstream.proxy, key, times, trusted, &upstream.refusals);
    let queue = (queue.max_bytes, queue.max_in_flight, queue.ageing, queue.log_wait, queue.buffer);
    let routes: Vec<_> = routes.routes().map(|(id, route)| (id, route, routes.charges(id))).collect();
    // Pools are told apart by these; what was counted by one key says nothing of another.
    let pools: Vec<_> = pools.iter().map(|pool| (&pool.name, pool.limits.unit, &pool.key, pool.implicit)).collect();
    // A map has no order, and its text neither.
    let mut weights: Vec<_> = clients.weights.iter().map(text).collect();
    weights.sort();
    let clients = (&clients.by, clients.quota, clients.may_raise, weights);
    vec![
        ("[server] listen", text(server.listen)),
        ("[server] admin", text(server.admin)),
        ("[server] drain", text(server.drain)),
        ("[server] allowed_hosts", text(&server.allowed_hosts)),
        ("[server] stall_timeout", text(server.stall_timeout)),
        ("[upstream]", text(upstream)),
        ("[queue]", text(queue)),
        ("[clients]", text(clients)),
        ("[log]", text(log)),
        ("[store]", text((store, shared))),
        ("which pools there are, or what keys they have", text(pools)),
        ("[[routes]]", text(routes)),
    ]
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
