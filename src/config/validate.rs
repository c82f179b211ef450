use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use toml::Spanned;

use super::file::{self, Text};
use super::report::Problem;
use super::{ClientKey, Clients, Config, Pool, Queue, Server, Source, Upstream};
use crate::limit::{Limits, PoolId, Rate, Shape};
use crate::route::{KeyPart, RouteCharge, Table, Template, Weight};

/// Against jitter on the way: with 100 ms of it, 250 ms kept every exact window upstream (UPSTREAM.md §6, 2026-11-24).
const MARGIN: Duration = Duration::from_millis(250);

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
    check.unused_pools(written, &pools, &routes);
    if check.problems.is_empty() {
        Ok(Config { source, server, upstream, queue, clients, pools, routes: Arc::new(routes) })
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
        let listen = self.parsed(file.listen.as_ref(), "no address to listen on", address);
        let admin = file.admin.as_ref().filter(|text| text.as_ref() != "off");
        let admin_at = self.parsed(admin, "no address for admin", &format!("{address}; \"off\" for none"));
        let is_off = file.admin.is_some() && admin.is_none();
        Server {
            listen: listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 4290))),
            admin: (!is_off).then(|| admin_at.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 4291)))),
            drain: self.time(file.drain.as_ref(), Duration::from_mins(1)),
        }
    }

    fn upstream(&mut self, file: &file::Upstream) -> Upstream {
        let url = file.url.as_ref().and_then(|text| match parse_upstream(text.as_ref()) {
            Ok(url) => Some(url),
            Err(label) => {
                let mend =
                    "write where requests go, as in \"https://api.openai.com\" or \"http://127.0.0.1:8000/base\"";
                self.problems.push(Problem::new("no upstream URL", text.span(), label, mend));
                None
            }
        });
        if let Some(name) = &file.api_key_env
            && std::env::var(name.as_ref())
                .map_or(true, |key| http::HeaderValue::try_from(format!("Bearer {key}")).is_err())
        {
            let mend = "set it before the gate starts, or take this line out and let each app send its own key";
            let label = "no such environment variable, or no key in it";
            self.problems.push(Problem::new("the API key is missing", name.span(), label, mend));
        }
        Upstream {
            url: url.unwrap_or_else(|| http::Uri::from_static("https://api.openai.com")),
            api_key_env: file.api_key_env.as_ref().map(|name| name.as_ref().clone()),
            connect_timeout: self.time(file.connect_timeout.as_ref(), Duration::from_secs(5)),
            response_timeout: self.time(file.response_timeout.as_ref(), Duration::from_mins(10)),
            http2_connections: file.http2_connections,
            ca_file: file.ca_file.as_ref().map(|path| self.readable(path)),
        }
    }

    fn clients(&mut self, file: &file::Clients) -> Clients {
        let mend = "name a header, as in \"authorization\", or \"peer\" for the address it comes from";
        let by = file.by.iter().flatten().filter_map(|text| {
            if text.as_ref() == "peer" {
                return Some(ClientKey::Peer);
            }
            self.parsed(Some(text), "no way to tell clients apart", mend).map(ClientKey::Header)
        });
        let by: Vec<_> = by.collect();
        let by_credential = || vec![ClientKey::Header(http::header::AUTHORIZATION)];
        Clients { quota: self.rate(file.quota.as_ref()), by: if file.by.is_none() { by_credential() } else { by } }
    }

    fn pool(&mut self, name: &str, spanned: &Spanned<file::Pool>, queue: Queue, max_wait: Duration) -> Pool {
        let file = spanned.get_ref();
        if file.requests.is_empty() && file.in_flight.is_none() {
            let mend = "give it requests = [\"300/min\"], in_flight = 50, or both";
            self.problems.push(Problem::new(format!("pool '{name}' limits nothing"), spanned.span(), "no limit", mend));
        }
        let requests: Vec<Rate> = file.requests.iter().filter_map(|text| self.rate(Some(text))).collect();
        let shape = self.shape(file, &requests);
        let key = file.key.iter().filter_map(|text| self.parsed(Some(text), "no key", ""));
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

    fn shape(&mut self, file: &file::Pool, requests: &[Rate]) -> Shape {
        let smooth = file.shape.as_ref().filter(|shape| *shape.get_ref() == file::Shape::Smooth);
        let Some(smooth) = smooth else {
            if let Some(burst) = &file.burst {
                let mend =
                    "write shape = \"smooth\" beside it, or take it out: a window pool goes at once while it has room";
                self.problems.push(Problem::new(
                    "burst without shape = \"smooth\"",
                    burst.span(),
                    "has no effect",
                    mend,
                ));
            }
            return Shape::Window;
        };
        if requests.is_empty() && !file.requests.iter().any(|_| true) {
            let mend = "give the pool requests = [\"300/min\"]";
            self.problems.push(Problem::new(
                "an even pace of nothing",
                smooth.span(),
                "there is no rate to pace",
                mend,
            ));
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
            let template = self.parsed::<Template>(Some(&route.matches), "no match", "");
            let charges = route.pools.iter().filter_map(|text| self.charge(text, template.as_ref(), pools, &by_name));
            let charges: Vec<_> = charges.collect();
            let Some(template) = template else { continue };
            if let Err(tie) = table.insert(&template, charges) {
                let label = format!("matches the same requests as '{}'", table.route(tie.with).name);
                let mend = "no request would ever take this route: make it more specific, or put the two together";
                self.problems.push(Problem::new("a dead route", route.matches.span(), label, mend));
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
                self.problems.push(Problem::new("no cost", text.span(), format!("{error}"), ""));
                return None;
            }
        };
        let pool = &pools[id.0];
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

    /// A pool that is keyed by a path parameter needs it in the path.
    fn key_params(&mut self, at: &Text, template: Option<&Template>, pool: &Pool) {
        let Some(template) = template else { return };
        for part in &*pool.key {
            if let KeyPart::Path(name) = part
                && !template.params().any(|param| param == &**name)
            {
                let label = format!("keyed by path.{name}, and '{template}' has no {{{name}}}");
                let mend = format!("name a segment of the match {{{name}}}, or use a pool without that key");
                self.problems.push(Problem::new(
                    format!("pool '{}' has no key here", pool.name),
                    at.span(),
                    label,
                    mend,
                ));
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
        self.parsed(text, "no rate", "")
    }

    fn time(&mut self, text: Option<&Text>, default: Duration) -> Duration {
        let mend = "write a number and a unit, as in \"500ms\", \"30s\" or \"2m\"";
        let time = self.parsed::<humantime::Duration>(text, "no length of time", mend);
        time.map_or(default, Into::into)
    }

    fn readable(&mut self, path: &Text) -> PathBuf {
        if let Err(error) = std::fs::metadata(path.as_ref()) {
            let mend = "write the path of a PEM file of certificates";
            self.problems.push(Problem::new("no such file", path.span(), error.to_string(), mend));
        }
        path.as_ref().into()
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
        Some("http" | "https") if url.query().is_none() => Ok(url),
        Some("http" | "https") => Err("a query has no place here".to_owned()),
        _ => Err("it starts with neither http:// nor https://".to_owned()),
    }
}
