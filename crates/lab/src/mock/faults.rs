use std::time::Duration;

use clap::Args;

use super::fraction::{Fraction, LimitScale};
use super::refusal::MockRefusal;
use super::script::{FaultChange, RefuseWith};

/// How the mock deviates from its configuration; all of it may change while it runs.
#[derive(Args, Clone, Debug)]
pub struct Faults {
    /// Multiply every limit by this: 0.6 is a hidden limit of 60 %.
    #[arg(long, value_name = "SHARE", default_value_t = LimitScale::ONE)]
    pub scale: LimitScale,
    /// Foreign traffic uses a random part of every limit, up to this, anew in each window: from 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = Fraction::NONE)]
    pub foreign: Fraction,
    /// Refuse requests for this reason, whatever the limits are.
    #[arg(long, value_enum, value_name = "REASON")]
    pub refuse: Option<MockRefusal>,
    /// The part of the requests to refuse, at random: from 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = Fraction::ALL, requires = "refuse")]
    pub refuse_share: Fraction,
    /// Answer 404 on all paths of the Assistants API, as OpenAI does since 2026-08-26.
    #[arg(long)]
    pub gone: bool,
    /// Time until each response.
    #[arg(long, value_name = "TIME", default_value = "0ms", value_parser = humantime::parse_duration)]
    pub latency: Duration,
}

impl Faults {
    /// Changes what the step names.
    pub(super) fn change(&mut self, step: &FaultChange) {
        self.scale = step.scale.unwrap_or(self.scale);
        self.foreign = step.foreign.unwrap_or(self.foreign);
        self.refuse = step.refuse.map_or(self.refuse, |RefuseWith(refuse)| refuse);
        self.refuse_share = step.refuse_share.unwrap_or(self.refuse_share);
        self.gone = step.gone.unwrap_or(self.gone);
        self.latency = step.latency.unwrap_or(self.latency);
    }

    /// The reason to refuse this request, if chance picks it.
    pub(super) fn refuses(&self, chance: &mut fastrand::Rng) -> Option<MockRefusal> {
        self.refuse.filter(|_| chance.f64() < self.refuse_share.of(1.0))
    }

    /// Whether the endpoint at this path is gone.
    pub(super) fn is_gone(&self, path: &str) -> bool {
        self.gone && matches!(path.split('/').nth(2), Some("assistants" | "threads"))
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            scale: LimitScale::ONE,
            foreign: Fraction::NONE,
            refuse: None,
            refuse_share: Fraction::ALL,
            gone: false,
            latency: Duration::ZERO,
        }
    }
}
