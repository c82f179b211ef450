use std::num::NonZeroU32;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use super::quotas::Quotas;
use super::script::Script;
use super::weather::Weather;
use crate::meter::{Counting, Counts};

/// How the stand-in counts, answers and dawdles.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// How the limits are counted.
    #[arg(long, default_value = "fixed", value_parser = counting())]
    pub window: Counting,
    /// With a bucket: how many may come at once [default: the whole limit].
    #[arg(long, value_name = "N")]
    pub burst: Option<NonZeroU32>,
    /// Refused requests count as well.
    #[arg(long)]
    pub count_denied: bool,
    /// How long "a minute" is; the spans of all limits shrink with it.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = some_time)]
    pub minute: Duration,
    /// Refusals carry Retry-After.
    #[arg(long)]
    pub retry_after: bool,
    /// By chance, an answer takes up to so much longer.
    #[arg(long, value_name = "TIME", default_value = "0ms", value_parser = humantime::parse_duration)]
    pub jitter: Duration,
    /// By chance, up to so long between the arrival of a request and the moment at which it is counted.
    #[arg(long, value_name = "TIME", default_value = "0ms", value_parser = humantime::parse_duration)]
    pub arrival_jitter: Duration,
    /// How many words an answer has.
    #[arg(long, value_name = "N", default_value = "14")]
    pub words: usize,
    /// The time between two events of a stream.
    #[arg(long, value_name = "TIME", default_value = "5ms", value_parser = humantime::parse_duration)]
    pub gap: Duration,
    /// How long a run, a batch or a file of a vector store is in progress.
    #[arg(long, value_name = "TIME", default_value = "300ms", value_parser = humantime::parse_duration)]
    pub work: Duration,
    /// Where chance starts.
    #[arg(long, value_name = "N", default_value = "1")]
    pub seed: u64,
    /// The limits of models.
    #[command(flatten)]
    pub quotas: Quotas,
    /// What may change.
    #[command(flatten)]
    pub weather: Weather,
    /// A file that says how the weather changes, as in `[[step]] at = "90s", scale = 0.6`.
    ///
    /// A step names `at`, a time from the first request on in which a minute is as long as --minute says, and of scale,
    /// foreign, refuse (a reason, or "none"), refuse_share, gone and latency what changes then; the rest stays. The same
    /// as JSON, without `at` and sent to POST /__mock/step, changes it at once.
    #[arg(long, value_name = "FILE", value_parser = Script::read)]
    pub script: Option<Script>,
}

/// The ways of counting, by name, each with what it means.
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
            quotas: Quotas::default(),
            weather: Weather::default(),
            script: None,
        }
    }
}
