use std::io::{Write, stdout};

use anyhow::Result;
use clap::Args;
use humantime::format_duration;

use super::in_force::InForce;
use crate::config::{Config, Pool};
use crate::limit::Shape;

/// Check a configuration and print what would be in force.
#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    config: InForce,
}

impl Check {
    pub(super) fn run(&self) -> Result<()> {
        let config = self.config.load()?;
        let mut out = stdout().lock();
        print_addresses(&mut out, &config)?;
        writeln!(out, "\npools")?;
        config.pools.iter().try_for_each(|pool| print_pool(&mut out, pool))?;
        writeln!(out, "\nroutes")?;
        for (id, route) in config.routes.routes() {
            let pools = route.charges.iter().map(|charge| {
                let name = &config.pools[charge.pool.0].name;
                match charge.weight.to_string().as_str() {
                    "1" => name.clone(),
                    weight => format!("{name}:{weight}"),
                }
            });
            let pools = pools.collect::<Vec<_>>().join(", ");
            let every = config.keepalive.get(&id).map(|&every| format_duration(every));
            let kept = every.map_or(String::new(), |every| format!("; streams kept alive every {every}"));
            writeln!(out, "  {:<58} {}{kept}", route.name, if pools.is_empty() { "no limit" } else { &pools })?;
        }
        Ok(())
    }
}

fn print_addresses(out: &mut impl Write, config: &Config) -> Result<()> {
    let Config { source, server, upstream, queue, clients, .. } = config;
    let tls = if server.tls.is_some() { ", or https:// with its certificate" } else { "" };
    writeln!(out, "valid: {source}")?;
    writeln!(out, "apps      OPENAI_BASE_URL=http://{}/v1{tls}", server.listen)?;
    match server.admin {
        Some(admin) => writeln!(out, "admin     http://{admin}")?,
        None => writeln!(out, "admin     off")?,
    }
    let protocol = upstream
        .http2_connections
        .map_or("HTTP/1.1".to_owned(), |connections| format!("HTTP/2 over {connections} connections"));
    let trust = upstream
        .authorities
        .as_ref()
        .map_or(String::new(), |authorities| format!(", trusting only the {} in ca_file", authorities.len()));
    writeln!(out, "upstream  {}", upstream.url)?;
    let (connect, answer) = (format_duration(upstream.connect_timeout), format_duration(upstream.response_timeout));
    writeln!(out, "          by {protocol}{trust}; connects within {connect}, answers within {answer}")?;
    if let Some(variable) = &upstream.api_key_env {
        let is_missing = std::env::var_os(variable).is_none_or(|key| key.is_empty());
        let missing = if is_missing { ", which is not set here" } else { "" };
        writeln!(out, "key       from the environment, {variable}{missing}")?;
    }
    let buffer = bytesize::ByteSize(queue.buffer as u64);
    writeln!(out, "queue     up to {} waiting; {buffer} of a body are read meanwhile", queue.max_waiting)?;
    writeln!(out, "drain     up to {}", format_duration(server.drain))?;
    let quota = clients.quota.map_or("no quota".to_owned(), |quota| quota.to_string());
    Ok(writeln!(out, "a client  {quota}")?)
}

fn print_pool(out: &mut impl Write, pool: &Pool) -> Result<()> {
    let shape = match pool.limits.shape {
        Shape::Window => "at once while there is room".to_owned(),
        Shape::Smooth { burst } => format!("evenly, {burst} at once"),
    };
    let keys = pool.key.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let each = if keys.is_empty() { String::new() } else { format!(", for each {keys}") };
    let wait = if pool.refuse_when_full {
        "refuses when full".to_owned()
    } else {
        format!("waits up to {}", format_duration(pool.max_wait))
    };
    Ok(writeln!(out, "  {:<22} {:<12} {shape}{each}; {wait}", pool.name, pool.limits_text())?)
}
