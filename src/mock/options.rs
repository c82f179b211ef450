use std::num::NonZeroU32;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::refusals::Refusal;

/// How the stand-in counts, answers and dawdles.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// How the limits are counted.
    #[arg(long, value_enum, default_value_t = Counting::Fixed)]
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
    /// Refuse requests for this reason, whatever the limits say.
    #[arg(long, value_enum, value_name = "REASON")]
    pub refuse: Option<Refusal>,
    /// How many of them, by chance: from 0 to 1.
    #[arg(long, value_name = "SHARE", default_value = "1", value_parser = share, requires = "refuse")]
    pub refuse_share: f64,
    /// How long an answer takes.
    #[arg(long, value_name = "TIME", default_value = "0ms", value_parser = humantime::parse_duration)]
    pub latency: Duration,
    /// Up to so much more, by chance.
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
}

/// How an upstream may count the requests of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Counting {
    /// Windows that begin with the first request after the last window.
    Fixed,
    /// Windows that follow each other on the clock, wherever that was started.
    FixedClock,
    /// Every trailing window, exactly.
    Sliding,
    /// The present clock window, and of the one before as much as a trailing window would still cover.
    Counter,
    /// A bucket that fills at the limit's rate.
    Bucket,
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "a share is a number from 0 to 1".to_owned())
}

fn some_time(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("a minute takes some time".to_owned()),
        parsed => parsed.map_err(|error| error.to_string()),
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
            refuse: None,
            refuse_share: 1.0,
            latency: Duration::ZERO,
            jitter: Duration::ZERO,
            arrival_jitter: Duration::ZERO,
            words: 14,
            gap: Duration::from_millis(5),
            work: Duration::from_millis(300),
            seed: 1,
        }
    }
}
