use std::io::Write;
use std::net::IpAddr;

use anyhow::Result;
use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::config_args::ConfigArgs;
use super::live::{AskedAt, LiveStatus};
use super::output::output;
use super::usage_error::UsageError;
use crate::admin::{Explainer, Explanation, RefusalExample, Sketch, Taken};
use crate::route::Body;

/// Say which route and which pools a request takes, why, and what a wait and a refusal would look like. If a gate runs,
/// also how the request would fare there now.
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
    #[command(flatten)]
    gate: AskedAt,
}

impl Explain {
    pub(super) fn run(self) -> Result<()> {
        let config = self.config.load()?;
        let (headers, body) = (self.headers()?, self.body()?.to_string());
        let body = Body::read(body.as_bytes(), None);
        let sketch = Sketch { method: self.method, path: self.path, headers, peer: self.peer, body };
        let explainer = Explainer::new(&config);
        let asked = self.gate.ask(&config, &explainer.client(&sketch))?;
        let explanation = explainer.explain(&sketch, asked.status());
        if self.json {
            return Ok(writeln!(output(), "{}", serde_json::to_string(&explanation)?)?);
        }
        Printed { explanation, asked }.print(&mut output())
    }

    /// What makes no sense is not shown, as it may be secret.
    fn headers(&self) -> Result<HeaderMap> {
        let header = |text: &String| {
            let (name, value) = text.split_once(':')?;
            Some((name.trim().parse::<HeaderName>().ok()?, HeaderValue::try_from(value.trim()).ok()?))
        };
        let mut headers = HeaderMap::new();
        for text in &self.headers {
            let (name, value) = header(text).ok_or_else(|| UsageError("-H: write 'name: value'".to_owned()))?;
            headers.append(name, value);
        }
        Ok(headers)
    }

    fn body(&self) -> Result<Value> {
        let text = self.body.as_deref().unwrap_or("{}");
        let mut body: Value =
            serde_json::from_str(text).map_err(|error| UsageError(format!("--body is no JSON: {error}")))?;
        if let Some(model) = &self.model {
            let fields = body
                .as_object_mut()
                .ok_or_else(|| UsageError("--model needs a --body that is an object".to_owned()))?;
            fields.insert("model".to_owned(), json!(model));
        }
        Ok(body)
    }
}

/// An explanation as people read it.
struct Printed {
    explanation: Explanation,
    asked: LiveStatus,
}

impl Printed {
    fn print(&self, out: &mut impl Write) -> Result<()> {
        self.print_route(out)?;
        if self.explanation.pools.is_empty() {
            self.print_unlimited(out)?;
        } else {
            self.print_pools(out)?;
            self.print_wait(out)?;
        }
        self.print_now(out)
    }

    fn print_route(&self, out: &mut impl Write) -> Result<()> {
        let Explanation { route, over, read_as, lacks_v1, .. } = &self.explanation;
        writeln!(out, "route    {route}")?;
        if *lacks_v1 {
            writeln!(out, "         the path lacks /v1; the gate puts it there")?;
        }
        over.iter().try_for_each(|over| writeln!(out, "         before {}: {}", over.route, over.because))?;
        let other =
            |name: &String| writeln!(out, "         some servers would read the path as {name}: it takes that too");
        Ok(read_as.iter().try_for_each(other)?)
    }

    fn print_unlimited(&self, out: &mut impl Write) -> Result<()> {
        let Explanation { upstream, unlisted, .. } = &self.explanation;
        if unlisted.is_empty() {
            return Ok(writeln!(out, "pools    none: it is forwarded at once to {upstream}")?);
        }
        writeln!(out, "pools    none: no limit is known, and it is forwarded at once to {upstream}")?;
        unlisted.iter().try_for_each(|taken| {
            write!(out, "         should the upstream refuse it, a limit is learned")?;
            print_key(out, taken)
        })
    }

    fn print_pools(&self, out: &mut impl Write) -> Result<()> {
        for (index, taken) in self.explanation.pools.iter().enumerate() {
            let head = if index == 0 { "pools" } else { "" };
            write!(out, "{head:<8} {}: takes {} of {}", taken.pool, taken.cost, taken.of)?;
            print_key(out, taken)?;
        }
        let Explanation { client, name, weight, priority, .. } = &self.explanation;
        let called = name.as_ref().map_or(String::new(), |name| format!("{name}, "));
        Ok(writeln!(out, "client   {called}{client}, weight {weight}; priority {priority}")?)
    }

    fn print_wait(&self, out: &mut impl Write) -> Result<()> {
        let refusing = self.explanation.pools.iter().find(|taken| taken.when_full == "refuse");
        if let Some(Taken { pool, .. }) = refusing {
            writeln!(out, "wait     none: pool '{pool}' refuses when it is full")?;
        } else if let Some(most) = self.explanation.max_wait_ms {
            let most = humantime::format_duration(std::time::Duration::from_millis(most));
            let told = "x-tidegate-wait-ms tells how long it was";
            writeln!(out, "wait     until every pool has room, at most {most}; {told}")?;
        }
        Ok(())
    }

    fn print_now(&self, out: &mut impl Write) -> Result<()> {
        if let Some(RefusalExample { status, body, now }) = &self.explanation.refusal {
            let [code, message] = ["code", "message"].map(|field| body["error"][field].as_str().unwrap_or_default());
            let which = if *now { "now" } else { "for example" };
            writeln!(out, "refusal  {status} {code}, {which}:\n         {message}")?;
        }
        if let Some(fare) = &self.explanation.now {
            writeln!(out, "now      {}", fare.text)?;
        }
        self.asked.print(out, self.explanation.pools.iter().chain(&self.explanation.unlisted))
    }
}

fn print_key(out: &mut impl Write, taken: &Taken) -> Result<()> {
    taken.key.iter().try_for_each(|(part, value)| write!(out, ", {part} = {value:?}"))?;
    Ok(writeln!(out)?)
}
