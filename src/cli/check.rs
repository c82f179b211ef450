use std::io::Write;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use bytesize::ByteSize;
use clap::Args;
use humantime::format_duration;

use super::check_json;
use super::in_force::InForce;
use super::output::output;
use super::usage_error::UsageError;
use crate::client::{ClientKey, ClientSettings};
use crate::config::{
    AccessFormat, AccessLogConfig, Change, Config, LogConfig, Pool, QueueConfig, UpstreamConfig, exposures,
};
use crate::gate::StartError;
use crate::limit::{Learn, PoolId, Shape, Unit};
use crate::route::{Coalescing, Priority, RouteCharge, RouteId, Table, Weight};
use crate::store::StatePlace;
use crate::upstream::Proxy;

/// Check a configuration and print what would be in force.
#[derive(Debug, Args)]
pub(super) struct CheckCommand {
    /// The configuration file, or - for standard input; the same as --config.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    config: InForce,
    /// Print JSON: what would be in force, or each problem with its file, line and column.
    #[arg(long)]
    json: bool,
}

impl CheckCommand {
    pub(super) fn run(self) -> Result<ExitCode> {
        let loaded = self.config.with_file(self.file).load();
        if self.json {
            return check_json::print(loaded);
        }
        print(&loaded?)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn print(config: &Config) -> Result<()> {
    if let Some(own) = config.own_upstream() {
        return Err(UsageError(format!(
            "the upstream is the gate's own address, {own}: requests would go round in a loop"
        ))
        .into());
    }
    if let Some(proxy) = Proxy::towards(&config.upstream.url, &config.upstream.proxy) {
        proxy.check().map_err(StartError::Upstream)?;
    }
    let mut out = output();
    print_addresses(&mut out, config)?;
    writeln!(out, "\npools")?;
    for (id, pool) in config.pools.iter().enumerate().filter(|(_, pool)| !pool.implicit) {
        print_pool(&mut out, pool, config.is_polled(PoolId(id)))?;
    }
    writeln!(out, "\nroutes")?;
    for (id, route) in config.routes.routes() {
        let pools = pools(config, &route.charges);
        let pools = match (pools.is_empty(), config.routes.charges(id).is_empty()) {
            (false, _) => &pools,
            (true, true) => "no limit",
            (true, false) => "no limit known; one is learned should the upstream refuse",
        };
        let priority = if route.priority == Priority::Normal { String::new() } else { format!("; {}", route.priority) };
        let every = route.keepalive.map(format_duration);
        let kept = every.map_or(String::new(), |every| format!("; streams kept alive every {every}"));
        let shared = route.coalesce.map_or(String::new(), shared);
        writeln!(out, "  {:<58} {pools}{priority}{kept}{shared}", route.name)?;
        print_exceptions(&mut out, &config.routes, id)?;
    }
    print_changes(&mut out, &config.changes)
}

/// How its pools and routes differ from the built-in ones.
fn print_changes(out: &mut impl Write, changes: &[Change]) -> Result<()> {
    if changes.is_empty() {
        return Ok(writeln!(out, "\nchanges   none: pools and routes are the built-in ones")?);
    }
    writeln!(out, "\nchanges   against the built-in configuration")?;
    let is_said = |change: &&Change| !matches!(change, Change::LeftOut(_));
    changes.iter().filter(is_said).try_for_each(|change| writeln!(out, "  {change}"))?;
    let left_out =
        changes.iter().filter_map(|change| if let Change::LeftOut(what) = change { Some(&**what) } else { None });
    let (pools, routes): (Vec<&str>, Vec<&str>) = left_out.partition(|what| what.starts_with('['));
    if !pools.is_empty() {
        writeln!(out, "  left out: {}", pools.join(", "))?;
    }
    if !routes.is_empty() {
        writeln!(out, "  left out: {} routes, as extends is \"none\"", routes.len())?;
    }
    Ok(())
}

/// Which routes, more specific ones, take some of what this one matches.
fn print_exceptions(out: &mut impl Write, routes: &Table, id: RouteId) -> Result<()> {
    let names = routes.exceptions(id).into_iter().map(|other| &*routes.route(other).name);
    let names = names.collect::<Vec<_>>().join("; ");
    if names.is_empty() { Ok(()) } else { Ok(writeln!(out, "    but for {names}")?) }
}

/// How the GETs of a route share calls.
fn shared(Coalescing { reuse, hold }: Coalescing) -> String {
    let within = if reuse.is_zero() { "at once".to_owned() } else { format!("within {}", format_duration(reuse)) };
    let held = if hold { ", polls are held" } else { "" };
    format!("; the same {within} is asked once{held}")
}

/// As the configuration writes them: a pool that counts requests and tokens is named once.
fn pools(config: &Config, charges: &[RouteCharge]) -> String {
    let mut pools: Vec<String> = Vec::new();
    for charge in charges {
        let name = &config.pools[charge.pool.0].name;
        let is_named = |known: &String| known.split(':').next() == Some(name);
        match &charge.weight {
            Weight::Tokens if pools.iter().any(is_named) => {}
            Weight::Tokens | Weight::Fixed(NonZeroU32::MIN) => pools.push(name.clone()),
            weight => pools.push(format!("{name}:{weight}")),
        }
    }
    pools.join(", ")
}

fn print_addresses(out: &mut impl Write, config: &Config) -> Result<()> {
    let Config { source, server, upstream, queue, clients, log, store, share, shared, .. } = config;
    let tls = if server.tls.is_some() { ", or https:// with its certificate" } else { "" };
    writeln!(out, "valid: {source}")?;
    if !config.environment.is_empty() {
        writeln!(out, "with      {} from the environment", config.environment.join(", "))?;
    }
    if config.is_observed {
        writeln!(out, "mode      observe: nothing waits or is refused; what would be is counted")?;
    }
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
    if let Some(proxy) = Proxy::towards(&upstream.url, &upstream.proxy) {
        let says = if proxy.is_configured() { "" } else { ", as the environment says" };
        let credentials = if proxy.has_credentials() { ", with a user name" } else { "" };
        writeln!(out, "          through the proxy {}{credentials}{says}", proxy.uri())?;
    }
    if let Some(variable) = &upstream.api_key_env {
        let name = variable.name().filter(|_| variable.key().is_none_or(|key| !key.is_empty()));
        match name {
            Some(name) => writeln!(out, "key       from the environment, {name}")?,
            None => writeln!(out, "key       from the environment; what {} names is not set here", variable.place())?,
        }
    }
    print_refusals(out, upstream)?;
    print_queue(out, queue)?;
    if !share.is_whole() {
        writeln!(out, "share     {share} of every limit of the account")?;
    }
    if let Some(shared) = shared {
        writeln!(out, "shared    through {shared}")?;
    }
    print_store(out, &StatePlace::find(&store.path, server.listen), store.starts_full)?;
    let (drain, stall) = (format_duration(server.drain), format_duration(server.stall_timeout));
    writeln!(out, "drain     up to {drain}; clients that stall are given up after {stall}")?;
    print_clients(out, clients)?;
    print_log(out, log)?;
    for exposure in exposures(config) {
        writeln!(out, "warning   {exposure}")?;
    }
    Ok(())
}

fn print_refusals(out: &mut impl Write, UpstreamConfig { refusals, .. }: &UpstreamConfig) -> Result<()> {
    if !refusals.is_empty() {
        let codes = refusals.iter().map(|(code, _)| &**code).collect::<Vec<_>>().join(", ");
        writeln!(out, "refusals  mean here what is written: {codes}")?;
    }
    Ok(())
}

/// Where the state is kept, and what a start without it begins with.
fn print_store(out: &mut impl Write, place: &StatePlace, starts_full: bool) -> Result<()> {
    let kept = match place {
        StatePlace::Named(path) | StatePlace::Usual(path) => format!("kept over a restart in {}", path.display()),
        StatePlace::Off(why) => format!("not kept over a restart: {why}"),
    };
    let cold = if starts_full { "; a start without it takes every limit for used up" } else { "" };
    Ok(writeln!(out, "state     {kept}{cold}")?)
}

fn print_queue(out: &mut impl Write, queue: &QueueConfig) -> Result<()> {
    let (buffer, max_bytes) = (ByteSize(queue.buffer as u64), ByteSize(queue.max_bytes));
    let (ageing, log_wait) = (format_duration(queue.ageing), format_duration(queue.log_wait));
    writeln!(out, "queue     up to {} waiting, {} under way", queue.max_waiting, queue.max_in_flight)?;
    writeln!(out, "          {buffer} of a body are read meanwhile, {max_bytes} of all")?;
    Ok(writeln!(out, "          low counts as normal after {ageing}; the log tells who waits for {log_wait}")?)
}

/// The names that have weights may be secret.
fn print_clients(out: &mut impl Write, clients: &ClientSettings) -> Result<()> {
    let by = clients.by.iter().map(|key| match key {
        ClientKey::Credential => "credential",
        ClientKey::Header(name) => name.as_str(),
        ClientKey::Peer => "peer",
    });
    let by = by.collect::<Vec<_>>().join(", ");
    let quota = clients.quota.map_or("no quota".to_owned(), |quota| quota.to_string());
    let may_raise = if clients.may_raise { "; may raise its priority" } else { "" };
    writeln!(out, "a client  {quota}, told apart by {by}{may_raise}")?;
    if !clients.names.is_empty() {
        let names = clients.names.iter().map(|(_, name)| &**name).collect::<Vec<_>>().join(", ");
        writeln!(out, "          called {names}")?;
    }
    match clients.weights.len() {
        0 => Ok(()),
        weighed => Ok(writeln!(out, "          {weighed} with a weight of their own")?),
    }
}

fn print_log(out: &mut impl Write, LogConfig { access, otlp }: &LogConfig) -> Result<()> {
    if let Some(AccessLogConfig { format, file, sample }) = access {
        let format = match format {
            AccessFormat::Text => "text",
            AccessFormat::Json => "JSON",
        };
        let to = file.as_ref().map_or("standard output".to_owned(), |file| file.display().to_string());
        writeln!(out, "requests  a line of {format} each to {to}; of those that pass at once {}", share(*sample))?;
    }
    if let Some(collector) = otlp {
        writeln!(out, "traces    to {}", collector.traces())?;
    }
    Ok(())
}

fn share(sample: f64) -> String {
    if sample >= 1.0 { "all".to_owned() } else { format!("{} %", sample * 100.0) }
}

fn print_pool(out: &mut impl Write, pool: &Pool, is_polled: bool) -> Result<()> {
    let is_known = !pool.limits.requests.is_empty() || pool.limits.in_flight.is_some();
    let shape = match (pool.limits.shape, pool.limits.learn) {
        (_, Learn::Discover) if pool.limits.unit == Unit::Tokens => "at once until an answer tells it".to_owned(),
        (_, Learn::Discover) => "four a second until an answer tells it".to_owned(),
        (_, Learn::Tighten) if !is_known => "at once until the upstream refuses".to_owned(),
        (Shape::Window, _) => "at once while there is room".to_owned(),
        (Shape::Smooth { burst }, _) => format!("evenly, {burst} at once"),
    };
    let learn = if pool.limits.learn == Learn::Never { "; as written, whatever the upstream shows" } else { "" };
    let keys = pool.key.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let each = if keys.is_empty() { String::new() } else { format!(", for each {keys}") };
    let wait = if pool.refuse_when_full {
        "refuses when full".to_owned()
    } else {
        let most = if pool.max_bytes == u64::MAX { String::new() } else { format!(", {}", ByteSize(pool.max_bytes)) };
        format!("waits up to {}{most}", format_duration(pool.max_wait))
    };
    let polls = if is_polled { format!("; polls have up to {} % of it", pool.poll_share) } else { String::new() };
    let observed = if pool.is_observed { "; only observed" } else { "" };
    Ok(writeln!(out, "  {:<22} {:<12} {shape}{each}; {wait}{learn}{polls}{observed}", pool.name, pool.limits_text())?)
}
