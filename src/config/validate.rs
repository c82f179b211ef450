mod keepalive;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use rustls::{RootCertStore, ServerConfig};
use toml::Spanned;

use super::file::{self, Text};
use super::report::Problem;
use super::{ClientKey, Clients, Config, Pool, Queue, Server, Source, Upstream, pem};
use crate::limit::{Limits, PoolId, Rate, Shape};
use crate::route::{KeyPart, RouteCharge, Table, Template, Weight};

/// Against jitter on the way: with 100 ms of it, 250 ms kept every exact window upstream (UPSTREAM.md §6, 2026-11-24).
const MARGIN: Duration = Duration::from_millis(250);

/// Longer than anything waits or is counted, and short of what overflows a clock.
const LONGEST: Duration = Duration::from_hours(366 * 24);

/// Turns the file into the program's own form, or lists everything that is wrong with it.
pub(super) fn validate(source: Source, file: &file::File) -> Result<Config, Vec<Problem>> {
    let mut check = Check { problems: Vec::new() };
    let server = check.server(&file.server);
    let upstream = check.upstream(&file.upstream);
    let clients = check.clients(&file.clients);
    let queue = Queue {
        max_waiting: file.queue.max_waiting.unwrap_or(1_000),
        buffer: file.queue.buffer.map_or(1 << 20, |size| usize::try_from(size.as_u64()).unwrap_or(usize::MAX)),
    };
    let max_wait = check.time(file.queue.max_wait.as_ref(), Duration::from_mins(2));
    let no_pools = IndexMap::new();
    let written = file.pools.as_ref().unwrap_or(&no_pools);
    let pools: Vec<Pool> = written.iter().map(|(name, pool)| check.pool(name, pool, queue, max_wait)).collect();
    let routes = check.routes(file.routes.as_deref().unwrap_or_default(), &pools);
    let keepalive = check.keepalive(file.routes.as_deref().unwrap_or_default(), &routes, &pools);
    check.unused_pools(written, &pools, &routes);
    if check.problems.is_empty() {
        Ok(Config { source, server, upstream, queue, clients, pools, routes: Arc::new(routes), keepalive })
    } else {
        Err(check.problems)
    }
}

/// Gathers what is wrong while the rest is looked at.
struct Check {
    problems: Vec<Problem>,
}

impl Check {
    fn server(&mut self, file: &file::Server) -> Server {
        let address = "an address is IP:PORT, as in \"127.0.0.1:4290\" or \"[::1]:4290\"; port 0 picks a free one";
        let listen = self.parsed(file.listen.as_ref(), "not an address to listen on", address);
        let admin = file.admin.as_ref().filter(|text| text.as_ref() != "off");
        let admin_at = self.parsed(admin, "not an address for admin", &format!("{address}; \"off\" for none"));
        let is_off = file.admin.is_some() && admin.is_none();
        Server {
            listen: listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 4290))),
            admin: (!is_off).then(|| admin_at.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 4291)))),
            drain: self.time(file.drain.as_ref(), Duration::from_mins(1)),
            tls: self.own_tls(file),
        }
    }

    fn own_tls(&mut self, file: &file::Server) -> Option<Arc<ServerConfig>> {
        let (cert_file, key_file) = match (&file.cert_file, &file.key_file) {
            (Some(cert_file), Some(key_file)) => (cert_file, key_file),
            (Some(alone), None) | (None, Some(alone)) => {
                let mend = "write both cert_file and key_file, or neither";
                self.problems.push(Problem::new("half of a certificate", alone.span(), "needs the other half", mend));
                return None;
            }
            (None, None) => return None,
        };
        let server = pem::server(cert_file.as_ref().as_ref(), key_file.as_ref().as_ref());
        server
            .map_err(|error| {
                let mend = "write the paths of PEM files: a chain of certificates, and the key of the first";
                self.problems.push(Problem::new("no certificate", cert_file.span(), error.to_string(), mend));
            })
            .ok()
            .map(Arc::new)
    }

    fn upstream(&mut self, file: &file::Upstream) -> Upstream {
        let url = file.url.as_ref().and_then(|text| match parse_upstream(text.as_ref()) {
            Ok(url) => Some(url),
            Err(label) => {
                let mend =
                    "write where requests go, as in \"https://api.openai.com\" or \"http://127.0.0.1:8000/base\"";
                self.problems.push(Problem::new("not an upstream URL", text.span(), label, mend));
                None
            }
        });
        let url = url.unwrap_or_else(|| http::Uri::from_static("https://api.openai.com"));
        if let (Some(path), Some("http")) = (&file.ca_file, url.scheme_str()) {
            let mend = "take it out, or write an https:// URL";
            self.problems.push(Problem::new("ca_file without TLS", path.span(), "has no effect", mend));
        }
        Upstream {
            url,
            api_key_env: file.api_key_env.as_ref().map(|name| name.as_ref().clone()),
            connect_timeout: self.some_time(file.connect_timeout.as_ref(), Duration::from_secs(5)),
            response_timeout: self.some_time(file.response_timeout.as_ref(), Duration::from_mins(10)),
            http2_connections: file.http2_connections,
            authorities: file.ca_file.as_ref().and_then(|path| self.authorities(path)),
        }
    }

    fn clients(&mut self, file: &file::Clients) -> Clients {
        let mend = "name a header, as in \"authorization\", or \"peer\" for the address it comes from";
        let by = file.by.iter().flat_map(Spanned::get_ref).filter_map(|text| {
            if text.as_ref() == "peer" {
                return Some(ClientKey::Peer);
            }
            self.parsed(Some(text), "not a way to tell clients apart", mend).map(ClientKey::Header)
        });
        let by: Vec<_> = by.collect();
        if let Some(empty) = file.by.as_ref().filter(|by| by.get_ref().is_empty()) {
            self.problems.push(Problem::new("no client is told from another", empty.span(), "one for all", mend));
        }
        if let (Some(by), None) = (&file.by, &file.quota) {
            let mend = "write quota = \"600/min\" beside it, or take it out";
            self.problems.push(Problem::new("by without a quota", by.span(), "has no effect", mend));
        }
        let by_credential = || vec![ClientKey::Header(http::header::AUTHORIZATION)];
        Clients { quota: self.rate(file.quota.as_ref()), by: if file.by.is_none() { by_credential() } else { by } }
    }

    fn pool(&mut self, name: &str, spanned: &Spanned<file::Pool>, queue: Queue, max_wait: Duration) -> Pool {
        let file = spanned.get_ref();
        if file.requests.is_empty() && file.in_flight.is_none() {
            let mend = "give it requests = [\"300/min\"], in_flight = 50, or both";
            self.problems.push(Problem::new(format!("pool '{name}' limits nothing"), spanned.span(), "no limit", mend));
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || !name.chars().all(is_plain) {
            let mend = "name it with letters, digits, - and _ only, as in [pools.files-upload]";
            self.problems.push(Problem::new(format!("not a pool's name: {name:?}"), spanned.span(), "this pool", mend));
        }
        self.pool_effects(file);
        let requests: Vec<Rate> = file.requests.iter().filter_map(|text| self.rate(Some(text))).collect();
        let shape = self.shape(file, &requests);
        let key = file.key.iter().filter_map(|text| self.parsed(Some(text), "not a key", ""));
        Pool {
            name: name.to_owned(),
            key: key.collect(),
            limits: Limits {
                shape,
                requests,
                in_flight: file.in_flight,
                margin: self.time(file.margin.as_ref(), MARGIN),
            },
            max_waiting: file.max_waiting.unwrap_or(queue.max_waiting),
            max_wait: self.time(file.max_wait.as_ref(), max_wait),
            refuse_when_full: file.when_full == Some(file::WhenFull::Refuse),
        }
    }

    /// Says which settings of a pool have no effect beside its others.
    fn pool_effects(&mut self, file: &file::Pool) {
        if let (Some(margin), true) = (&file.margin, file.requests.is_empty()) {
            let mend = "give the pool requests = [\"300/min\"], or take it out";
            self.problems.push(Problem::new("margin without a rate", margin.span(), "has no effect", mend));
        }
        if let (Some(file::WhenFull::Refuse), Some(max_wait)) = (file.when_full, &file.max_wait) {
            let mend = "take it out, or write when_full = \"queue\"";
            let what = "max_wait beside when_full = \"refuse\"";
            self.problems.push(Problem::new(what, max_wait.span(), "nobody waits", mend));
        }
    }

    fn shape(&mut self, file: &file::Pool, requests: &[Rate]) -> Shape {
        let smooth = file.shape.as_ref().filter(|shape| *shape.get_ref() == file::Shape::Smooth);
        let Some(smooth) = smooth else {
            if let Some(burst) = &file.burst {
                let mend =
                    "write shape = \"smooth\" beside it, or take it out: a window pool goes at once while it has room";
                let what = "burst without shape = \"smooth\"";
                self.problems.push(Problem::new(what, burst.span(), "has no effect", mend));
            }
            return Shape::Window;
        };
        if file.requests.is_empty() {
            let mend = "give the pool requests = [\"300/min\"]";
            let what = "an even pace of nothing";
            self.problems.push(Problem::new(what, smooth.span(), "there is no rate to pace", mend));
        }
        let burst = file.burst.as_ref().map_or(NonZeroU32::MIN, |burst| *burst.get_ref());
        if let (Some(at), Some(rate)) = (&file.burst, requests.iter().find(|rate| rate.amount() < burst.get())) {
            let label = format!("more than {rate} ever admits");
            let mend = format!("write at most burst = {}", rate.amount());
            self.problems.push(Problem::new("burst above the limit", at.span(), label, mend));
        }
        Shape::Smooth { burst }
    }

    fn routes(&mut self, file: &[file::Route], pools: &[Pool]) -> Table {
        let by_name: HashMap<&str, PoolId> =
            pools.iter().enumerate().map(|(index, pool)| (pool.name.as_str(), PoolId(index))).collect();
        let mut table = Table::default();
        for route in file {
            let template = self.parsed::<Template>(Some(&route.matches), "not a match", "");
            let charges = route.pools.iter().filter_map(|text| self.charge(text, template.as_ref(), pools, &by_name));
            let charges: Vec<_> = charges.collect();
            self.sums(route, &charges, pools);
            let Some(template) = template else { continue };
            if let Err(tie) = table.insert(&template, charges) {
                let label = format!("matches requests of '{}', and is no more specific", table.route(tie.with).name);
                let mend = "leave those requests to one of the two, or make one more specific";
                self.problems.push(Problem::new("two routes for one request", route.matches.span(), label, mend));
            }
        }
        table
    }

    fn charge(
        &mut self,
        text: &Text,
        template: Option<&Template>,
        pools: &[Pool],
        by_name: &HashMap<&str, PoolId>,
    ) -> Option<RouteCharge> {
        let (name, weight) = text.as_ref().split_once(':').unwrap_or((text.as_ref(), "1"));
        let Some(&id) = by_name.get(name) else {
            let known = pools.iter().map(|pool| pool.name.as_str()).collect::<Vec<_>>().join(", ");
            let mend = if known.is_empty() {
                "there are none yet: add [pools.NAME]".to_owned()
            } else {
                format!("there are: {known}")
            };
            self.problems.push(Problem::new(format!("no pool '{name}'"), text.span(), "not among the pools", mend));
            return None;
        };
        let weight: Weight = match weight.parse() {
            Ok(weight) => weight,
            Err(error) => {
                self.problems.push(Problem::new("not a cost", text.span(), format!("{error}"), ""));
                return None;
            }
        };
        let pool = &pools[id.0];
        if pool.limits.requests.is_empty() && weight != Weight::Fixed(NonZeroU32::MIN) {
            let mend = format!("write \"{name}\", or give that pool a rate");
            let label = "only requests in flight are counted there";
            self.problems.push(Problem::new("a cost without a rate", text.span(), label, mend));
        }
        if let Weight::Fixed(cost) = weight
            && let Err(never) = pool.limits.fits(cost.get())
        {
            let label = format!("{cost} is more than {} ever admits", never.limit);
            let mend = format!("write a cost of at most {}, or raise the pool's limit", never.limit.amount());
            self.problems.push(Problem::new(format!("pool '{name}' can never admit this"), text.span(), label, mend));
        }
        self.key_params(text, template, pool);
        Some(RouteCharge { pool: id, weight, key: Arc::clone(&pool.key) })
    }

    /// A route may name a pool several times, and takes the sum.
    fn sums(&mut self, route: &file::Route, charges: &[RouteCharge], pools: &[Pool]) {
        let mut sums: IndexMap<PoolId, u32> = IndexMap::new();
        for charge in charges {
            if let Weight::Fixed(cost) = charge.weight {
                let sum = sums.entry(charge.pool).or_default();
                *sum = sum.saturating_add(cost.get());
            }
        }
        for (pool, sum) in sums {
            let Pool { name, limits, .. } = &pools[pool.0];
            let names = charges.iter().filter(|charge| charge.pool == pool).count();
            if let (Err(never), true) = (limits.fits(sum), names > 1) {
                let label = format!("takes {sum} of pool '{name}', more than {} ever admits", never.limit);
                let mend = "name the pool once, with what one request takes of it";
                let what = "a route that can never be admitted";
                self.problems.push(Problem::new(what, route.matches.span(), label, mend));
            }
        }
    }

    /// A pool that is keyed by a path parameter needs it in the path.
    fn key_params(&mut self, at: &Text, template: Option<&Template>, pool: &Pool) {
        let Some(template) = template else { return };
        for part in &*pool.key {
            if let KeyPart::Path(name) = part
                && !template.params().any(|param| param == &**name)
            {
                let label = format!("keyed by path.{name}, and '{template}' has no {{{name}}}");
                let mend = format!("name a segment of the match {{{name}}}, or use a pool without that key");
                let what = format!("pool '{}' has no key here", pool.name);
                self.problems.push(Problem::new(what, at.span(), label, mend));
            }
        }
    }

    fn unused_pools(&mut self, file: &IndexMap<String, Spanned<file::Pool>>, pools: &[Pool], table: &Table) {
        for (index, pool) in pools.iter().enumerate() {
            let charged = |charge: &RouteCharge| charge.pool == PoolId(index);
            if !table.routes().any(|(_, route)| route.charges.iter().any(charged)) {
                let at = file.get(&pool.name).map_or(0..0, Spanned::span);
                let mend =
                    format!("name it in the pools of a route, as in pools = [\"{}\"], or take it out", pool.name);
                let what = format!("pool '{}' is used by no route", pool.name);
                self.problems.push(Problem::new(what, at, "limits nothing", mend));
            }
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

    fn authorities(&mut self, path: &Text) -> Option<Arc<RootCertStore>> {
        let roots = pem::authorities(path.as_ref().as_ref());
        let mend = "write the path of a PEM file of certificates";
        roots
            .map_err(|error| {
                self.problems.push(Problem::new("no certificate authorities", path.span(), error.to_string(), mend));
            })
            .ok()
            .map(Arc::new)
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

/// A URL that requests can be sent to, or what is wrong with it.
pub(super) fn parse_upstream(text: &str) -> Result<http::Uri, String> {
    let url: http::Uri = text.parse().map_err(|error: http::uri::InvalidUri| error.to_string())?;
    match url.scheme_str() {
        Some("http" | "https") if url.query().is_some() => Err("a query has no place here".to_owned()),
        Some("http" | "https") if url.authority().is_some_and(|authority| authority.as_str().contains('@')) => {
            Err("it names a user, which would be sent nowhere and shown everywhere".to_owned())
        }
        Some("http" | "https") => Ok(without_v1(url)),
        _ => Err("it starts with neither http:// nor https://".to_owned()),
    }
}

/// What apps ask for begins with `/v1`, so a base URL as the SDKs want it means the same without.
fn without_v1(url: http::Uri) -> http::Uri {
    let Some(base) = url.path().trim_end_matches('/').strip_suffix("/v1") else { return url };
    let mut parts = url.clone().into_parts();
    parts.path_and_query = format!("{base}/").parse().ok();
    http::Uri::from_parts(parts).unwrap_or(url)
}
