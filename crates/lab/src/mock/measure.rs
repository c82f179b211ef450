use std::time::Duration;

/// What a limit counts. It decides the wording of refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    /// Requests of a type. Refusals do not name such limits.
    OfType,
    /// A model's requests per minute.
    Requests,
    /// A model's requests per day.
    RequestsADay,
    /// A model's tokens per minute.
    Tokens,
}

/// The cost of a request.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    pub(super) requests: u32,
    pub(super) tokens: u32,
}

/// A limit without room for a request.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OverLimit {
    pub(super) measure: Measure,
    pub(super) limit: u32,
    pub(super) used: u32,
    pub(super) requested: u32,
    /// The time until there may be room.
    pub(super) again_in: Duration,
}

/// The state of a limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct RateLimitStatus {
    pub(super) limit: u32,
    pub(super) remaining: u32,
    /// The time until all of it is available.
    pub(super) reset: Duration,
}

impl Cost {
    /// Adds this much of whatever the pool counts.
    pub(super) fn add(&mut self, cost: u32) {
        self.requests = self.requests.saturating_add(cost);
        self.tokens = self.tokens.saturating_add(cost);
    }
}

impl Measure {
    /// The words of refusals.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::OfType => "requests of this type",
            Self::Requests => "requests per min (RPM)",
            Self::RequestsADay => "requests per day (RPD)",
            Self::Tokens => "tokens per min (TPM)",
        }
    }

    /// One word for it.
    pub(super) fn counts(self) -> &'static str {
        if self == Self::Tokens { "tokens" } else { "requests" }
    }

    /// What a request takes of a limit of this measure.
    pub(super) fn of(self, cost: Cost) -> u32 {
        if self == Self::Tokens { cost.tokens } else { cost.requests }
    }
}

impl OverLimit {
    /// Orders limits by severity: first whether no wait helps, then the wait.
    pub(super) fn rank(&self) -> (bool, Duration) {
        (self.is_too_large(), self.again_in)
    }

    /// Whether no wait makes room for the request.
    pub(super) fn is_too_large(&self) -> bool {
        self.measure != Measure::OfType && self.requested > self.limit
    }
}
