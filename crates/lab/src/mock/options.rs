use std::num::NonZeroU32;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use super::faults::Faults;
use super::model_limits::ModelLimits;
use super::script::FaultScript;
use crate::meter::{Counting, Counts, Rule};

/// How the mock counts, responds and delays.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// How the limits are counted.
    #[arg(long, default_value = "fixed", value_parser = counting())]
    pub window: Counting,
    /// With a bucket: the requests it admits at once [default: the whole limit].
    #[arg(long, value_name = "N")]
    pub burst: Option<NonZeroU32>,
    /// Count refused requests as well.
    #[arg(long)]
    pub count_denied: bool,
    /// Length of "a minute"; the windows of all limits shrink with it.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = some_time)]
    pub minute: Duration,
    /// Send Retry-After with refusals.
    #[arg(long)]
    pub retry_after: bool,
    /// Delay each response by a random time, up to this.
    #[arg(long, value_name = "TIME", default_value = "0ms", value_parser = humantime::parse_duration)]
    pub jitter: Duration,
    /// Delay each request by a random time, up to this, before it is counted.
    #[arg(long, value_name = "TIME", default_value = "0ms", value_parser = humantime::parse_duration)]
    pub arrival_jitter: Duration,
    /// Words in each answer.
    #[arg(long, value_name = "N", default_value = "14")]
    pub words: usize,
    /// Time between two events of a stream.
    #[arg(long, value_name = "TIME", default_value = "5ms", value_parser = humantime::parse_duration)]
    pub gap: Duration,
    /// Time that a run, a batch or a file of a vector store is in progress.
    #[arg(long, value_name = "TIME", default_value = "300ms", value_parser = humantime::parse_duration)]
    pub work: Duration,
    /// Seed of the random numbers.
    #[arg(long, value_name = "N", default_value = "1")]
    pub seed: u64,
    /// A rule of the mock's own, beside the limits of the configuration: "POST /v1/threads/{id}/messages = 60/min per path.id".
    ///
    /// Before the "=" are the requests that count, with commas between them. After it are rates, "10 in flight" or "5% at random",
    /// and behind "per" what has a limit of its own: account, path.NAME, body.FIELD, header.NAME or endpoint. May be given
    /// several times; a request must find room by each.
    #[arg(long = "rule", value_name = "RULE")]
    pub rules: Vec<Rule>,
    /// Limits on models.
    #[command(flatten)]
    pub model_limits: ModelLimits,
    /// Deviations from the configuration.
    #[command(flatten)]
    pub faults: Faults,
    /// A file with changes over time, as in `[[step]] at = "90s", scale = 0.6`.
    ///
    /// A step has `at`, the time after the first request (scaled as --minute says), and what changes then: any of scale,
    /// foreign, refuse (a reason, or "none"), refuse_share, gone and latency. POST /__mock/step with the same as JSON,
    /// without `at`, changes it at once.
    #[arg(long, value_name = "FILE", value_parser = FaultScript::read)]
    pub script: Option<FaultScript>,
}

/// The ways of counting, by name, each with its meaning.
#[must_use]
pub fn counting() -> impl TypedValueParser<Value = Counting> {
    let values = Counting::ALL.map(|way| PossibleValue::new(way.name()).help(way.meaning()));
    PossibleValuesParser::new(values).try_map(|name| name.parse::<Counting>())
}

fn some_time(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("a minute takes some time".to_owned()),
        parsed => parsed.map_err(|error| error.to_string()),
    }
}

impl Options {
    /// How the limits are counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts { window: self.window, burst: self.burst, minute: self.minute }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            window: Counting::Fixed,
            burst: None,
            count_denied: false,
            minute: Duration::from_mins(1),
            retry_after: false,
            jitter: Duration::ZERO,
            arrival_jitter: Duration::ZERO,
            words: 14,
            gap: Duration::from_millis(5),
            work: Duration::from_millis(300),
            seed: 1,
            rules: Vec::new(),
            model_limits: ModelLimits::default(),
            faults: Faults::default(),
            script: None,
        }
    }
}
