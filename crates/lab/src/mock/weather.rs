use std::time::Duration;

use clap::Args;

use super::refusals::Refusal;
use super::script::{Reason, Step};
use super::share::{Scale, Share};

/// What may change while the stand-in runs.
#[derive(Args, Clone, Debug)]
pub struct Weather {
    /// Every limit is this much of what the configuration says: 0.6 is a hidden limit of 60 %.
    #[arg(long, value_name = "SHARE", default_value_t = Scale::ONE)]
    pub scale: Scale,
    /// Somebody else takes up to so much of every limit, by chance, anew in each window: from 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = Share::NONE)]
    pub foreign: Share,
    /// Refuse requests for this reason, whatever the limits say.
    #[arg(long, value_enum, value_name = "REASON")]
    pub refuse: Option<Refusal>,
    /// How many of them, by chance: from 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = Share::ALL, requires = "refuse")]
    pub refuse_share: Share,
    /// The Assistants API is gone: its paths answer 404, as OpenAI's do since 2026-08-26.
    #[arg(long)]
    pub gone: bool,
    /// How long an answer takes.
    #[arg(long, value_name = "TIME", default_value = "0ms", value_parser = humantime::parse_duration)]
    pub latency: Duration,
}

impl Weather {
    /// It changes in what the step names.
    pub(super) fn change(&mut self, step: &Step) {
        self.scale = step.scale.unwrap_or(self.scale);
        self.foreign = step.foreign.unwrap_or(self.foreign);
        self.refuse = step.refuse.map_or(self.refuse, |Reason(refuse)| refuse);
        self.refuse_share = step.refuse_share.unwrap_or(self.refuse_share);
        self.gone = step.gone.unwrap_or(self.gone);
        self.latency = step.latency.unwrap_or(self.latency);
    }

    /// Whether this request is one of those that are refused for the reason told.
    pub(super) fn refuses(&self, chance: &mut fastrand::Rng) -> Option<Refusal> {
        self.refuse.filter(|_| chance.f64() < self.refuse_share.of(1.0))
    }

    /// Whether an endpoint at this path is gone.
    pub(super) fn has_lost(&self, path: &str) -> bool {
        self.gone && matches!(path.split('/').nth(2), Some("assistants" | "threads"))
    }
}

impl Default for Weather {
    fn default() -> Self {
        Self {
            scale: Scale::ONE,
            foreign: Share::NONE,
            refuse: None,
            refuse_share: Share::ALL,
            gone: false,
            latency: Duration::ZERO,
        }
    }
}
