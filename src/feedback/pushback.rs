use std::time::Duration;

use super::Answer;
use crate::limit::Unit;

/// A refusal of the upstream, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushback {
    /// What it means.
    pub cause: Cause,
    /// What it says of the limit that was reached, if anything.
    pub figures: Option<Figures>,
    /// The model or the family of models whose limit it is, as the message names it.
    pub family: Option<Box<str>>,
    /// How long to stay away, if it says: by a header or by the message, whichever is longer.
    pub retry_after: Option<Duration>,
}

/// What a refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A limit is reached, and waiting helps.
    Limit,
    /// This request alone exceeds a limit: it never fits.
    TooLarge,
    /// The rate has grown too fast.
    Ramp,
    /// Quota, credit or spend limit: a person must act.
    Billing,
    /// The upstream has too much to do, whoever asks.
    Overload,
}

/// What a refusal says of the limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// What is counted.
    pub unit: Unit,
    /// In which window.
    pub per: Duration,
    /// The limit.
    pub limit: Option<u64>,
    /// What of it was used.
    pub used: Option<u64>,
    /// What was asked for.
    pub requested: Option<u64>,
}

/// What a refusal means; nothing where the answer is none, or one that may have been executed.
#[must_use]
pub fn understand(answer: &Answer<'_>) -> Option<Pushback> {
    (answer.status == 429).then_some(Pushback { cause: Cause::Limit, figures: None, family: None, retry_after: None })
}
