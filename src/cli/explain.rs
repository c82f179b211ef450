use std::io::{Write, stdout};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use super::live::Live;
use super::{ConfigArgs, Usage};
use crate::admission::{Reason, Refusal};
use crate::config::{Config, Pool};
use crate::proxy::{self, Clients};
use crate::route::{Ask, Body, Facts, Found, Priority};

/// Say which route and which pools a request takes, and what a wait and a refusal would look like.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The method, as in POST.
    method: String,
    /// The path, as in /v1/threads/runs; a whole URL will do.
    path: String,
    /// The model named in the body.
    #[arg(long)]
    model: Option<String>,
    /// A header, as in 'openai-project: proj_1'; may be given several times.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// The address it comes from, where `clients.by` asks for it.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    peer: IpAddr,
    /// The JSON body, for pools that count what is in it.
    #[arg(long, value_name = "JSON")]
    body: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

impl Explain {
    pub(super) fn run(self) -> Result<()> {
        let config = self.config.load()?;
        let found = config.routes.find(&self.method, self.path_alone());
        let body = self.body()?.to_string();
        let told = Told { headers: self.headers()?, body: Body::read(body.as_bytes(), None) };
        let asks = config.routes.asks(&found, &told).into_iter();
        let asked = asks.map(|ask| Taken { pool: &config.pools[ask.pool.0], ask });
        let (unlisted, taken): (Vec<_>, Vec<_>) = asked.partition(|taken| taken.pool.implicit);
        let who = Who::new(&config, &found, &told.headers, self.peer);
        let live = Live::ask(&config)?;
        let explained = Explained { config: &config, found: &found, taken: &taken, unlisted: &unlisted, who, live };
        if self.json { Ok(writeln!(stdout(), "{}", explained.json())?) } else { explained.print(&mut stdout().lock()) }
    }

    /// Without the query, nor scheme and host.
    fn path_alone(&self) -> &str {
        let target =
            self.path.split_once("://").map_or(&*self.path, |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
        target.split(['?', '#']).next().unwrap_or_default()
    }

    /// What makes no sense is not shown, as it may be secret.
    fn headers(&self) -> Result<HeaderMap> {
        let header = |text: &String| {
            let (name, value) = text.split_once(':')?;
            Some((name.trim().parse::<HeaderName>().ok()?, HeaderValue::try_from(value.trim()).ok()?))
        };
        let mut headers = HeaderMap::new();
        for text in &self.headers {
            let (name, value) = header(text).ok_or_else(|| Usage("-H: write 'name: value'".to_owned()))?;
            headers.append(name, value);
        }
        Ok(headers)
    }

    fn body(&self) -> Result<Value> {
        let text = self.body.as_deref().unwrap_or("{}");
        let mut body: Value =
            serde_json::from_str(text).map_err(|error| Usage(format!("--body is no JSON: {error}")))?;
        if let Some(model) = &self.model {
            let fields =
                body.as_object_mut().ok_or_else(|| Usage("--model needs a --body that is an object".to_owned()))?;
            fields.insert("model".to_owned(), json!(model));
        }
        Ok(body)
    }
}

/// What the command line tells of the request.
struct Told<'b> {
    headers: HeaderMap,
    body: Option<Body<'b>>,
}

impl Facts for Told<'_> {
    fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.get(name).map(HeaderValue::as_bytes)
    }

    fn body(&self) -> Option<&Body<'_>> {
        self.body.as_ref()
    }
}

/// Whose the request is, and how he stands to the others.
struct Who {
    label: String,
    weight: NonZeroU32,
    priority: Priority,
    /// How long he waits by his own account, where answers take no time.
    patience: Option<Duration>,
}

impl Who {
    fn new(config: &Config, found: &Found, headers: &HeaderMap, peer: IpAddr) -> Self {
        let clients = Clients::new(&config.clients);
        let client = clients.identify(headers, peer);
        let priority = clients.priority(config.routes.priority(found), headers);
        let patience = proxy::patience(headers, Duration::ZERO);
        Self { label: Clients::label(client), weight: clients.weight(client), priority, patience }
    }
}

/// What the request takes from one pool.
struct Taken<'c> {
    ask: Ask,
    pool: &'c Pool,
}

impl Taken<'_> {
    fn cost(&self) -> u32 {
        self.ask.cost.unwrap_or_else(|| self.pool.limits.capacity())
    }

    /// Each part of the key with its value.
    fn key(&self) -> impl Iterator<Item = (String, &str)> {
        let values = self.ask.key.iter().flat_map(|key| key.split(' '));
        self.pool.key.iter().map(ToString::to_string).zip(values)
    }

    fn print_key(&self, out: &mut impl Write) -> Result<()> {
        self.key().try_for_each(|(part, value)| write!(out, ", {part} = {value:?}"))?;
        Ok(writeln!(out)?)
    }

    /// With what a running gate knows of it.
    fn json(&self, live: &Live) -> Value {
        let mut json = self.written();
        if let (Some(known), Some(fields)) = (live.of(&self.ask, self.pool), json.as_object_mut()) {
            fields.insert("learned".to_owned(), json!(known.learned));
            fields.insert("diagnosis".to_owned(), json!(known.diagnosis));
        }
        json
    }

    fn written(&self) -> Value {
        let Pool { limits, max_waiting, refuse_when_full, .. } = self.pool;
        let key: Map<String, Value> = self.key().map(|(part, value)| (part, json!(value))).collect();
        json!({
            "pool": self.pool.name, "key": key, "cost": self.cost(), "in_flight": limits.in_flight,
            "limits": self.pool.rates().collect::<Vec<_>>(),
            "when_full": if *refuse_when_full { "refuse" } else { "queue" }, "max_waiting": max_waiting,
            "max_wait_ms": u64::try_from(self.pool.max_wait.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

struct Explained<'c> {
    config: &'c Config,
    found: &'c Found,
    taken: &'c [Taken<'c>],
    /// What it takes of the pool that nobody wrote.
    unlisted: &'c [Taken<'c>],
    who: Who,
    live: Live,
}

impl Explained<'_> {
    fn route(&self) -> &str {
        &self.config.routes.route(self.found.route()).name
    }

    /// The pool that is waited for the least.
    fn least_patient(&self) -> Option<&Taken<'_>> {
        self.taken.iter().min_by_key(|taken| (!taken.pool.refuse_when_full, taken.pool.max_wait))
    }

    /// How long the request waits for this pool.
    fn max_wait(&self, pool: &Pool) -> Duration {
        self.who.patience.map_or(pool.max_wait, |patience| patience.min(pool.max_wait))
    }

    /// A refusal as it would look with a queue a little too long.
    fn refusal(&self) -> Option<(u16, Value)> {
        let Taken { ask, pool } = self.least_patient()?;
        let gap = pool.limits.requests.iter().map(|rate| rate.interval()).max().unwrap_or(Duration::from_secs(1));
        let max_wait = self.max_wait(pool);
        let waiting = usize::try_from(max_wait.as_nanos() / gap.as_nanos() + 1).unwrap_or(usize::MAX);
        let reason = if pool.refuse_when_full {
            Reason::NoQueue { pool: ask.pool, eta: gap }
        } else if waiting > pool.max_waiting {
            Reason::QueueFull { pool: Some(ask.pool), waiting: pool.max_waiting, eta: max_wait }
        } else {
            Reason::WaitTooLong { pool: ask.pool, waiting, ahead: waiting, eta: max_wait + gap, max_wait }
        };
        Some(proxy::describe(
            &Refusal { reason, retry_after: gap, pointless: false, learned: None },
            &self.config.pools,
        ))
    }

    fn json(&self) -> Value {
        let pools: Vec<Value> = self.taken.iter().map(|taken| taken.json(&self.live)).collect();
        let refusal = self.refusal().map(|(status, body)| json!({ "status": status, "body": body }));
        json!({
            "route": self.route(), "lacks_v1": self.found.lacks_v1(), "upstream": self.config.upstream.url.to_string(),
            "client": self.who.label, "weight": self.who.weight, "priority": self.who.priority.to_string(),
            "patience_ms": self.who.patience.map(|patience| u64::try_from(patience.as_millis()).unwrap_or(u64::MAX)),
            "pools": pools, "refusal": refusal,
        })
    }

    fn print_unlimited(&self, out: &mut impl Write) -> Result<()> {
        let url = &self.config.upstream.url;
        if self.unlisted.is_empty() {
            return Ok(writeln!(out, "pools    none: it is forwarded at once to {url}")?);
        }
        writeln!(out, "pools    none: no limit is known, and it is forwarded at once to {url}")?;
        for taken in self.unlisted {
            write!(out, "         should the upstream refuse it, a limit is learned")?;
            taken.print_key(out)?;
        }
        self.print_live(out)
    }

    fn print_live(&self, out: &mut impl Write) -> Result<()> {
        let taken = self.taken.iter().chain(self.unlisted);
        self.live.print(out, taken.map(|taken| (&taken.ask, taken.pool)))
    }

    fn print(&self, out: &mut impl Write) -> Result<()> {
        writeln!(out, "route    {}", self.route())?;
        if self.found.lacks_v1() {
            writeln!(out, "         the path lacks /v1; the gate puts it there")?;
        }
        let Some(least_patient) = self.least_patient() else {
            return self.print_unlimited(out);
        };
        for (index, taken) in self.taken.iter().enumerate() {
            let head = if index == 0 { "pools" } else { "" };
            write!(out, "{head:<8} {}: takes {} of {}", taken.pool.name, taken.cost(), taken.pool.limits_text())?;
            taken.print_key(out)?;
        }
        let Who { label, weight, priority, .. } = &self.who;
        writeln!(out, "client   {label}, weight {weight}; priority {priority}")?;
        if least_patient.pool.refuse_when_full {
            writeln!(out, "wait     none: pool '{}' refuses when it is full", least_patient.pool.name)?;
        } else {
            let most = humantime::format_duration(self.max_wait(least_patient.pool));
            writeln!(
                out,
                "wait     until every pool has room, at most {most}; x-tidegate-wait-ms tells how long it was"
            )?;
        }
        if let Some((status, body)) = self.refusal() {
            let [code, message] = ["code", "message"].map(|field| body["error"][field].as_str().unwrap_or_default());
            writeln!(out, "refusal  {status} {code}, for example:\n         {message}")?;
        }
        self.print_live(out)
    }
}
