use std::io::{Write, stdout};

use anyhow::Result;
use clap::Args;
use serde_json::{Map, Value, json};

use super::{ConfigArgs, Usage};
use crate::config::{Config, Pool};
use crate::route::{Ask, Facts, Found, KeyPart};

/// Say which route and which pools a request takes, and what a wait and a refusal would look like.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The method, as in POST.
    method: String,
    /// The path, as in /v1/threads/runs.
    path: String,
    /// The model named in the body.
    #[arg(long)]
    model: Option<String>,
    /// A header, as in 'openai-project: proj_1'; may be given several times.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
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
        let path = self.path.split('?').next().unwrap_or_default();
        let found = config.routes.find(&self.method.to_ascii_uppercase(), path);
        let told = Told { params: found.params.clone(), headers: self.headers()?, body: self.body()? };
        let asks: Vec<(Ask, &Pool)> = found
            .route
            .charges
            .iter()
            .filter_map(|charge| charge.ask(&told))
            .map(|ask| {
                let pool = &config.pools[ask.pool.0];
                (ask, pool)
            })
            .collect();
        if self.json {
            let pools: Vec<Value> = asks.iter().map(|(ask, pool)| as_json(ask, pool, &told)).collect();
            let said = json!({ "route": found.route.name, "pools": pools, "lacks_v1": found.lacks_v1 });
            return Ok(writeln!(stdout(), "{said}")?);
        }
        print(&config, &found, &asks, &told)
    }

    fn headers(&self) -> Result<Vec<(String, String)>> {
        let header = |text: &String| {
            let (name, value) =
                text.split_once(':').ok_or_else(|| Usage(format!("-H '{text}': write 'name: value'")))?;
            Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        };
        self.headers.iter().map(header).collect()
    }

    fn body(&self) -> Result<Value> {
        let text = self.body.as_deref().unwrap_or("{}");
        let mut body: Value =
            serde_json::from_str(text).map_err(|error| Usage(format!("--body is no JSON: {error}")))?;
        if let (Some(model), Some(fields)) = (&self.model, body.as_object_mut()) {
            fields.insert("model".to_owned(), json!(model));
        }
        Ok(body)
    }
}

/// What the command line tells of the request.
struct Told<'t> {
    params: Vec<(&'t str, String)>,
    headers: Vec<(String, String)>,
    body: Value,
}

impl Facts for Told<'_> {
    fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(param, _)| *param == name).map(|(_, value)| &**value)
    }

    fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_bytes())
    }

    fn body(&self) -> Option<&Value> {
        Some(&self.body)
    }
}

fn as_json(ask: &Ask, pool: &Pool, told: &Told<'_>) -> Value {
    let limits: Vec<String> = pool.limits.requests.iter().map(ToString::to_string).collect();
    let key: Map<String, Value> = pool.key.iter().map(|part| (part.to_string(), json!(part.value(told)))).collect();
    let in_flight = pool.limits.in_flight;
    let max_wait_ms = u64::try_from(pool.max_wait.as_millis()).unwrap_or(u64::MAX);
    json!({
        "pool": pool.name, "key": key, "cost": ask.cost, "limits": limits, "in_flight": in_flight,
        "max_wait_ms": max_wait_ms,
    })
}

fn print(config: &Config, found: &Found<'_>, asks: &[(Ask, &Pool)], told: &Told<'_>) -> Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "route  {}", found.route.name)?;
    if found.lacks_v1 {
        writeln!(out, "       the path lacks /v1; the gate puts it there")?;
    }
    if asks.is_empty() {
        writeln!(out, "pools  none: it is forwarded at once to {}", config.upstream.url)?;
    }
    for (index, (ask, pool)) in asks.iter().enumerate() {
        let keys = pool.key.iter().map(|part: &KeyPart| format!(" {part} = {:?}", part.value(told)));
        let keys: String = keys.collect();
        let cost = ask.cost.unwrap_or_default();
        let head = if index == 0 { "pools" } else { "     " };
        writeln!(out, "{head}  {}{keys}: takes {cost} of {}", pool.name, pool.limits_text())?;
    }
    let Some((_, pool)) = asks.iter().min_by_key(|(_, pool)| pool.max_wait) else { return Ok(()) };
    if pool.refuse_when_full {
        writeln!(out, "full   refused at once: 429 tidegate_queue_full with its own retry-after")?;
    } else {
        let most = humantime::format_duration(pool.max_wait);
        writeln!(out, "wait   until every pool has room, at most {most}; x-tidegate-wait-ms says how long it was")?;
        writeln!(out, "full   a turn later than that is refused on arrival: 429 tidegate_wait_too_long,")?;
        writeln!(out, "       and beyond {} waiting: 429 tidegate_queue_full", pool.max_waiting)?;
    }
    Ok(())
}
