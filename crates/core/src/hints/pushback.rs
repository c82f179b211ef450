use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::limit::Unit;

/// A refusal of the upstream, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushback {
    /// What it means.
    pub cause: RefusalCause,
    /// What it says of the limit that was reached, if anything.
    pub figures: Option<LimitFigures>,
    /// The model or the family of models whose limit it is, as the message names it.
    pub family: Option<Box<str>>,
    /// How long to stay away, if it says: by a header or by the message, whichever is longer.
    pub retry_after: Option<Duration>,
}

/// What a refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefusalCause {
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
pub struct LimitFigures {
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

/// The text is no cause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a refusal is \"limit\", \"too_large\", \"ramp\", \"billing\" or \"overload\"")]
pub struct ParseRefusalCauseError;

impl RefusalCause {
    const ALL: [Self; 5] = [Self::Limit, Self::TooLarge, Self::Ramp, Self::Billing, Self::Overload];

    fn word(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::TooLarge => "too_large",
            Self::Ramp => "ramp",
            Self::Billing => "billing",
            Self::Overload => "overload",
        }
    }
}

impl FromStr for RefusalCause {
    type Err = ParseRefusalCauseError;

    fn from_str(text: &str) -> Result<Self, ParseRefusalCauseError> {
        Self::ALL.into_iter().find(|cause| cause.word() == text).ok_or(ParseRefusalCauseError)
    }
}

impl fmt::Display for RefusalCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl LimitFigures {
    /// Whether more was asked for than the limit ever admits.
    pub(super) fn never_fit(&self) -> bool {
        self.limit.is_some_and(|limit| self.requested.is_some_and(|requested| requested > limit))
    }
}
