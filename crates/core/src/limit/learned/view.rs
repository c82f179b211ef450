use std::time::Instant;

use crate::limit::Rate;

/// What an estimate is, for people to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EstimateView {
    /// No answer has reported the limits yet.
    Unknown,
    /// The limit is lower than configured, or there is one where none is configured.
    Lower {
        /// What it seems to be.
        limit: Rate,
    },
    /// The upstream wants an even pace.
    Smooth {
        /// As fast as this.
        limit: Rate,
        /// How many may go at once.
        burst: u32,
    },
    /// Somebody else takes from the same limit.
    Shared,
    /// The upstream tells its figures.
    Reported {
        /// The limit.
        limit: Rate,
        /// What is left of it.
        left: u64,
    },
}

/// What has been learned, for people to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LearnedUsage {
    /// The limit, if anything is known of it beyond the configuration.
    pub estimate: Option<EstimateView>,
    /// Since when.
    pub since: Option<Instant>,
    /// It is known from before the start, and no answer has spoken of it since.
    pub recalled: bool,
    /// Nobody goes before.
    pub not_until: Option<Instant>,
    /// When the upstream last refused.
    pub refused_at: Option<Instant>,
    /// What the window held by then.
    pub used_then: u64,
    /// How often it has refused.
    pub refusals: u64,
}

impl EstimateView {
    /// The upstream's limit, as far as it is known.
    #[must_use]
    pub fn limit(self) -> Option<Rate> {
        match self {
            Self::Lower { limit } | Self::Smooth { limit, .. } | Self::Reported { limit, .. } => Some(limit),
            Self::Unknown | Self::Shared => None,
        }
    }
}
